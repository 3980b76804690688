"""Scores along the layers and the expected layer, from given answers."""

import numpy as np
import pytest

from probes.method.cumulative import Scored
from probes.metric.interval import RESAMPLES
from probes.metric.relation import relation_counts, relation_f1
from probes.types import Rows, Task
from tests.reference.bootstrap import resample_rows, resample_statistic
from tests.reference.depth import resample_expected_layers, slow_expected_layer

NAMES = ("Cause(e1,e2)", "Cause(e2,e1)", "Other", "Part(e1,e2)")
SIZE, GROUPS = 240, 20


def make_scored(shares, *, names=NAMES, scorer=None, seed=0):
    """Answers [layer, example] that are right for about these shares of the examples."""
    stream = np.random.default_rng(seed)
    labels = stream.integers(0, len(names), SIZE)
    wrong = (labels + stream.integers(1, len(names), (len(shares), SIZE))) % len(names)
    predicted = np.where(stream.random((len(shares), SIZE)) < np.array(shares)[:, None], labels, wrong)
    rows = Rows(np.arange(SIZE)[:, None], labels, stream.integers(0, GROUPS, SIZE), np.full(SIZE, -1))
    task = Task("task", "word", names, {"train": rows, "test": rows}, scorer=scorer)
    return Scored(task, "test", predicted, 5)


def slow_resamples(scored):
    rows = scored.rows
    return resample_rows(rows.groups, num_groups=GROUPS, num_resamples=RESAMPLES, seed=5)


def test_an_expected_layer_and_its_interval_are_those_of_a_slow_loop():
    scored = make_scored((0.4, 0.5, 0.5, 0.8))
    right = (scored.predicted == scored.rows.labels).astype(float)
    slow = resample_expected_layers(right, slow_resamples(scored))
    found, why = scored.curves[0].expected
    assert why == ""
    assert found.value == pytest.approx(slow_expected_layer(right.mean(axis=1)))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=1e-9)


def test_gains_are_paired_differences_of_the_same_resample():
    scored = make_scored((0.4, 0.6, 0.7))
    right = (scored.predicted == scored.rows.labels).astype(float)
    gains = [one for one in scored.depth_rows() if one.metric == "accuracy_gain"]
    for layer, one in enumerate(gains, start=1):
        difference = right[layer] - right[layer - 1]
        slow = resample_statistic(slow_resamples(scored), lambda rows, values=difference: values[rows].mean())
        assert one.value == pytest.approx(difference.mean())
        assert (one.low, one.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=1e-9)


def test_relations_are_scored_officially_in_every_resample():
    scored = make_scored((0.4, 0.8), scorer="relation_f1")
    curve = {one.metric: one for one in scored.curves}["relation_f1"]
    rows = scored.rows

    def score(layer, chosen):
        parts = (rows.labels[chosen], scored.predicted[layer][chosen], np.zeros(len(chosen), dtype=int))
        return float(relation_f1(relation_counts(*parts, NAMES, 1).sum(axis=-1)))

    for layer in range(2):
        assert curve.values[layer] == pytest.approx(score(layer, np.arange(SIZE)))
        slow = resample_statistic(slow_resamples(scored), lambda chosen, layer=layer: score(layer, chosen))
        np.testing.assert_allclose(curve.resampled[layer], slow, atol=1e-9)


def test_a_total_gain_that_may_be_zero_leaves_the_expected_layer_undefined():
    scored = make_scored((0.6, 0.7, 0.62))
    found, why = scored.curves[0].expected
    assert np.isnan([found.value, found.low, found.high]).all()
    assert why.startswith("undefined: the total gain is 0.0") or why.startswith("undefined: the total gain is -0.0")
    (one,) = [one for one in scored.depth_rows() if one.metric == "expected_layer"]
    assert one.value is None
    assert scored.notes()["test_accuracy_expected_layer"] == why


def test_a_loss_beyond_doubt_leaves_it_undefined_too():
    found, why = make_scored((0.9, 0.5, 0.4)).curves[0].expected
    assert np.isnan(found.value)
    assert why.startswith("undefined: the total gain is -0.")


def test_an_expected_layer_outside_the_layers_is_reported():
    scored = make_scored((0.3, 0.9, 0.7))
    found, why = scored.curves[0].expected
    assert 0 < found.value < 1
    assert why == "outside the layers: some lose what others gain"
    assert scored.notes() == {"test_accuracy_layers_that_lose": 1, "test_accuracy_expected_layer": why}


def test_one_group_gives_values_without_intervals():
    scored = make_scored((0.4, 0.8))
    rows = Rows(scored.rows.index, scored.rows.labels, np.zeros(SIZE, dtype=int), scored.rows.words)
    one = Scored(Task("task", "word", NAMES, {"train": rows, "test": rows}), "test", scored.predicted, 5)
    (expected,) = [found for found in one.depth_rows() if found.metric == "expected_layer"]
    assert (expected.value, expected.low, expected.groups) == (1.0, None, 1)


def test_floors_are_of_no_layer():
    rows = make_scored((0.5,)).rows
    labels = (rows.groups % 4).astype(int)
    told = Rows(rows.index, labels, rows.groups, rows.groups, surface={"distance": rows.groups // 2})
    scored = Scored(Task("t", "word", NAMES, {"train": told, "test": told}), "test", labels[None], 0)
    floors = {one.variant: one for one in scored.floor_rows()}
    assert set(floors) == {"majority", "word_majority", "distance"}
    assert {one.layer for one in floors.values()} == {None}
    assert floors["word_majority"].value == 1
    assert floors["majority"].value == np.bincount(labels).max() / SIZE
    assert floors["majority"].value < floors["distance"].value < 1
