"""Mixes of layers: a label that one layer holds is found there, and one that none holds is nowhere."""

from dataclasses import replace

import numpy as np
import pytest

from probes.errors import ConfigError, TaskError
from probes.fit.mixed import SPLITS
from probes.method.mix import METHOD, MixSettings
from tests.fit.conftest import make_states, planted_labels, random_labels
from tests.method.subjects import make_subject

SIZES = {"train": 800, "dev": 240, "test": 400}
LAYERS, PLANTED = 6, 3
FIT = {"l2": 1e-3, "precision": "float32", "step_size": 0.03, "epochs": 4, "min_steps": 150}


def independent_states():
    """Six layers that know nothing of each other."""
    states = make_states(SIZES, dims=8, layers=LAYERS)
    for part in states.values():
        for layer in range(LAYERS):
            part[layer] = np.random.default_rng([layer, len(part[0])]).permutation(part[layer])
    return states


def find(folder, labels, states=None, settings=None, **fit):
    subject = make_subject(folder, states or independent_states(), labels, fit={**FIT, **fit})
    return METHOD.apply(subject, settings or MixSettings(refits=4))


def rows(findings, metric, *, split="test", variant="task"):
    return [one for one in findings.rows if (one.metric, one.split, one.variant) == (metric, split, variant)]


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The label is a function of layer 3 alone."""
    return find(tmp_path_factory.mktemp("planted"), planted_labels(independent_states(), layer=PLANTED))


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory):
    return find(tmp_path_factory.mktemp("nowhere"), random_labels(SIZES, shares=(0.4, 0.3, 0.3)))


@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_planted_layer_raises_the_cumulative_score_where_it_enters(planted, split):
    scores = [one.value for one in rows(planted, "accuracy", split=split)]
    assert len(scores) == LAYERS
    assert max(scores[:PLANTED]) < 0.45
    assert min(scores[PLANTED:]) > 0.9
    gains = rows(planted, "accuracy_gain", split=split)
    assert [one.layer for one in gains] == [1, 2, 3, 4, 5]
    assert max(gains, key=lambda one: one.value).layer == PLANTED
    np.testing.assert_allclose([one.value for one in gains], np.diff(scores), atol=1e-12)


def test_the_expected_layer_is_the_planted_one_with_its_interval(planted):
    (one,) = rows(planted, "expected_layer")
    assert one.at == {"score": "accuracy"}
    assert one.layer is None
    assert one.value == pytest.approx(PLANTED, abs=0.2)
    assert one.low <= one.value <= one.high
    assert one.high - one.low < 0.6
    (relative,) = rows(planted, "expected_layer_relative")
    assert relative.value == pytest.approx(one.value / 5)


def test_the_weights_of_the_whole_mix_are_on_the_planted_layer(planted):
    weights = rows(planted, "mix_weight", split="train")
    assert [one.layer for one in weights] == list(range(LAYERS))
    assert sum(one.value for one in weights) == pytest.approx(1)
    assert weights[PLANTED].value > 0.7
    assert all(one.low < one.value < one.high for one in weights)
    assert len({round(one.high - one.low, 9) for one in weights}) == LAYERS
    (centre,) = rows(planted, "centre_of_gravity", split="train")
    assert centre.value == pytest.approx(sum(layer * one.value for layer, one in enumerate(weights)))
    assert centre.value == pytest.approx(PLANTED, abs=0.3)
    assert centre.low < centre.value < centre.high
    assert (centre.n, centre.groups) == (800, 160)


def test_where_no_layer_tells_the_expected_layer_is_undefined_and_the_notes_say_so(nowhere):
    (one,) = rows(nowhere, "expected_layer")
    assert (one.value, one.low, one.high) == (None, None, None)
    why = nowhere.notes["test_accuracy_expected_layer"]
    assert why.startswith("undefined: the total gain is ")
    assert max(one.value for one in rows(nowhere, "accuracy")) < 0.48


def test_where_it_is_defined_the_notes_count_the_layers_that_lose(planted):
    losses = sum(one.value < 0 for one in rows(planted, "accuracy_gain"))
    assert planted.notes["test_accuracy_layers_that_lose"] == losses
    assert "test_accuracy_expected_layer" not in planted.notes
    assert planted.notes["layers_are"] == "standardised on train"
    assert planted.notes["refits"] == 4


def test_every_score_has_its_examples_groups_and_floor(planted):
    for split, size in (("dev", 240), ("test", 400)):
        scores = rows(planted, "accuracy", split=split)
        assert {(one.n, one.groups) for one in scores} == {(size, size // 5)}
        assert all(one.low <= one.value <= one.high for one in scores)
        assert [one.detectable is None for one in scores] == [True] + [False] * 5
        (floor,) = rows(planted, "accuracy", split=split, variant="majority")
        assert floor.layer is None
        assert floor.value < 0.5


def test_panels_show_what_was_found(planted):
    for panel in planted.panels:
        shown = [
            one
            for one in planted.rows
            if one.metric == panel.metric and all(getattr(one, key) == value for key, value in panel.where.items())
        ]
        assert {one.layer for one in shown} - {None} >= {1, 2, 3, 4, 5}


def test_the_order_of_test_changes_no_score(tmp_path, planted):
    states, order = independent_states(), np.random.default_rng(0).permutation(400 // 5)
    labels = planted_labels(states, layer=PLANTED)
    rows_of = (order[:, None] * 5 + np.arange(5)).reshape(-1)  # documents stay together
    states["test"], labels["test"] = states["test"][:, rows_of], labels["test"][rows_of]
    turned = find(tmp_path, labels, states)
    for metric in ("accuracy", "expected_layer", "mix_weight"):
        split = "train" if metric == "mix_weight" else "test"
        values = [[one.value for one in rows(found, metric, split=split)] for found in (planted, turned)]
        np.testing.assert_allclose(values[0], values[1], atol=1e-6)


def test_the_scale_of_a_layer_changes_nothing_unless_layers_are_mixed_raw(tmp_path, planted):
    states = independent_states()
    labels = planted_labels(states, layer=PLANTED)
    scaled = {split: part.copy() for split, part in states.items()}
    for part in scaled.values():
        part[PLANTED] *= 0.125
    weights = [one.value for one in rows(find(tmp_path / "a", labels, scaled), "mix_weight", split="train")]
    assert weights == pytest.approx([one.value for one in rows(planted, "mix_weight", split="train")], abs=1e-4)
    raw = [
        find(tmp_path / name, labels, part, MixSettings(refits=0, legacy="tenney2019"), min_steps=60)
        for name, part in (("b", states), ("c", scaled))
    ]
    assert [one.notes["layers_are"] for one in raw] == ["raw", "raw"]
    found = [rows(one, "mix_weight", split="train")[PLANTED] for one in raw]
    assert abs(found[0].value - found[1].value) > 0.02
    assert [one.low for one in found] == [None, None]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            {"task": {"name": "label", "controls": ["permuted"]}},
            ConfigError,
            "Method 'mix' expects a task without controls, but came permuted. Remove task.controls; an untrained twin "
            "on the grid of encoder.twin is what its numbers are held against.",
        ),
        (
            {"fit": {"solver": "exact"}},
            ConfigError,
            "Method 'mix' expects solver 'stack', but came 'exact': a mix of layers has no convex problem. "
            "Set fit.solver to stack.",
        ),
    ],
)
def test_what_it_cannot_be_asked_is_said(tmp_path, given, error, message):
    subject = make_subject(tmp_path, independent_states(), random_labels(SIZES), **given)
    with pytest.raises(error) as caught:
        METHOD.apply(subject, MixSettings())
    assert str(caught.value) == message


def test_minimal_pairs_and_several_labels_are_refused(tmp_path):
    subject = make_subject(tmp_path, independent_states(), random_labels(SIZES))
    task = subject.task
    pairs = {split: replace(task.splits[split], partner=np.arange(len(task.splits[split])) ^ 1) for split in SPLITS}
    for changed, came in (
        (replace(task, answer="labels"), "answers of kind 'labels'"),
        (replace(task, splits=pairs), "minimal pairs"),
    ):
        subject.__dict__["task"] = changed
        with pytest.raises(TaskError) as caught:
            METHOD.apply(subject, MixSettings())
        assert str(caught.value) == (
            f"Method 'mix' expects examples with one label each, but task 'label' has {came}. Choose another task."
        )


def test_a_single_layer_and_a_single_document_have_scores_and_no_depth_or_interval(tmp_path):
    states = {split: part[PLANTED : PLANTED + 1] for split, part in independent_states().items()}
    labels = planted_labels(states, layer=0)
    subject = make_subject(tmp_path, states, labels, fit={**FIT, "epochs": 1, "min_steps": 20})
    task = subject.task
    one = replace(task.splits["train"], groups=np.zeros(len(labels["train"]), dtype=int))
    subject.__dict__["task"] = replace(task, splits={**task.splits, "train": one})
    found = METHOD.apply(subject, MixSettings(refits=3))
    (score,), (weight,) = rows(found, "accuracy"), rows(found, "mix_weight", split="train")
    assert score.value > 0.5
    assert (weight.value, weight.low, weight.groups) == (1, None, 1)
    assert rows(found, "expected_layer")[0].value is None
    assert rows(found, "centre_of_gravity_relative", split="train")[0].value is None
