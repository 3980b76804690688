"""From cache to probes: what they learn, what they do not, and what must not change them."""

from dataclasses import replace

import numpy as np
import pytest

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit.fit import fit_probes
from tests.fit.conftest import (
    QUICK,
    accuracies,
    fit_states,
    make_states,
    make_task,
    one_penalty,
    planted_labels,
    predict,
    random_labels,
)
from tests.reference.linear import minimise, objective, standardise
from tests.toy import make_cache

NAMES = ("epochs", "dev_accuracy", "gap", "converged", "has_diverged")


def same(left, right, names=NAMES):
    arrays = [(getattr(left, name), getattr(right, name)) for name in names]
    arrays += [(left.parameters[name], right.parameters[name]) for name in left.parameters]
    arrays += [(getattr(left.grid, name), getattr(right.grid, name)) for name in ("accuracy", "loss", "choice")]
    return all(np.array_equal(one, other, equal_nan=True) for one, other in arrays)


def chosen_l2(probes, layer):
    return probes.grid.chosen(layer).l2


def test_a_planted_linear_feature_is_found_at_its_layer(fitted, states, planted):
    found = accuracies(fitted, states, planted)
    assert found[1] > 0.95
    # The other layers are drawn apart from it.
    assert max(found[0], found[2]) < 0.6


def test_random_labels_stay_at_the_majority_on_test(fitted, states):
    for target, labels in ((1, random_labels(seed=1)), (2, random_labels(seed=2))):
        majority = np.mean(labels["test"] == np.bincount(labels["train"]).argmax())
        # Standard error of the majority .02.
        assert (accuracies(fitted, states, labels, target) < majority + 0.03).all()


def test_a_fit_is_near_the_optimum_of_scikit_learn(tmp_path):
    sizes = {"train": 2000, "dev": 400, "test": 1000}
    states = make_states(sizes, dims=6, layers=2, seed=3)
    labels, l2 = planted_labels(states, noise=0.3), 1e-2
    probes = fit_states(
        tmp_path, states, labels, config=FitConfig(l2=(l2,), min_steps=250, step_size=0.02, precision="float32")
    )
    raw = states["train"][1]
    features, unseen = standardise(raw, raw), standardise(raw, states["test"][1])
    best = minimise(features, labels["train"], l2)
    lowest = objective(features, labels["train"], best.coef_.T, best.intercept_, l2)
    weights, bias = probes.coefficients(1)
    weights = weights.T
    spread = raw.astype(np.float64).std(axis=0)[:, None]
    own = objective(features, labels["train"], weights * spread, bias + raw.mean(axis=0) @ weights, l2)
    assert 0 <= own - lowest < 1e-3
    assert accuracies(probes, states, labels)[1] == pytest.approx(best.score(unseen, labels["test"]), abs=0.01)


def test_labels_follow_the_rows_that_the_task_names(tmp_path, states, planted):
    config, stream = one_penalty(1e-3), np.random.default_rng(0)
    # Every row of the task stands elsewhere in the cache, among rows that belong to no example.
    places = {split: stream.permutation(2 * part.shape[1])[: part.shape[1]] for split, part in states.items()}
    spread = {}
    for split, part in states.items():
        spread[split] = np.full((3, 2 * part.shape[1], 8), np.nan, dtype=np.float32)
        spread[split][:, places[split]] = part
    task = make_task(planted)
    moved = {split: replace(rows, index=places[split][:, None]) for split, rows in task.splits.items()}
    probes = fit_probes(make_cache(tmp_path / "moved", spread), [replace(task, splits=moved)], config, seed=0)
    expected = fit_states(tmp_path, states, planted, config=config)
    assert np.mean(predict(probes, states["test"]) == predict(expected, states["test"])) >= 0.999


def test_a_strong_penalty_gives_small_weights(tmp_path, states, planted):
    weak, strong = (fit_states(tmp_path, states, planted, config=one_penalty(l2)) for l2 in (1e-6, 1.0))
    assert np.linalg.norm(strong.parameters["weight_0"]) < np.linalg.norm(weak.parameters["weight_0"]) / 3


@pytest.mark.parametrize(("change", "dims"), [("constant", 8), ("dead", 10)])
def test_a_constant_and_dead_dimensions_change_no_prediction(tmp_path, states, planted, change, dims):
    changed = {}
    for split, part in states.items():
        if change == "constant":
            changed[split] = part.copy()
            changed[split][..., 2] += 64
        else:
            noise = np.random.default_rng(len(part)).normal(0, 1e-9, (*part.shape[:2], 1))
            dead = np.concatenate([np.full_like(noise, 3.0), noise], axis=2).astype(np.float32)
            changed[split] = np.concatenate([part, dead], axis=2)
    config = one_penalty(1e-3)
    before = predict(fit_states(tmp_path, states, planted, config=config), states["test"])
    probes = fit_states(tmp_path, changed, planted, config=config)
    assert probes.parameters["weight_0"].shape[3] == dims
    # Whole numbers of this size round float32 states at 1e-5 of their spread, so a tie may turn.
    assert np.mean(predict(probes, changed["test"]) == before) >= 0.999
    if change == "dead":
        assert (probes.parameters["weight_0"][..., 8:] == 0).all()


def test_test_labels_and_states_change_nothing(tmp_path, states, planted, fitted):
    stream = np.random.default_rng(0)
    permuted = [{**one, "test": stream.permutation(one["test"])} for one in (planted, *controls())]
    spoiled = {**states, "test": np.full_like(states["test"], np.nan)}
    assert same(fit_states(tmp_path, spoiled, *permuted), fitted)


def controls():
    return [random_labels(seed=1), random_labels(seed=2)]


