"""Scores of predictions against scikit-learn and known answers."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from probes.metric.interval import f1_counts
from probes.metric.score import accuracy, confusion, macro_f1, selectivity

# Labels that occur, labels that only occur or are only predicted, and a label that is in neither vector.
CASES = {
    "all labels": (range(5), range(5)),
    "one label never predicted": (range(5), range(4)),
    "one label only predicted": (range(4), range(5)),
    "one label in neither": ((0, 1, 3), (0, 1, 3)),
    "nothing right": ((0, 1), (2, 3)),
    "one class": ((2,), (2,)),
}


@pytest.fixture(params=CASES)
def answers(request):
    """Labels and predictions of 200 examples over five label names."""
    stream = np.random.default_rng(0)
    occurring, predicted = CASES[request.param]
    return stream.choice(list(occurring), 200), stream.choice(list(predicted), 200)


def count(labels, predicted, num_labels=5):
    groups = np.zeros(len(labels), dtype=np.int64)
    return f1_counts(labels, predicted, groups, num_labels=num_labels, num_groups=1)[..., 0]


def test_accuracy_equals_scikit_learn(answers):
    labels, predicted = answers
    assert accuracy(labels == predicted) == accuracy_score(labels, predicted)


def test_confusion_equals_scikit_learn(answers):
    labels, predicted = answers
    expected = confusion_matrix(labels, predicted, labels=range(5))
    assert np.array_equal(confusion(labels, predicted, 5), expected)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int64])
def test_confusion_counts_in_the_smallest_integer_types(kind):
    labels = np.arange(200, dtype=kind) % 120
    assert np.array_equal(confusion(labels, labels, 120), np.diag(np.bincount(labels)))


def test_macro_f1_equals_scikit_learn(answers):
    labels, predicted = answers
    expected = f1_score(labels, predicted, average="macro", zero_division=0)
    assert macro_f1(count(labels, predicted)) == pytest.approx(expected, abs=1e-12)


def test_macro_f1_does_not_depend_on_label_names_that_are_in_neither_vector(answers):
    labels, predicted = answers
    # Sums of five and of nine numbers round differently.
    assert macro_f1(count(labels, predicted)) == pytest.approx(
        macro_f1(count(labels, predicted, num_labels=9)), abs=1e-15
    )


def test_macro_f1_of_a_majority_answer_is_far_below_its_accuracy():
    labels = np.array([0] * 90 + [1] * 10)
    predicted = np.zeros(100, dtype=np.int64)
    assert accuracy(labels == predicted) == 0.9
    assert macro_f1(count(labels, predicted, num_labels=2)) == pytest.approx((2 * 90 / (2 * 90 + 10)) / 2)


@pytest.mark.parametrize("metric", [macro_f1, lambda counts: accuracy(counts[..., 0] > 0)])
def test_a_stack_of_curves_equals_one_curve_after_the_other(metric):
    counts = np.random.default_rng(1).integers(0, 9, size=(3, 2, 4, 3)).astype(float)
    together = metric(counts)
    assert np.array_equal(together, np.array([[metric(one) for one in row] for row in counts]))


def test_accuracy_without_examples_is_not_a_number():
    assert np.isnan(accuracy(np.zeros((3, 0), dtype=bool))).tolist() == [True, True, True]


def test_macro_f1_without_examples_is_zero():
    assert macro_f1(np.zeros((4, 3))) == 0


def test_selectivity_is_negative_where_the_control_is_better():
    assert selectivity(task_accuracy=0.25, control_accuracy=0.75) == -0.5


def test_macro_f1_of_unknown_counts_is_unknown():
    counts = np.array([[[1.0, 0.0, 0.0], [2.0, 1.0, 0.0]], [[np.nan] * 3, [1.0, 0.0, 0.0]]])
    found = macro_f1(counts)
    assert found[0] == pytest.approx((1 + 0.8) / 2)
    assert np.isnan(found[1])
