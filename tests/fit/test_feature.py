"""Statistics of features: standardised by train alone, white, and blind to dimensions that do not vary."""

import numpy as np
import pytest
import torch

from probes.errors import FitError
from probes.fit import feature, read
from probes.fit.feature import measure_features
from probes.fit.read import SplitRows
from tests.fit.conftest import fit_states, make_states, measure, predict, random_labels, read_all


@pytest.fixture(scope="module")
def train(states):
    return states["train"]


def standardised(states, statistics):
    return read_all(states, statistics)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_train_has_mean_0_and_variance_1(train, dtype):
    states = train.astype(dtype)
    features = standardised(states, measure(states)).double()
    # float32 sums of 1,200 rows.
    assert features.mean(dim=1).abs().max() < 1e-5
    assert (features.var(dim=1, correction=0) - 1).abs().max() < 1e-5


def test_statistics_equal_numpy_over_several_chunks(monkeypatch, train):
    monkeypatch.setattr(feature, "CHUNK_ROWS", 500)
    monkeypatch.setattr(read, "CHUNK_ROWS", 500)
    statistics = measure(train)
    expected = train.astype(np.float64)
    assert np.allclose(statistics.scale.mean, expected.mean(axis=1), atol=1e-6)
    assert np.allclose(1 / statistics.scale.inverse_std, expected.std(axis=1), rtol=1e-5)


def test_statistics_read_only_the_rows_of_the_task(train):
    some = np.arange(0, train.shape[1], 3)
    spoiled = train.copy()
    spoiled[:, 1::3] = np.nan
    found, expected = measure_features(SplitRows(list(spoiled), some[:, None]), 0), measure(train[:, some])
    # Gathered in another way, summed in the same order.
    assert torch.equal(found.scale.mean, expected.scale.mean)
    assert torch.equal(found.basis, expected.basis)


def test_other_splits_are_scaled_by_train_statistics(train):
    statistics = measure(train)
    shifted = standardised(train * 2 + 3 / statistics.scale.inverse_std[:, None].numpy(), statistics)
    expected = 2 * standardised(train, statistics) + 3 + (statistics.scale.mean * statistics.scale.inverse_std)[:, None]
    assert torch.allclose(shifted, expected, atol=1e-4)


def test_a_large_mean_does_not_spoil_the_spread():
    states = np.random.default_rng(0).normal(1000, 1, size=(1, 3000, 4)).astype(np.float32)
    expected = states.astype(np.float64).std(axis=1)
    assert np.allclose(1 / measure(states).scale.inverse_std, expected, rtol=1e-5)


@pytest.fixture(scope="module")
def with_dead(train):
    """Dimension 0 is constant, 1 and 2 are constants with noise of 1e-9, 3 varies by 1e-3 around 1."""
    stream = np.random.default_rng(1)
    states, size = train.copy(), train.shape[:2]
    states[..., 0] = 0.7
    states[..., 1] = -0.3 + stream.normal(0, 1e-9, size)
    states[..., 2] = stream.normal(0, 1e-9, size)
    states[..., 3] = 1 + stream.normal(0, 1e-3, size)
    return states


def test_dimensions_that_do_not_vary_are_dead_and_small_spread_is_not(with_dead):
    assert measure(with_dead).is_dead.tolist() == [[True, True, True, *[False] * 5]] * 3


def test_dead_dimensions_are_zero_and_the_rest_is_white(with_dead):
    statistics = measure(with_dead)
    features = standardised(with_dead, statistics)
    assert (features[..., :3] == 0).all()
    white = (features @ statistics.basis).double()
    covariance = white.transpose(1, 2) @ white / white.shape[1]
    rank = torch.linalg.matrix_rank(covariance, hermitian=True)
    assert rank.tolist() == [5, 5, 5]


def test_basis_makes_the_sample_white(train):
    statistics = measure(train)
    white = (standardised(train, statistics) @ statistics.basis).double()
    covariance = white.transpose(1, 2) @ white / white.shape[1]
    assert torch.allclose(covariance, torch.eye(8).double().expand(3, 8, 8), atol=1e-4)


def test_penalty_is_the_squared_norm_of_the_standardised_weights(with_dead):
    statistics = measure(with_dead)
    weights = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(0))
    squared_norm = (statistics.basis @ weights).square().sum(dim=(1, 2))
    assert torch.allclose((weights.square() * statistics.penalty[..., None]).sum(dim=(1, 2)), squared_norm, rtol=1e-5)


def test_a_direction_of_rounding_noise_is_not_lifted(train):
    states = train.copy()
    # The hyperplane of a LayerNorm: dimensions that sum to zero up to rounding.
    spread = states - states.mean(axis=2, keepdims=True)
    assert ((measure(spread).penalty > 0).sum(dim=1) == 7).all()
    assert ((measure(states).penalty > 0).sum(dim=1) == 8).all()


def test_a_layer_that_is_constant_answers_with_the_majority(tmp_path):
    states = make_states()
    for part in states.values():
        part[0] = np.linspace(-1, 1, 8, dtype=np.float32)
    labels = random_labels()
    probes = fit_states(tmp_path, states, labels)
    answers = predict(probes, states["test"])[0, 0]
    assert (answers == np.bincount(labels["train"]).argmax()).all()
    for values in (*probes.parameters.values(), probes.gap, probes.dev_accuracy):
        assert np.isfinite(values).all()
    assert (probes.parameters["weight_0"][0] == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 700])
def test_states_that_are_not_finite_are_refused(train, value, row):
    states = train.copy()
    states[2, row, 5] = value
    with pytest.raises(FitError) as caught:
        measure(states)
    assert str(caught.value) == (
        "Training states should be finite numbers, but layer 2 has NaN or infinity. Check the cache, or encode again."
    )


def test_basis_of_a_sample_depends_on_the_seed_alone(monkeypatch, train):
    monkeypatch.setattr(feature, "SAMPLE_ROWS", 100)
    first, again, other = measure(train, 0), measure(train, 0), measure(train, 1)
    assert torch.equal(first.basis, again.basis)
    assert not torch.equal(first.basis, other.basis)
    assert torch.equal(first.scale.mean, other.scale.mean)


def test_a_standard_fit_has_no_basis_and_a_raw_one_no_scale(train):
    standard, raw = measure(train, kind="standard"), measure(train, kind="raw")
    assert torch.equal(standard.basis, torch.eye(8).expand(3, 8, 8))
    assert torch.equal(standard.scale.mean, measure(train).scale.mean)
    assert torch.equal(read_all(train, raw), torch.from_numpy(train))
    assert (standard.penalty == 1).all()
    assert (raw.penalty == 1).all()