def test_two_calls_give_equal_bytes(tmp_path, states, planted, fitted):
    assert same(fit_states(tmp_path, states, planted, *controls()), fitted)


def test_dev_chooses_the_penalty_and_the_epoch(tmp_path, states, planted):
    # Labels of dev that only the majority answers well: the strongest penalty wins, and not by train.
    flat = {**planted, "dev": np.full_like(planted["dev"], np.bincount(planted["train"]).argmax())}
    config = FitConfig(l2=(10.0, 1e-6), epochs=2, min_steps=32, step_size=0.05, precision="float32")
    assert fit_states(tmp_path / "flat", states, flat, config=config).grid.chosen(1).l2 == 10.0
    assert fit_states(tmp_path / "own", states, planted, config=config).grid.chosen(1).l2 == 1e-6


def test_controls_use_the_penalty_of_the_task(tmp_path, states, planted):
    config = FitConfig(l2=(1.0, 1e-6), epochs=1, min_steps=32, step_size=0.05, precision="float32")
    labels = random_labels(seed=1)
    # Dev of the control would choose the strong penalty, and so would the mean over all targets.
    labels["dev"] = np.full_like(labels["dev"], np.bincount(labels["train"]).argmax())
    both = fit_states(tmp_path / "both", states, planted, *[labels] * 5, config=config)
    alone = [
        fit_states(tmp_path / f"{l2}", states, labels, config=config.model_copy(update={"l2": (l2,)}))
        for l2 in config.l2
    ]
    assert chosen_l2(both, 1) == 1e-6
    assert alone[0].dev_accuracy[1, 0] > alone[1].dev_accuracy[1, 0]
    for layer in range(3):
        used = config.l2.index(chosen_l2(both, layer))
        distances = [
            np.linalg.norm(both.parameters["weight_0"][layer, 1:] - one.parameters["weight_0"][layer], axis=(1, 2))
            for one in alone
        ]
        # Adam divides by the gradient's size and so carries float32 rounding, which depends on the number of
        # probes, into about 1 % of a weight; the other penalty is far away.
        assert (distances[used] < distances[1 - used] / 10).all()


def test_probes_say_how_they_came_about(fitted):
    assert fitted.targets == ("task", "word_type", "word_type")
    assert fitted.labels == ("a", "b", "c")
    assert {setting.l2 for setting in fitted.grid.settings} == set(QUICK.l2)
    assert (fitted.epochs >= 1).all()
    assert (fitted.epochs <= 8).all()
    assert fitted.dev_accuracy[1, 0] > 0.95


def test_a_state_that_is_not_finite_is_refused(tmp_path, states, planted):
    spoiled = {split: part.copy() for split, part in states.items()}
    spoiled["train"][2, 17, 3] = np.inf
    with pytest.raises(FitError) as caught:
        fit_states(tmp_path, spoiled, planted)
    assert str(caught.value) == (
        "Training states should be finite numbers, but layer 2 has NaN or infinity. Check the cache, or encode again."
    )


def test_a_dev_state_that_is_not_finite_is_refused(tmp_path, states, planted):
    spoiled = {split: part.copy() for split, part in states.items()}
    spoiled["dev"][1, 5, 3] = np.nan
    with pytest.raises(FitError) as caught:
        fit_states(tmp_path, spoiled, planted)
    assert str(caught.value) == (
        "Dev states should be finite numbers, but layer 1 has NaN or infinity. Check the cache, or encode again."
    )


def test_choice_by_likelihood_may_differ_from_choice_by_accuracy(tmp_path, states, planted):
    # Labels of dev that nothing predicts: the strong penalty has the better likelihood, accuracy is a toss.
    settings = {"l2": (10.0, 1e-6), "epochs": 2, "min_steps": 100}
    shuffled = {**planted, "dev": np.random.default_rng(3).permutation(planted["dev"])}
    probes = fit_states(tmp_path, states, shuffled, config=FitConfig(select="log_likelihood", **settings))
    assert chosen_l2(probes, 1) == 10.0
    assert (probes.grid.loss.argmin(axis=1) == probes.grid.choice).all()


def test_exact_is_the_optimum_and_the_stack_is_that_far_above_it(tmp_path, states, planted):
    labels = planted_labels(states, noise=0.3)
    settings = {"l2": (1e-3,), "epochs": 1, "min_steps": 60, "step_size": 0.02, "precision": "float32"}
    exact = fit_states(tmp_path / "e", states, labels, config=FitConfig(**settings, solver="exact"))
    stack = fit_states(tmp_path / "s", states, labels, config=FitConfig(**settings, gap="exact"))
    assert (exact.gap_kind, stack.gap_kind) == ("exact", "exact")
    assert exact.converged.all()
    for layer in range(3):
        features = standardise(states["train"][layer], states["train"][layer])
        best = minimise(features, labels["train"], 1e-3)
        lowest = objective(features, labels["train"], best.coef_.T, best.intercept_, 1e-3)
        own = [
            objective(
                features,
                labels["train"],
                probes.parameters["weight_0"][layer, 0].T.astype(np.float64),
                probes.parameters["bias_0"][layer, 0, :, 0],
                1e-3,
            )
            for probes in (exact, stack)
        ]
        assert own[0] == pytest.approx(lowest, rel=1e-5)
        assert stack.gap[layer, 0] == pytest.approx(own[1] - lowest, rel=0.02, abs=1e-6)


def test_both_solvers_choose_alike_and_controls_follow(tmp_path, states, planted):
    config = FitConfig(l2=(1e-6, 10.0), solver="exact")
    probes = fit_states(tmp_path, states, planted, random_labels(seed=1), config=config)
    assert chosen_l2(probes, 1) == 1e-6
    assert probes.gap.shape == (3, 2)
    assert accuracies(probes, states, planted)[1] > 0.97
