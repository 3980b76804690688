"""What is gained for what is paid: the Pareto front of accuracy and complexity, and the area below it."""

import numpy as np
from jaxtyping import Bool, Float


def pareto_front(
    complexity: Float[np.ndarray, " point"], accuracy: Float[np.ndarray, " point"]
) -> Bool[np.ndarray, " point"]:
    """The points that no other one dominates (Pimentel et al. 2020, section 3).

    A point dominates another if it is at most as complex and at least as accurate, and better in one of the two. Of
    equal points all stay. A point with an undefined number (NaN) is never on the front.

    >>> pareto_front(np.array([1.0, 2.0, 3.0]), np.array([0.7, 0.6, 0.9])).tolist()
    [True, False, True]
    """
    is_on = np.zeros(len(complexity), dtype=bool)
    best = -np.inf
    known = np.flatnonzero(np.isfinite(complexity) & np.isfinite(accuracy))
    for cost in np.unique(complexity[known]):
        level = known[complexity[known] == cost]
        highest = accuracy[level].max()
        if highest > best:
            is_on[level[accuracy[level] == highest]] = True
            best = highest
    return is_on


def hypervolume(
    complexity: Float[np.ndarray, " point"],
    accuracy: Float[np.ndarray, "*resample point"],
    *,
    worst_complexity: float,
    worst_accuracy: float,
) -> Float[np.ndarray, "*resample"]:
    """Area between a front and its worst point: the integral over complexity of the best accuracy that it buys.

    = integral of max(0, best(c) - worst_accuracy) up to worst_complexity, where best(c) is the highest accuracy of
    the points with a complexity of at most c. Points beyond the worst point add nothing.

    >>> points = {"complexity": np.array([0.25, 0.5]), "accuracy": np.array([0.5, 1.0])}
    >>> float(hypervolume(**points, worst_complexity=1.0, worst_accuracy=0.0))
    0.625
    """
    order = np.argsort(complexity, kind="stable")
    borders = np.minimum(np.append(complexity[order], worst_complexity), worst_complexity)
    gains = np.maximum.accumulate(np.maximum(accuracy[..., order] - worst_accuracy, 0.0), axis=-1)
    return np.asarray((gains * np.diff(borders)).sum(axis=-1))
