"""The Lightning fit: how long, which epoch is kept, and what it must never touch."""

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit.fit import fit_layers
from probes.fit.question import Question
from probes.fit.stack import SMALLEST_NUMBER_OF_BATCHES, plan_steps
from tests.fit.conftest import make_task, random_labels


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
    layers = {split: list(states[split]) for split in ("train", "dev")}
    return fit_layers(layers, [Question(make_task(labels), (), config)], seed=seed)[0].parameters


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
