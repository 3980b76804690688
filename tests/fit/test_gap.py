"""The estimated gap against the minimum that scikit-learn finds."""

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.fit.feature import FeatureStatistics
from probes.fit.gap import CONVERGED_GAP, LinearProbes, _half_decrement, estimate_gap
from tests.fit.conftest import NUM_LABELS, fit_states, make_states, measure, planted_labels, random_labels
from tests.reference.linear import half_decrement, minimise, objective, standardise

SIZES = {"train": 2000, "dev": 400, "test": 400}


@pytest.fixture(scope="module")
def noisy():
    """States of two layers, labels planted with noise, and random ones."""
    states = make_states(SIZES, dims=6, layers=2, seed=3)
    return states, planted_labels(states, noise=0.3), random_labels(SIZES)


def true_gaps(probes, states, targets):
    """Objective minus its minimum [layer, target], each by scikit-learn in float64."""
    train, gaps = states["train"].astype(np.float64), []
    for layer, raw in enumerate(train):
        features, l2 = standardise(raw, raw), probes.grid.chosen(layer).l2
        for target, labels in enumerate(targets):
            weights, bias = probes.coefficients(layer, target)
            weights = weights.T
            # Folding back: weights on standardised features are those on raw ones times the spread.
            own = objective(
                features, labels["train"], weights * raw.std(axis=0)[:, None], bias + raw.mean(0) @ weights, l2
            )
            best = minimise(features, labels["train"], l2)
            gaps.append(own - objective(features, labels["train"], best.coef_.T, best.intercept_, l2))
    return np.reshape(gaps, (len(train), len(targets)))


@pytest.mark.parametrize(("l2", "steps"), [(1e-5, 30), (1e-2, 30), (1e-2, 60), (1.0, 60)])
def test_estimate_is_within_a_factor_2_of_the_true_gap(tmp_path, noisy, l2, steps):
    states, *targets = noisy
    config = FitConfig(l2=(l2,), epochs=1, min_steps=steps, step_size=0.02, betas=(0.9, 0.999), precision="float32")
    probes = fit_states(tmp_path, states, *targets, config=config)
    expected = true_gaps(probes, states, targets)
    assert (expected > 1e-5).all()
    assert (probes.gap < 2 * expected).all()
    assert (probes.gap > expected / 2).all()


def test_estimate_equals_half_the_newton_decrement_of_the_dense_hessian(noisy):
    states, labels = noisy[0]["train"][1:, :300].astype(np.float32), noisy[1]["train"][:300]
    statistics = measure(states)
    features = torch.from_numpy(standardise(states[0], states[0])).float()[None]
    stream = torch.Generator().manual_seed(0)
    probes = LinearProbes(
        weights=0.3 * torch.randn(1, 1, NUM_LABELS, 6, generator=stream),
        bias=0.3 * torch.randn(1, 1, NUM_LABELS, generator=stream),
        penalty=statistics.penalty[:, None] * 0.1,
        basis=statistics.basis,
    )
    wanted = torch.from_numpy(labels)
    parts = [(features[:, part], wanted[None, part]) for part in (slice(0, 100), slice(100, 300))]
    found = estimate_gap(probes, iter(parts), features).item()
    white, penalty = (features @ probes.basis)[0].numpy(), probes.penalty[0, 0].numpy()
    expected = half_decrement(white, labels, probes.weights[0, 0].T.numpy(), probes.bias[0, 0].numpy(), penalty)
    # Twenty steps of conjugate gradients in float32 over 21 unknowns.
    assert found == pytest.approx(expected, rel=1e-3)


def only_planted(noisy):
    """The layer of the planted labels, where dev prefers a late epoch."""
    states, labels, _ = noisy
    return {split: part[1:] for split, part in states.items()}, labels


def test_the_gap_of_a_long_fit_is_near_zero(tmp_path, noisy):
    states, labels = only_planted(noisy)
    config = FitConfig(l2=(1e-2,), min_steps=300, step_size=0.02, betas=(0.9, 0.999), precision="float32")
    probes = fit_states(tmp_path, states, labels, config=config)
    # What is left is the noise of batches of 125 rows under a step size that falls to zero.
    assert true_gaps(probes, states, [labels]) < 1e-3
    assert 0 <= probes.gap < 1e-3
    assert probes.converged.all()


