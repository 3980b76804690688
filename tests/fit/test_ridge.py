"""Ridge in closed form against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from probes.errors import FitError
from probes.fit import read
from probes.fit.feature import measure_features
from probes.fit.read import SplitRows
from probes.fit.ridge import solve_ridge


def draw(num_rows: int = 500, dim: int = 6) -> tuple[SplitRows, np.ndarray]:
    """Correlated states with a dead dimension, and the values of two targets with two outputs each."""
    stream = np.random.default_rng(0)
    states = (stream.normal(size=(num_rows, dim)) @ stream.normal(size=(dim, dim)) + 3).astype(np.float32)
    states[:, 2] = 1.5
    values = stream.normal(size=(2, num_rows, 2)) + np.stack([states[:, :2], states[:, 3:5]])
    return SplitRows([states], np.arange(num_rows)[:, None]), values


def features_of(rows: SplitRows) -> np.ndarray:
    """The solver's own features: scale is float32, the arithmetic float64."""
    out = torch.empty((1, len(rows), rows.num_features), dtype=torch.float64)
    return rows.read([(0, len(rows))], [0], measure_features(rows, 0).scale, out=out)[0].numpy()


def solve(rows: SplitRows, values: np.ndarray, l2):
    return solve_ridge(rows, 0, measure_features(rows, 0), torch.from_numpy(values), l2=l2)


def test_weights_and_bias_are_scikit_learns():
    rows, values = draw()
    penalties = (1e-6, 1e-2, 1.0)
    solution = solve(rows, values, penalties)
    for place, l2 in enumerate(penalties):
        for target in range(2):
            fitted = Ridge(alpha=l2 * len(rows), solver="cholesky").fit(features_of(rows), values[target])
            np.testing.assert_allclose(solution.weights[place, target].numpy(), fitted.coef_, atol=1e-8)
            np.testing.assert_allclose(solution.bias[place, target].numpy(), fitted.intercept_, atol=1e-8)


def test_objective_is_written_out_and_its_gap_is_none():
    rows, values = draw()
    solution = solve(rows, values, [1e-2])
    weights, bias = solution.weights[0, 1].numpy(), solution.bias[0, 1].numpy()
    error = features_of(rows) @ weights.T + bias - values[1]
    expected = (error**2).sum(axis=1).mean() / 2 + 1e-2 / 2 * (weights**2).sum()
    assert float(solution.objective[0, 1]) == pytest.approx(expected, rel=1e-12)
    assert float(solution.gap.max()) < 1e-20
    assert solution.passes == 1


def test_a_penalty_may_belong_to_one_target():
    rows, values = draw()
    mixed = solve(rows, values, torch.tensor([[1e-3, 1.0]], dtype=torch.float64))
    plain = solve(rows, values, [1e-3, 1.0])
    torch.testing.assert_close(mixed.weights[0], torch.stack([plain.weights[0, 0], plain.weights[1, 1]]))


def test_without_penalty_dead_dimensions_keep_weight_zero():
    rows, values = draw()
    solution = solve(rows, values, [0.0])
    assert not solution.weights[..., 2].any()
    expected, *_ = np.linalg.lstsq(np.delete(features_of(rows), 2, axis=1), values[0] - values[0].mean(axis=0))
    found = np.delete(solution.weights[0, 0].numpy(), 2, axis=1)
    np.testing.assert_allclose(found.T, expected, atol=1e-6)


def test_random_values_are_not_learned_and_planted_ones_are():
    rows, _ = draw(5_000)
    stream = np.random.default_rng(1)
    planted = features_of(rows)[:, :1] * 2 + 1
    solution = solve(rows, np.stack([stream.normal(size=(5_000, 1)), planted]), [1e-6])
    assert 0.47 < float(solution.objective[0, 0]) < 0.53
    assert float(solution.objective[0, 1]) < 1e-4


def test_size_of_chunks_does_not_matter(monkeypatch):
    rows, values = draw()
    statistics, targets = measure_features(rows, 0), torch.from_numpy(values)
    one = solve_ridge(rows, 0, statistics, targets, l2=[1e-2])
    monkeypatch.setattr(read, "CHUNK_ROWS", 77)
    other = solve_ridge(rows, 0, statistics, targets, l2=[1e-2])
    torch.testing.assert_close(one.weights, other.weights, atol=1e-12, rtol=0)


def test_values_that_are_not_finite_are_refused():
    rows, values = draw()
    values[1, 3, 0] = np.nan
    with pytest.raises(FitError) as caught:
        solve(rows, values, [1e-2])
    assert str(caught.value) == (
        "A ridge fit needs finite values for at least one row, but layer 0 got 500 rows and "
        "1 values that are NaN or infinite. Check the train split and the labels of the task."
    )
