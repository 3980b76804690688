"""The method on labels that were planted: what is erased falls to the floor, what is elsewhere stays."""

from dataclasses import replace

import numpy as np
import pytest

from probes.config import MethodConfig, Run, parse
from probes.errors import ConfigError, TaskError
from probes.method import Subject, check_method
from probes.method.erasure import METHOD, ErasureSettings
from probes.types import Corpus, Sentence
from tests.toy import make_cache

SIZES = {"train": 900, "dev": 200, "test": 400}
FIT = {"l2": [1e-3], "epochs": 2, "min_steps": 50, "step_size": 0.05, "precision": "float32", "gap": "none"}
OTHERS = ("attribute.shade", "attribute.copy")


def make_material() -> tuple[dict[str, np.ndarray], Corpus]:
    """Label and shade are planted in directions of their own at layer 1, at no other layer; copy repeats the label.

    Layer emb is noise, layer 2 is constant, as [CLS] is at emb.
    """
    states, splits = {}, {}
    for number, (split, size) in enumerate(SIZES.items()):
        stream = np.random.default_rng(number)
        label, shade = stream.choice(3, size=size, p=[0.5, 0.3, 0.2]), (stream.random(size) < 0.4).astype(int)
        noise = stream.normal(size=(2, size, 24))
        noise[1, :, :2] += np.array([[4, 0], [0, 4], [-3, -3]])[label]
        noise[1, :, 3] += 5 * shade
        noise[1] = noise[1] @ (np.eye(24) + np.tri(24) / 12) + 2
        states[split] = np.concatenate([noise, np.full((1, size, 24), 0.3)]).astype(np.float16)
        splits[split] = tuple(
            Sentence(
                f"{split}-{row}",
                ("x",),
                group=f"{split}-{row // 5}",
                attributes={"label": "abc"[label[row]], "copy": "xyz"[label[row]], "shade": "uv"[shade[row]]},
            )
            for row in range(size)
        )
    return states, Corpus("toy", splits)


def make_run() -> Run:
    settings = {"corpus": {"reader": "conllu", "path": "x"}, "task": {"name": "label"}, "fit": FIT}
    return parse(Run, settings, where="test")


@pytest.fixture(scope="module")
def subject(tmp_path_factory) -> Subject:
    states, corpus = make_material()
    return Subject(run=make_run(), corpus=corpus, given=make_cache(tmp_path_factory.mktemp("erasure"), states))


@pytest.fixture(scope="module")
def findings(subject):
    return METHOD.apply(subject, ErasureSettings(others=OTHERS, draws=2))


def rows(findings, metric: str, variant: str, *, layer: int | None = 1, probed: str | None = None, draw=None):
    return [
        one
        for one in findings.rows
        if (one.metric, one.variant, one.layer, one.draw) == (metric, variant, layer, draw)
        and one.at.get("probed") == probed
    ]


def value(findings, metric: str, variant: str, **where) -> float:
    (found,) = rows(findings, metric, variant, **where)
    return found.value


@pytest.mark.parametrize("probed", ["label", "attribute.copy"])
def test_what_was_erased_falls_to_the_majority(findings, probed):
    floor = value(findings, "accuracy", "majority", layer=None, probed=probed)
    assert value(findings, "accuracy", "before", probed=probed) > 0.9
    assert value(findings, "accuracy", "leace", probed=probed) < floor + 0.05
    assert value(findings, "accuracy", "random", probed=probed) > 0.75
    drop = rows(findings, "accuracy_drop", "leace", probed=probed)[0]
    assert drop.low > 0.3
    assert drop.detectable < drop.value
    assert findings.notes["leace_is_random_p"][probed][1] < 0.001


def test_what_lies_in_another_direction_stays(findings):
    before, after = (value(findings, "accuracy", name, probed="attribute.shade") for name in ("before", "leace"))
    assert before > 0.95
    assert after > before - 0.03
    assert value(findings, "accuracy_drop", "leace", probed="attribute.shade") == pytest.approx(before - after)
    assert findings.notes["leace_is_random_p"]["attribute.shade"][0] > 0.05