def test_a_short_fit_is_not_called_converged(tmp_path, noisy):
    states, labels = only_planted(noisy)
    config = FitConfig(l2=(1e-2,), epochs=1, min_steps=1, step_size=1e-3, precision="float32")
    probes = fit_states(tmp_path, states, labels, config=config)
    assert probes.gap > CONVERGED_GAP
    assert not probes.converged.any()


def exact_probes(states, labels, statistics: FeatureStatistics, l2):
    """scikit-learn's minimum at layer 0, in the white coordinates of the statistics."""
    features = standardise(states[0], states[0])
    best = minimise(features, labels, l2)
    white = torch.linalg.pinv(statistics.basis[0].double()) @ torch.from_numpy(best.coef_.T)
    return LinearProbes(
        weights=white.T.float()[None, None],
        bias=torch.from_numpy(best.intercept_).float()[None, None],
        penalty=statistics.penalty[:1, None] * l2,
        basis=statistics.basis[:1],
    )


def test_the_gap_at_the_minimum_is_zero_and_grows_with_the_square_of_the_distance(noisy):
    states, labels = noisy[0]["train"][:1], noisy[1]["train"]
    statistics = measure(states)
    features = torch.from_numpy(standardise(states[0], states[0])).float()[None]
    targets = torch.from_numpy(labels)[None]
    best = exact_probes(states, labels, statistics, 1e-2)

    def gap(distance):
        moved = LinearProbes(best.weights + distance, best.bias, best.penalty * 1, best.basis)
        moved.weights[:, :, 1:] -= distance
        return estimate_gap(
            moved, iter([(features[:, :900], targets[:, :900]), (features[:, 900:], targets[:, 900:])]), features
        ).item()

    assert gap(0.0) < 1e-9
    assert gap(0.02) / gap(0.01) == pytest.approx(4, rel=0.1)


def test_a_constant_over_labels_which_softmax_does_not_see_has_no_gap(noisy):
    states, labels = noisy[0]["train"][:1], noisy[1]["train"]
    probes = exact_probes(states, labels, measure(states), 1e-2)
    sample = torch.from_numpy(standardise(states[0], states[0])).float()[None]
    gradient = torch.zeros_like(probes.weights), torch.full_like(probes.bias, 1e-3)
    assert _half_decrement(probes, gradient, sample).item() == 0


def test_probes_that_cannot_move_have_no_gap():
    dead = LinearProbes(
        weights=torch.zeros(1, 1, 2, 4),
        bias=torch.zeros(1, 1, 2),
        penalty=torch.zeros(1, 1, 4),
        basis=torch.zeros(1, 4, 4),
    )
    states, labels = torch.randn(1, 10, 4, generator=torch.Generator().manual_seed(0)), torch.arange(10)[None] % 2
    assert estimate_gap(dead, iter([(states, labels)]), states).item() == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"gap": "none"},
        {"probe": "mlp", "hidden": (3,)},
        {"rank": 1},
        {"features": "raw"},
        {"input_dropout": 0.1},
        {"optimizer": "adamw", "weight_decay": 0.1},
    ],
)
def test_a_fit_without_one_optimum_has_no_gap_and_is_not_called_converged(tmp_path, noisy, settings):
    states, labels = only_planted(noisy)
    config = FitConfig(**{"l2": 1e-2, "epochs": 1, "min_steps": 1} | settings)
    probes = fit_states(tmp_path, states, labels, config=config)
    assert np.isnan(probes.gap).all()
    assert probes.gap_kind == "none"
    assert not probes.converged.any()


@pytest.mark.parametrize("precision", ["bfloat16", "float64"])
def test_the_estimate_in_other_arithmetic_is_that_of_float32_for_such_probes(tmp_path, noisy, precision):
    states, labels = only_planted(noisy)
    config = FitConfig(l2=1e-2, epochs=1, min_steps=30, step_size=0.02, precision=precision)
    probes = fit_states(tmp_path, states, labels, config=config)
    expected = true_gaps(probes, states, [labels])
    assert expected / 2 < probes.gap < 2 * expected
