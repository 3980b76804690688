"""The official score of relations: direction counts, `Other` does not."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from probes.metric.relation import relation_counts, relation_f1

NAMES = ("Cause(e1,e2)", "Cause(e2,e1)", "Other", "Part(e1,e2)", "Part(e2,e1)")
GROUPS = np.zeros(6, dtype=int)


def score(labels, predicted, names=NAMES):
    groups = np.zeros(len(labels), dtype=int)
    counts = relation_counts(np.array(labels), np.array(predicted), groups, names, 1)
    return float(relation_f1(counts[..., 0]))


def test_all_right_is_one_and_other_changes_nothing():
    assert score([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]) == 1.0
    assert score([0, 1, 3, 4], [0, 1, 3, 4]) == 1.0


def test_a_wrong_direction_is_wrong_and_missed():
    # Cause: one right, one turned; Part: right.
    assert score([0, 1, 3], [0, 0, 3]) == pytest.approx((2 / (2 + 1 + 1) + 1) / 2)


def test_other_for_a_relation_is_missed_only_and_the_reverse_is_wrong_only():
    assert score([0, 0, 3], [0, 2, 3]) == pytest.approx((2 / 3 + 1) / 2)
    assert score([0, 2, 3], [0, 0, 3]) == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize("seed", range(5))
def test_without_directions_it_is_the_macro_f1_of_scikit_learn(seed):
    stream = np.random.default_rng(seed)
    names = ("A", "B", "C", "Other")
    labels, predicted = stream.integers(0, 4, 200), stream.integers(0, 4, 200)
    expected = f1_score(labels, predicted, labels=[0, 1, 2], average="macro")
    assert score(labels, predicted, names) == pytest.approx(expected)


def test_counts_of_groups_add_up():
    stream = np.random.default_rng(0)
    labels, predicted, groups = (stream.integers(0, high, 100) for high in (5, 5, 7))
    whole = relation_counts(labels, predicted, np.zeros(100, dtype=int), NAMES, 1)
    parts = relation_counts(labels, predicted, groups, NAMES, 7)
    assert np.array_equal(parts.sum(axis=2), whole[..., 0])
    assert parts.shape == (2, 3, 7)
