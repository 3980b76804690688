"""Online code length: known codes, equality with separate fits, and what random labels cost."""

from dataclasses import replace

import numpy as np
import pytest

from probes.errors import ConfigError
from probes.method.online import METHOD, OnlineSettings
from probes.method.portion import Portions, cut_portions, fit_prefixes, leave_out_small, list_stages, sample_dev
from tests.fit.conftest import QUICK, make_states, make_task, planted_labels, random_labels
from tests.method.subjects import make_subject
from tests.toy import make_cache

ENDS = np.array([60, 120, 1200])
SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)
FIT = {"l2": [1e-4, 1e-2, 1.0, 100.0], "precision": "float32", "step_size": 0.05, "epochs": 3}
SETTINGS = OnlineSettings(shares=SHARES, orders=2, min_steps=150, tolerated=(0.5,), voita2020=True)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """Layer 1 holds the label, layers 0 and 2 mixtures of the noise."""
    states = make_states()
    labels = planted_labels(states)
    for layer in (0, 2):
        for part in states.values():
            part[layer] = np.random.default_rng(layer).permutation(part[layer])
    subject = make_subject(tmp_path_factory.mktemp("cache"), states, labels, fit=FIT)
    return METHOD.apply(subject, SETTINGS)


def value(findings, metric, *, layer, at=None, variant="task"):
    (found,) = [
        one
        for one in findings.rows
        if (one.metric, one.layer, one.variant, one.draw) == (metric, layer, variant, None) and one.at == (at or {})
    ]
    return found.value


def test_labels_that_a_layer_holds_are_cheap_and_others_cost_the_uniform_code(findings):
    uniform = 1200 * np.log2(3)
    assert value(findings, "code_bits", layer=1) < 0.35 * uniform
    for layer in (0, 2):
        assert value(findings, "code_bits", layer=layer) == pytest.approx(uniform, rel=0.04)
        assert np.isnan(value(findings, "sample_complexity", layer=layer, at={"tolerated": 0.5}) or np.nan)
    assert value(findings, "sample_complexity", layer=1, at={"tolerated": 0.5}) <= 300
    assert value(findings, "surplus_bits", layer=1, at={"tolerated": 0.5}) < 300


def test_every_number_of_a_code_follows_from_its_bits(findings):
    for layer in range(3):
        bits, uniform = value(findings, "code_bits", layer=layer), 1200 * np.log2(3)
        assert value(findings, "bits_per_example", layer=layer) == pytest.approx(bits / 1200)
        assert value(findings, "compression", layer=layer) == pytest.approx(uniform / bits)
        orders = [value(findings, "code_bits", layer=layer, at={"order": order}) for order in (0, 1)]
        assert np.mean(orders) == pytest.approx(bits)
        assert orders[0] != orders[1]
        first = 60 * np.log2(3)
        mixed = first + (bits - first) * np.log(2)
        assert value(findings, "code_mixed_units", layer=layer) == pytest.approx(mixed)


def test_power_of_a_code_is_a_difference_to_the_shortest_one(findings):
    rows = {
        (one.metric, one.layer): one
        for one in findings.rows
        if one.metric in ("code_bits", "bits_per_example") and not one.at and one.draw is None
    }
    for layer in range(3):
        power = rows["bits_per_example", layer].detectable
        assert rows["code_bits", layer].detectable == pytest.approx(1200 * power)
        assert 0 < power < rows["bits_per_example", 0].value - rows["bits_per_example", 1].value
    # Layer 1 is the shortest: its difference to the next is that of the next to it.
    second = min((0, 2), key=lambda layer: rows["code_bits", layer].value)
    assert rows["code_bits", 1].detectable == rows["code_bits", second].detectable


def test_interval_is_around_the_value_and_compression_turns_it(findings):
    for one in findings.rows:
        if one.metric in ("code_bits", "compression", "bits_per_example") and not one.at:
            assert one.low < one.value < one.high
            assert (one.n, one.groups, one.split) == (1200, 240, "train")


