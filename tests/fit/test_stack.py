"""The Lightning fit: how long, which epoch is kept, and what it must never touch."""

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit.bank import Bank, BankShape
from probes.fit.batch import RowBatches
from probes.fit.family import Chain
from probes.fit.fit import fit_layers
from probes.fit.question import Question
from probes.fit.stack import SMALLEST_NUMBER_OF_BATCHES, fit_stack, plan_steps
from tests.fit.conftest import (
    NUM_LABELS,
    all_rows,
    layers_of,
    make_states,
    make_task,
    measure,
    planted_labels,
    random_labels,
)
from tests.reference.linear import descend


@pytest.mark.parametrize("num_rows", [1, 2, 15, 16, 17, 160, 1000, 16_384, 16_385, 204_577])
def test_a_plan_has_enough_batches_epochs_and_steps(num_rows):
    config = FitConfig()
    batch_rows, epochs = plan_steps(num_rows, config)
    batches = -(-num_rows // batch_rows)
    assert 1 <= batch_rows <= config.batch_rows
    assert batches >= min(SMALLEST_NUMBER_OF_BATCHES, num_rows)
    assert epochs >= config.epochs
    assert batches * epochs >= config.min_steps
    assert epochs == config.epochs or batches * (epochs - 1) < config.min_steps


@pytest.mark.parametrize(
    ("num_rows", "settings", "plan"),
    [
        (1, {"min_steps": 1, "epochs": 1}, (1, 1)),
        (1, {}, (1, 500)),
        (16 * 1024, {}, (1024, 32)),
        (10**7, {}, (1024, 4)),
        (1000, {"batch_rows": 10, "min_steps": 100, "epochs": 2}, (10, 2)),
        (1000, {"batch_rows": 10, "min_steps": 201, "epochs": 2}, (10, 3)),
    ],
)
def test_plans_by_hand(num_rows, settings, plan):
    assert plan_steps(num_rows, FitConfig(**settings)) == plan


def run_fit(states, labels, config, seed=0):
    """One target over all rows; the parameters of its probes."""
    return fit_layers(layers_of(states), [Question(make_task(labels), (), config)], seed=seed)[0].parameters


def same(left, right):
    return all(np.array_equal(left[name], right[name]) for name in left)


SHORT = FitConfig(l2=(1e-3,), epochs=1, min_steps=1, step_size=0.05, precision="float32")


def test_a_step_size_at_which_everything_diverges_is_an_error(states, planted):
    config = FitConfig(l2=(1e-6,), epochs=1, min_steps=1, step_size=(1e37, 1e38), precision="float32")
    with pytest.raises(FitError) as caught:
        run_fit(states, planted, config)
    assert str(caught.value) == (
        "At least one candidate should stay finite, but at layer 0 every one diverged. "
        "Lower fit.step_size (now 1e+37, 1e+38)."
    )


def test_a_fit_leaves_the_random_state_of_the_caller_alone(states, planted):
    torch.manual_seed(1)
    np.random.seed(1)
    run_fit(states, planted, SHORT)
    found = torch.rand(3), np.random.random(3)
    torch.manual_seed(1)
    np.random.seed(1)
    assert torch.equal(found[0], torch.rand(3))
    assert np.array_equal(found[1], np.random.random(3))


@pytest.mark.parametrize("settings", [{}, {"probe": "mlp", "dropout": 0.5, "input_dropout": 0.1}])
def test_a_fit_does_not_depend_on_the_random_state_of_the_caller(states, planted, settings):
    torch.manual_seed(1)
    first = run_fit(states, planted, SHORT.model_copy(update=settings))
    torch.manual_seed(2)
    assert same(first, run_fit(states, planted, SHORT.model_copy(update=settings)))


def test_seeds_order_the_batches(states, planted):
    assert not same(*(run_fit(states, planted, SHORT, seed=seed) for seed in (0, 1)))


def test_a_fit_is_quiet(states, capfd):
    run_fit(states, random_labels(), SHORT)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("num_rows", [1, 2, 3, 17])
@pytest.mark.parametrize("settings", [{}, {"probe": "mlp", "hidden": (3,)}, {"precision": "bfloat16"}])
def test_a_handful_of_rows_is_fitted(num_rows, settings):
    stream = np.random.default_rng(0)
    states = {split: stream.normal(size=(2, num_rows, 3)).astype(np.float32) for split in ("train", "dev")}
    labels = {split: np.arange(num_rows) % 2 for split in states}
    parameters = run_fit(states, labels, SHORT.model_copy(update=settings))
    assert all(np.isfinite(values).all() for values in parameters.values())


def test_dev_accuracy_is_that_of_the_kept_weights(fitted, states, planted):
    labels = [planted["dev"], *(random_labels(seed=seed)["dev"] for seed in (1, 2))]
    # Some probe was better before the last epoch, so that kept and last weights differ.
    assert len(np.unique(fitted.epochs)) > 1
    for layer, target in np.ndindex(3, 3):
        answers = fitted.predict(states["dev"][layer], np.arange(300), layer)[target]
        assert fitted.dev_accuracy[layer, target] == pytest.approx((answers == labels[target]).mean(), abs=1e-12)


def test_every_probe_takes_the_steps_that_torchs_adam_takes_for_it_alone():
    states = make_states({"train": 400, "dev": 100}, dims=6, layers=2)
    targets = [planted_labels(states), random_labels({"train": 400, "dev": 100})]
    wanted = {split: torch.from_numpy(np.stack([one[split] for one in targets])) for split in states}
    statistics, config = measure(states["train"]), FitConfig(epochs=4, step_size=0.05)
    train, dev, again = (
        RowBatches(all_rows(states[split]), statistics.scale, batch_rows=50, dtype=torch.float64, seed=seed)
        for split, seed in (("train", 1), ("dev", None), ("train", 1))
    )
    l2 = torch.tensor([1e-5, 1e-5, 1e-3, 1e-3, 1e-1, 1e-1], dtype=torch.float64).expand(2, -1)
    step_size = torch.full((2, 6), 0.05, dtype=torch.float64)
    shape = BankShape(Chain(), "class", NUM_LABELS, torch.tensor([0, 1] * 3), l2, step_size)
    bank = Bank(shape, wanted, statistics, config, num_steps=32, seed=0, dtype=torch.float64)
    fit_stack([bank], train, dev, epochs=4, seed=0)
    # The reader fills one buffer again and again.
    batches = [(features.clone(), examples) for _ in range(4) for features, examples in again]
    for layer, probe in np.ndindex(2, 6):
        weights, bias = descend(
            statistics.basis[layer].double(),
            statistics.penalty[layer].double(),
            [(features[layer], wanted["train"][probe % 2, examples]) for features, examples in batches],
            num_labels=NUM_LABELS,
            l2=l2[layer, probe].item(),
            step_size=0.05,
            num_steps=len(batches),
            betas=config.betas,
        )
        assert (bank.weights["weight_0"][layer, probe].T - weights).abs().max() < 1e-10
        assert (bank.weights["bias_0"][layer, probe, :, 0] - bias).abs().max() < 1e-10
