"""Geometry of known clouds, and the same numbers the long way: kernels of all rows, cosines of all pairs."""

import numpy as np
import pytest

from probes.metric.geometry import effective_rank, linear_cka, mean_cosine, participation_ratio
from probes.metric.interval import sum_by_group
from tests.reference.bootstrap import resample_rows
from tests.reference.geometry import all_cosines, kernel_cka

NOTHING = np.zeros((3, 3))


def cka(first: np.ndarray, second: np.ndarray) -> float:
    first, second = (states - states.mean(axis=0) for states in (first, second))
    return linear_cka(first.T @ second, first.T @ first, second.T @ second)


@pytest.fixture
def states() -> np.ndarray:
    stream = np.random.default_rng(0)
    return stream.normal(size=(60, 5)) @ stream.normal(size=(5, 5)) + 3


@pytest.fixture
def units(states) -> np.ndarray:
    return states / np.linalg.norm(states, axis=1, keepdims=True)


@pytest.fixture
def groups() -> np.ndarray:
    return np.sort(np.random.default_rng(1).integers(0, 7, size=60))


def in_groups(units: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    number = int(groups.max()) + 1
    return sum_by_group(units.T, groups, number), np.bincount(groups, minlength=number).astype(float)


def test_cka_is_that_of_kernels_of_all_rows(states):
    other = np.random.default_rng(1).normal(size=(60, 4)) + states[:, :4] ** 2
    assert cka(states, other) == pytest.approx(kernel_cka(states, other), rel=1e-12)
    assert 0.05 < cka(states, other) < 0.95
    assert cka(states, other) == pytest.approx(cka(other, states))


def test_a_rotated_scaled_and_shifted_layer_is_the_same(states):
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(5, 5))).Q
    assert cka(states, states) == pytest.approx(1)
    assert cka(states, states @ turn * -0.3 + 8) == pytest.approx(1)


def test_stretching_one_direction_is_another_layer(states):
    assert cka(states, states * [10, 1, 1, 1, 1]) < 0.99


def test_layers_without_a_common_direction_of_rows_have_nothing_in_common():
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(40, 6)) - 0).Q
    basis = np.linalg.qr(basis - basis.mean(axis=0)).Q
    assert cka(basis[:, :3], basis[:, 3:]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("measure", [effective_rank, participation_ratio])
def test_rank_of_known_clouds(measure):
    assert measure(np.eye(7) * 0.2) == pytest.approx(7)
    assert measure(np.outer([3.0, 4.0], [3.0, 4.0])) == pytest.approx(1)
    assert measure(np.diag([5.0, 5.0, 5.0, 0.0])) == pytest.approx(3)
    assert np.isnan(measure(NOTHING))


def test_ranks_of_unequal_directions_are_the_formulas(states):
    shares = np.array([0.5, 0.3, 0.2])
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3))).Q
    covariance = turn @ np.diag(4 * shares) @ turn.T
    assert effective_rank(covariance) == pytest.approx(np.prod(shares**-shares))
    assert participation_ratio(covariance) == pytest.approx(1 / (shares**2).sum())
    assert participation_ratio(covariance) < effective_rank(covariance)


def test_cka_with_a_layer_that_does_not_vary_is_unknown():
    assert np.isnan(linear_cka(NOTHING, NOTHING, np.eye(3)))


def test_mean_cosine_is_that_of_all_pairs(units, groups):
    value, resampled = mean_cosine(*in_groups(units, groups), seed=0)
    pairs = all_cosines(units)
    assert value == pytest.approx(pairs[~np.eye(60, dtype=bool)].mean(), rel=1e-12)
    assert np.quantile(resampled, 0.025) < value < np.quantile(resampled, 0.975)


def test_resamples_pair_no_group_with_its_own_copy(units, groups):
    totals, sizes = in_groups(units, groups)
    _, resampled = mean_cosine(totals, sizes, seed=4)
    cosines = all_cosines(units)
    for number, rows in enumerate(resample_rows(groups, num_groups=7, num_resamples=20, seed=4)):
        copy = np.concatenate([[seen] for seen in _count_copies(rows, groups)])
        is_same = groups[rows][:, None] == groups[rows]
        counts = np.where(is_same, (copy[:, None] == copy) & (rows[:, None] != rows), True)
        assert resampled[number] == pytest.approx(cosines[rows][:, rows][counts].mean(), rel=1e-9)


def _count_copies(rows: np.ndarray, groups: np.ndarray) -> list[int]:
    """For each drawn row how often it was drawn before: rows of one copy of a group have the same number."""
    seen: dict[int, int] = {}
    return [seen.update({row: seen.get(row, -1) + 1}) or seen[row] for row in rows.tolist()]


def test_known_cosines():
    value, _ = mean_cosine(np.array([[4.0], [0.0]]), np.array([4.0]), seed=0)
    assert value == 1
    value, _ = mean_cosine(np.array([[1.0, -1.0]]), np.ones(2), seed=0)
    assert value == -1
    value, resampled = mean_cosine(np.array([[1.0]]), np.ones(1), seed=0)
    assert np.isnan(value)
    assert np.isnan(resampled).all()
