"""Kinds of probe, features and arithmetic: what each learns that another cannot, and which leave the answer alone."""

import numpy as np
import pytest

from probes.fit.fit import fit_layers
from probes.fit.question import Question
from tests.fit.conftest import accuracies, fit_states, layers_of, make_states, make_task, one_penalty
from tests.reference.linear import minimise, objective


def test_an_mlp_learns_what_no_linear_probe_can(tmp_path):
    sizes = {"train": 2000, "dev": 400, "test": 400}
    states = make_states(sizes, dims=4, layers=1, seed=8)
    centered = {split: part - states["train"].mean(axis=1, keepdims=True) for split, part in states.items()}
    labels = {split: ((part[0, :, 0] > 0) ^ (part[0, :, 1] > 0)).astype(np.int64) for split, part in centered.items()}
    linear = fit_states(tmp_path / "linear", states, labels, config=one_penalty(1e-4, min_steps=200))
    for hidden in ((20,), (20, 10)):
        config = one_penalty(1e-6, probe="mlp", hidden=hidden, min_steps=1500, step_size=0.02)
        mlp = fit_states(tmp_path / f"mlp-{len(hidden)}", states, labels, config=config)
        assert accuracies(mlp, states, labels)[0] > 0.93
    assert accuracies(linear, states, labels)[0] < 0.7


def test_rank_limits_what_a_linear_probe_learns(tmp_path, states, planted):
    full, one = (
        fit_states(tmp_path / f"{rank}", states, planted, config=one_penalty(1e-5, rank=rank, min_steps=300))
        for rank in (2, 1)
    )
    assert full.parameters["weight_0"].shape == (3, 1, 2, 8)
    assert accuracies(full, states, planted)[1] > 0.95
    assert accuracies(one, states, planted)[1] < accuracies(full, states, planted)[1] - 0.05


def test_one_rank_is_enough_for_labels_along_one_direction(tmp_path, states):
    along = {split: part[1] @ np.arange(1.0, 9.0) for split, part in states.items()}
    low, high = np.quantile(along["train"], [1 / 3, 2 / 3])
    labels = {split: (part > low).astype(np.int64) + (part > high) for split, part in along.items()}
    config = one_penalty(1e-6, rank=1, min_steps=1500, step_size=0.02)
    probes = fit_states(tmp_path, states, labels, config=config)
    assert accuracies(probes, states, labels)[1] > 0.9
    assert accuracies(probes, states, labels)[[0, 2]].max() < 0.6


def test_an_initialisation_is_one_of_many(states, planted):
    configs = [one_penalty(1e-4, probe="mlp", hidden=(4,), init=number) for number in (0, 0, 1)]
    first, again, other = fit_layers(layers_of(states), [Question(make_task(planted), (), c) for c in configs], seed=0)
    assert np.array_equal(first.parameters["weight_0"], again.parameters["weight_0"])
    assert (first.parameters["weight_0"] != other.parameters["weight_0"]).all()


def test_bfloat16_products_give_the_accuracy_of_float32(tmp_path, states, planted):
    fine, coarse = (
        fit_states(tmp_path / name, states, planted, config=one_penalty(1e-3, precision=name))
        for name in ("float32", "bfloat16")
    )
    assert not np.array_equal(fine.parameters["weight_0"], coarse.parameters["weight_0"])
    assert np.abs(fine.dev_accuracy - coarse.dev_accuracy).max() < 0.02  # 300 rows of dev


def own_objective(probes, raw, labels, *, layer, l2):
    """The objective on the features that the probe reads, its folded coefficients turned back to them."""
    weights, bias = probes.coefficients(layer)
    spread = np.where(probes.inverse_std[layer] > 0, 1 / probes.inverse_std[layer].astype(np.float64), 0)
    features = (raw - probes.mean[layer]) / spread
    own = objective(features, labels, weights.T * spread[:, None], bias + weights @ probes.mean[layer], l2)
    best = minimise(features, labels, l2)
    return own, objective(features, labels, best.coef_.T, best.intercept_, l2)


@pytest.mark.parametrize("kind", ["white", "standard", "raw"])
def test_a_fit_of_each_kind_of_features_nears_the_optimum_of_its_own(states, planted, kind):
    noisy = {split: np.where(np.arange(len(part)) % 4 == 0, 0, part) for split, part in planted.items()}
    config = one_penalty(1e-3, features=kind, min_steps=2000, batch_rows=300, select="log_likelihood")
    # Train as its own dev: the epoch that is kept is the one nearest to the optimum.
    layers, task = {split: list(states["train"]) for split in ("train", "dev")}, noisy | {"dev": noisy["train"]}
    (probes,) = fit_layers(layers, [Question(make_task(task), (), config)], seed=0)
    own, lowest = own_objective(probes, states["train"][1].astype(np.float64), noisy["train"], layer=1, l2=1e-3)
    assert 0 <= own - lowest < 5e-3
    assert (probes.mean == 0).all() == (kind == "raw")
    assert (probes.inverse_std == 1).all() == (kind == "raw")
    assert probes.gap_kind == ("none" if kind == "raw" else "estimate")


def test_white_and_standard_fits_are_the_same_estimator_and_a_raw_one_is_another(states, planted):
    # One dimension is small and one large: standardised they are penalised alike, raw they are not.
    sizes = np.array([1e-2, 1, 1, 1, 1, 1, 1, 30], dtype=np.float32)
    layers = layers_of({split: part * sizes for split, part in states.items()})
    kinds = [{"solver": "exact"}, {"solver": "exact", "features": "standard"}, {"features": "raw", "min_steps": 800}]
    white, standard, raw = (
        fit_layers(layers, [Question(make_task(planted), (), one_penalty(0.1, **kind))], seed=0)[0] for kind in kinds
    )
    on_features = white.parameters["weight_0"]
    # Both end within 1e-5 of the objective; weights of order .1 to 1.
    assert np.abs(standard.parameters["weight_0"] - on_features).max() < 2e-3
    raw_on_features = raw.coefficients(1)[0] / white.inverse_std[1]
    assert np.abs(raw_on_features - on_features[1, 0]).max() > 0.1
