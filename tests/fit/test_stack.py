"""The Lightning fit: how long, which epoch is kept, and what it must never touch."""

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit.linear import LinearStack, StackShape
from probes.fit.stack import SMALLEST_NUMBER_OF_BATCHES, ProbeStack, fit_stack, plan_steps
from tests.fit.conftest import NUM_LABELS, measure, random_labels


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
        (10**7, {}, (1024, 6)),
        (1000, {"batch_rows": 10, "min_steps": 100, "epochs": 2}, (10, 2)),
        (1000, {"batch_rows": 10, "min_steps": 201, "epochs": 2}, (10, 3)),
    ],
)
def test_plans_by_hand(num_rows, settings, plan):
    assert plan_steps(num_rows, FitConfig(**settings)) == plan


@pytest.fixture
def module(states):
    """A module of 3 layers x 2 penalties x 1 target that was not fitted."""
    stack = LinearStack(StackShape(3, 2, 1, NUM_LABELS), measure(states["train"]), torch.tensor([1e-4, 1e-2]))
    return ProbeStack(stack, FitConfig(l2=(1e-4, 1e-2)), num_steps=10)


def validate(module, weights, correct):
    """One end of an epoch at which all weights are `weights` and probe [layer, penalty] has `correct` of 100."""
    module.stack.weights.data.fill_(weights)
    module.stack.bias.data.fill_(weights)
    module.on_validation_epoch_start()
    module.correct += torch.tensor(correct)[..., None]
    module.num_dev = 100
    module.on_validation_epoch_end()


def test_every_probe_keeps_its_own_best_epoch_and_of_equals_the_later(module, monkeypatch):
    history = [[[50, 60], [70, 10], [0, 5]], [[60, 50], [70, 20], [0, 5]], [[55, 50], [60, 30], [0, 4]]]
    for epoch, correct in enumerate(history):
        monkeypatch.setattr(type(module), "current_epoch", epoch)
        validate(module, float(epoch + 1), correct)
    best = module.best()
    expected = torch.tensor([[2, 1], [2, 3], [3, 2]])
    assert torch.equal(best.epochs[..., 0], expected)
    assert torch.equal(best.weights[..., 0, :], expected.float()[:, None, :, None].expand(3, 8, 2, NUM_LABELS))
    assert torch.equal(best.bias[..., 0, :], expected.float()[..., None].expand(3, 2, NUM_LABELS))
    assert torch.allclose(best.dev_accuracy[..., 0], torch.tensor([[0.6, 0.6], [0.7, 0.3], [0.0, 0.05]]))


def test_best_weights_are_copies(module):
    validate(module, 1.0, [[50, 50]] * 3)
    module.stack.weights.data.fill_(9.0)
    module.stack.bias.data.fill_(9.0)
    assert (module.best().weights == 1).all()
    assert (module.best().bias == 1).all()


@pytest.mark.parametrize("parameter", ["weights", "bias"])
def test_a_diverged_probe_is_named(module, parameter):
    validate(module, 1.0, [[50, 50]] * 3)
    columns = slice(NUM_LABELS, 2 * NUM_LABELS)  # of the second penalty
    getattr(module, f"best_{parameter}")[1, :, columns] = torch.nan
    with pytest.raises(FitError) as caught:
        module.best()
    assert str(caught.value) == (
        "Weights should be finite numbers, but the probe of layer 1, l2 0.01, target 0 diverged. "
        "Lower fit.step_size (now 0.02)."
    )


def run_fit(states, *targets, config, num_labels=NUM_LABELS, seed=0):
    layers = {split: list(states[split]) for split in ("train", "dev")}
    rows = {split: np.arange(states[split].shape[1]) for split in layers}
    labels = {split: np.stack([target[split] for target in targets]) for split in layers}
    statistics = measure(states["train"])
    return fit_stack(layers, rows, labels, statistics, config, num_labels=num_labels, seed=seed)


SHORT = FitConfig(l2=(1e-3,), epochs=1, min_steps=1, step_size=0.05)


def test_a_diverging_step_size_is_an_error(states, planted):
    with pytest.raises(FitError) as caught:
        run_fit(states, planted, config=FitConfig(l2=(1e-6,), epochs=1, min_steps=1, step_size=1e37))
    assert str(caught.value) == (
        "Weights should be finite numbers, but the probe of layer 0, l2 1e-06, target 0 diverged. "
        "Lower fit.step_size (now 1e+37)."
    )


def test_dev_accuracy_is_that_of_the_kept_weights(states, planted):
    best, _ = run_fit(states, planted, config=SHORT)
    statistics = measure(states["train"])
    features = (torch.from_numpy(states["dev"]) - statistics.mean[:, None]) * statistics.inverse_std[:, None]
    weights, bias = best.weights[:, :, 0, 0], best.bias[:, 0, 0]
    predicted = (features @ statistics.basis @ weights + bias[:, None]).argmax(dim=-1).numpy()
    assert np.allclose(best.dev_accuracy[:, 0, 0], (predicted == planted["dev"]).mean(axis=1))


def test_a_fit_leaves_the_random_state_of_the_caller_alone(states, planted):
    torch.manual_seed(1)
    np.random.seed(1)
    run_fit(states, planted, config=SHORT)
    found = torch.rand(3), np.random.random(3)
    torch.manual_seed(1)
    np.random.seed(1)
    assert torch.equal(found[0], torch.rand(3))
    assert np.array_equal(found[1], np.random.random(3))


def test_a_fit_does_not_depend_on_the_random_state_of_the_caller(states, planted):
    torch.manual_seed(1)
    first, _ = run_fit(states, planted, config=SHORT)
    torch.manual_seed(2)
    second, _ = run_fit(states, planted, config=SHORT)
    assert torch.equal(first.weights, second.weights)


def test_seeds_order_the_batches(states, planted):
    first, second = (run_fit(states, planted, config=SHORT, seed=seed)[0] for seed in (0, 1))
    assert not torch.equal(first.weights, second.weights)


def test_a_fit_is_quiet(states, capfd):
    run_fit(states, random_labels(), config=SHORT)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("num_rows", [2, 3, 17])
def test_a_handful_of_rows_is_fitted(num_rows):
    stream = np.random.default_rng(0)
    states = {split: stream.normal(size=(2, num_rows, 3)).astype(np.float32) for split in ("train", "dev")}
    labels = {split: np.arange(num_rows) % 2 for split in states}
    best, _ = run_fit(states, labels, config=SHORT, num_labels=2)
    assert torch.isfinite(best.weights).all()