def test_no_probe_learns_where_nothing_is(findings):
    for probed in ("label", *OTHERS):
        floor = value(findings, "accuracy", "majority", layer=None, probed=probed)
        for variant in ("before", "leace", "random"):
            assert value(findings, "accuracy", variant, layer=0, probed=probed) < floor + 0.06
            # Nothing to erase, nothing to read: the majority, and no error.
            assert value(findings, "accuracy", variant, layer=2, probed=probed) == floor


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_on_the_erased_rows_nothing_beats_a_constant(findings, layer):
    entropy = value(findings, "train_loss_nats", "entropy", layer=None)
    majority = value(findings, "train_accuracy", "majority", layer=None)
    assert value(findings, "train_loss_nats", "leace", layer=layer) == pytest.approx(entropy, abs=1e-6)
    assert value(findings, "train_accuracy", "leace", layer=layer) == majority
    if layer == 1:
        assert value(findings, "train_loss_nats", "before", layer=layer) < entropy / 2
        assert value(findings, "train_accuracy", "before", layer=layer) > majority + 0.3


def test_floors_of_train_are_those_of_its_labels(findings, subject):
    shares = np.bincount(subject.task.splits["train"].labels) / SIZES["train"]
    assert value(findings, "train_accuracy", "majority", layer=None) == shares.max()
    assert value(findings, "train_loss_nats", "entropy", layer=None) == pytest.approx(-(shares * np.log(shares)).sum())


def test_rank_and_share_of_the_variance_are_told(findings):
    assert [value(findings, "rank", "leace", layer=layer) for layer in range(3)] == [2, 2, 0]
    assert 0.2 < value(findings, "removed_share", "leace") < 0.9
    # Two of 24 white directions at random, and LEACE where labels move the states most.
    assert 0.01 < value(findings, "removed_share", "random", layer=0) < 0.25
    assert value(findings, "removed_share", "random") < value(findings, "removed_share", "leace")


def test_every_row_has_its_examples_groups_and_interval(findings):
    for one in findings.rows:
        assert (one.n, one.groups) == {"test": (400, 80), "train": (900, 180)}[one.split]
        if one.split == "test":
            assert one.low <= one.value <= one.high
            assert (one.detectable is None) == (one.variant == "majority")
    draws = [value(findings, "accuracy", "random", draw=draw, probed="label") for draw in (0, 1)]
    assert np.mean(draws) == pytest.approx(value(findings, "accuracy", "random", probed="label"))
    for panel in findings.panels:
        assert any(one.metric == panel.metric for one in findings.rows)


def test_more_draws_and_fewer_tasks_change_no_other_number(subject, findings):
    again = METHOD.apply(subject, ErasureSettings(others=("attribute.shade", "label"), draws=1))
    for variant, draw in (("before", None), ("leace", None), ("random", 0)):
        for probed in ("label", "attribute.shade"):
            where = {"probed": probed, "draw": draw}
            assert value(again, "accuracy", variant, **where) == value(findings, "accuracy", variant, **where)
    assert again.notes["probed"] == ["label", "attribute.shade"]


def test_the_interval_of_a_difference_is_paired(subject, findings):
    """Where two variants are right on the same examples there is no difference to be uncertain of."""
    drop = rows(findings, "accuracy_drop", "leace", layer=2, probed="label")[0]
    assert (drop.value, drop.low, drop.high, drop.detectable) == (0, 0, 0, 0)
    accuracy = rows(findings, "accuracy", "leace", layer=2, probed="label")[0]
    assert accuracy.high - accuracy.low > 0.05


def test_tasks_without_a_class_for_each_row_are_refused(subject, monkeypatch):
    arcs = replace(subject.task, name="arcs", answer="labels")
    monkeypatch.setattr(Subject, "task_named", lambda self, name: arcs)
    with pytest.raises(TaskError) as caught:
        METHOD.apply(replace(subject), ErasureSettings(others=("arcs",)))
    assert str(caught.value) == (
        "Method 'erasure' needs one class for each sentence, but task 'arcs' has 1 rows an example and answer "
        "'labels'. Choose a task such as 'pos'."
    )


def test_pairs_are_refused(subject, monkeypatch):
    train = replace(subject.task.splits["train"], partner=np.arange(900)[::-1])
    pairs = replace(subject.task, name="pairs", splits={**subject.task.splits, "train": train})
    monkeypatch.setattr(Subject, "task_named", lambda self, name: pairs)
    with pytest.raises(TaskError) as caught:
        METHOD.apply(replace(subject), ErasureSettings(others=("pairs",)))
    assert str(caught.value) == (
        "Method 'erasure' needs one class for each sentence, but task 'pairs' has pairs. Choose a task such as 'pos'."
    )


def test_another_task_has_to_be_named():
    with pytest.raises(ConfigError) as caught:
        check_method(parse(MethodConfig, {"name": "erasure"}, where="test"))
    assert str(caught.value) == "method 'erasure': Key 'others' is needed and is not there. Add it."
