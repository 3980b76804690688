"""The Pareto front and its hypervolume."""

import numpy as np
import pytest

from probes.metric.pareto import hypervolume, pareto_front


def slow_front(complexity: np.ndarray, accuracy: np.ndarray) -> list[bool]:
    """Every point against every other one, as the definition has it."""

    def dominates(one: int, other: int) -> bool:
        is_no_worse = complexity[one] <= complexity[other] and accuracy[one] >= accuracy[other]
        return is_no_worse and (complexity[one] < complexity[other] or accuracy[one] > accuracy[other])

    every = range(len(complexity))
    return [not any(dominates(other, one) for other in every) for one in every]


@pytest.mark.parametrize("seed", range(20))
def test_front_equals_its_definition(seed: int) -> None:
    stream = np.random.default_rng(seed)
    # Few different numbers, so that many are equal.
    complexity, accuracy = stream.integers(0, 6, size=(2, 15)).astype(float)
    assert pareto_front(complexity, accuracy).tolist() == slow_front(complexity, accuracy)


def test_order_of_the_points_changes_nothing() -> None:
    stream = np.random.default_rng(0)
    complexity, accuracy = stream.random((2, 30))
    order = stream.permutation(30)
    front = pareto_front(complexity, accuracy)
    np.testing.assert_array_equal(pareto_front(complexity[order], accuracy[order]), front[order])


def test_equal_points_all_stay() -> None:
    assert pareto_front(np.array([1.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.5])).tolist() == [True, True, False]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_undefined_points_are_on_no_front_and_hide_nobody(bad: float) -> None:
    complexity = np.array([bad, 1.0, 2.0, 0.5])
    accuracy = np.array([1.0, 0.5, 0.7, np.nan])
    assert pareto_front(complexity, accuracy).tolist() == [False, True, True, False]
    assert pareto_front(np.array([]), np.array([])).tolist() == []


def test_hypervolume_by_hand() -> None:
    # From .2 to .5 accuracy .6, from .5 to 1 accuracy .9, each above .1.
    area = hypervolume(np.array([0.5, 0.2]), np.array([0.9, 0.6]), worst_complexity=1.0, worst_accuracy=0.1)
    assert float(area) == pytest.approx(0.3 * 0.5 + 0.5 * 0.8)


def test_dominated_points_and_points_beyond_the_worst_add_nothing() -> None:
    front = {"complexity": np.array([0.2, 0.5]), "accuracy": np.array([0.6, 0.9])}
    more = {
        "complexity": np.array([0.2, 0.5, 0.7, 2.0, 0.1]),
        "accuracy": np.array([0.6, 0.9, 0.8, 1.0, 0.05]),
    }
    worst = {"worst_complexity": 1.0, "worst_accuracy": 0.1}
    assert float(hypervolume(**more, **worst)) == pytest.approx(float(hypervolume(**front, **worst)))


def test_hypervolume_equals_a_sum_over_a_fine_grid() -> None:
    stream = np.random.default_rng(1)
    complexity, accuracy = stream.random((2, 12))
    grid = (np.arange(100_000) + 0.5) / 100_000 * 0.8
    best = [max([0.0, *accuracy[complexity <= cost].tolist()]) for cost in grid[::100]]
    expected = np.maximum(np.asarray(best) - 0.3, 0).mean() * 0.8
    area = hypervolume(complexity, accuracy, worst_complexity=0.8, worst_accuracy=0.3)
    assert float(area) == pytest.approx(expected, abs=2e-3)


def test_hypervolume_of_resamples_is_that_of_each() -> None:
    stream = np.random.default_rng(2)
    complexity, accuracy = stream.random(5), stream.random((4, 5))
    worst = {"worst_complexity": 1.0, "worst_accuracy": 0.2}
    each = [float(hypervolume(complexity, one, **worst)) for one in accuracy]
    np.testing.assert_allclose(hypervolume(complexity, accuracy, **worst), each, rtol=1e-12)