@pytest.mark.parametrize("l2", [[1e-4, 1e-2, 1.0, 100.0], [1e-6]])
def test_random_labels_cost_the_uniform_code_only_if_the_probe_can_ignore_its_input(l2, tmp_path):
    sizes = {"train": 600, "dev": 200, "test": 50}
    states = make_states(sizes, dims=32, layers=1)
    labels = random_labels(sizes, shares=(1 / 3, 1 / 3, 1 / 3))
    subject = make_subject(tmp_path, states, labels, fit={**FIT, "l2": l2})
    bits = value(METHOD.apply(subject, SETTINGS), "code_bits", layer=0)
    uniform = 600 * np.log2(3)
    # Prefixes of 60 examples have 32 dims: a probe that may not ignore them is sure of what it has never seen.
    assert bits == pytest.approx(uniform, rel=0.03) if len(l2) > 1 else bits > 1.3 * uniform


def test_control_costs_more_than_its_task_and_has_its_draws(tmp_path):
    states = make_states()
    subject = make_subject(
        tmp_path, states, planted_labels(states), fit=FIT, task={"name": "label", "controls": ["permuted"], "draws": 2}
    )
    findings = METHOD.apply(subject, SETTINGS.model_copy(update={"orders": 1}))
    assert value(findings, "code_bits", layer=1, variant="permuted") > 3 * value(findings, "code_bits", layer=1)
    draws = [
        one.value
        for one in findings.rows
        if (one.metric, one.layer, one.variant) == ("code_bits", 1, "permuted") and one.draw is not None
    ]
    assert len(draws) == 2
    assert np.mean(draws) == pytest.approx(value(findings, "code_bits", layer=1, variant="permuted"))


def test_a_prefix_knows_no_label_behind_its_end(tmp_path):
    """Though the stack reads the states of all its prefixes together."""
    states = make_states(layers=2)
    labels = planted_labels(states)
    cache, portions = make_cache(tmp_path, states), Portions(np.random.default_rng(0).permutation(1200), ENDS)
    assert list_stages(portions) == [[0, 1]]
    assert list_stages(portions, is_shared=False) == [[0], [1]]
    changed = {split: part.copy() for split, part in labels.items()}
    changed["train"][portions.order[60:]] = (labels["train"][portions.order[60:]] + 1) % 3
    config = QUICK.model_copy(update={"gap": "none", "select": "log_likelihood"})
    one, other = (
        dict(fit_prefixes(cache, [make_task(part)], portions, config=config, seed=0)) for part in (labels, changed)
    )
    np.testing.assert_array_equal(one[0].parameters["weight_0"], other[0].parameters["weight_0"])
    assert not np.allclose(one[1].parameters["weight_0"], other[1].parameters["weight_0"], atol=0.01)
    every = np.arange(600)[:, None]
    for number in (0, 1):
        assert (one[number].predict(states["test"][1], every, 1) == labels["test"]).mean() > 0.7


def test_portions_are_whole_sentences_and_each_example_comes_once():
    sentences = np.repeat(np.arange(100), np.random.default_rng(0).integers(1, 9, 100))
    portions = cut_portions(sentences, SHARES, seed=3, order=1)
    assert sorted(portions.order.tolist()) == list(range(len(sentences)))
    parts = [set(sentences[portions.portion(number)]) for number in range(len(SHARES))]
    assert sum(map(len, parts)) == 100
    assert set().union(*parts) == set(range(100))
    for end, share in zip(portions.ends, SHARES, strict=True):
        assert share * len(sentences) <= end < share * len(sentences) + 8
    again = cut_portions(sentences, SHARES, seed=3, order=1)
    np.testing.assert_array_equal(again.order, portions.order)
    assert not np.array_equal(cut_portions(sentences, SHARES, seed=3, order=2).order, portions.order)


def test_small_portions_are_left_out_and_too_few_are_an_error():
    portions = Portions(np.arange(100), np.array([2, 5, 50, 100]))
    assert leave_out_small(portions, 5, "here").ends.tolist() == [5, 50, 100]
    with pytest.raises(ConfigError) as error:
        leave_out_small(replace(portions, ends=np.array([2, 5, 100])), 6, "method 'online'")
    assert str(error.value) == (
        "method 'online': at least two portions of 6 examples and more (one for each label) were expected, but train "
        "has 100 examples, and portions end after [2, 5, 100]. Give larger portions, or more text."
    )


def test_dev_is_sampled_by_whole_groups():
    rows = make_task(random_labels()).splits["dev"]
    rows = replace(rows, groups=np.arange(300) // 7)
    sample = sample_dev(rows, seed=0, limit=50)
    assert 50 <= len(sample) < 57
    assert set(np.bincount(rows.groups[sample])[np.unique(rows.groups[sample])]) <= {7, 6}
    assert len(sample_dev(rows, seed=0, limit=10_000)) == 300
