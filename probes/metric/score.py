"""What a set of predictions is worth: accuracy, macro-F1, confusion, selectivity."""

import numpy as np
from jaxtyping import Bool, Float, Int


def accuracy(correct: Bool[np.ndarray, "*curve example"]) -> Float[np.ndarray, "*curve"]:
    """Share of examples that are right, in 0..1; NaN without examples.

    >>> float(accuracy(np.array([True, True, False, True])))
    0.75
    """
    if correct.shape[-1] == 0:
        return np.full(correct.shape[:-1], np.nan)
    return np.asarray(correct.mean(axis=-1, dtype=np.float64))


def confusion(
    labels: Int[np.ndarray, " example"], predicted: Int[np.ndarray, " example"], num_labels: int
) -> Int[np.ndarray, "label predicted"]:
    """How often each label (row) was predicted as each label (column).

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), num_labels=2).tolist()
    [[1, 1], [0, 1]]
    """
    pairs = labels.astype(np.int64) * num_labels + predicted
    return np.bincount(pairs, minlength=num_labels**2).reshape(num_labels, num_labels)


def macro_f1(counts: Float[np.ndarray, "*curve label 3"]) -> Float[np.ndarray, "*curve"]:
    """Unweighted mean of the F1 of all labels that occur or are predicted.

    `counts[..., label, :]` are true positives, false positives and false negatives; a label with none of
    the three is left out, as it is by scikit-learn when it is in neither vector. NaN where a count is NaN.
    """
    true_positives, errors = counts[..., 0], counts[..., 1] + counts[..., 2]
    denominators = 2 * true_positives + errors
    occurs = denominators > 0
    f1 = 2 * true_positives / np.where(occurs, denominators, 1)
    means = np.where(occurs, f1, 0).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)
    return np.asarray(np.where(np.isnan(denominators).any(axis=-1), np.nan, means))


def selectivity(task_accuracy: float, control_accuracy: float) -> float:
    """Accuracy on a task beyond what the probe can memorise (Hewitt and Liang 2019).

    Both are fractions of the same test words; a negative value means it memorises better than it reads.

    >>> round(selectivity(task_accuracy=0.97, control_accuracy=0.71), 2)
    0.26
    """
    return task_accuracy - control_accuracy
