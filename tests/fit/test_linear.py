"""The stack of linear probes equals its probes one by one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import log_loss

from probes.config import FitConfig
from probes.fit.batch import RowBatches
from probes.fit.feature import FeatureStatistics
from probes.fit.linear import LinearStack, StackShape
from probes.fit.stack import ProbeStack
from tests.fit.conftest import NUM_LABELS, fit_states, make_states, measure, planted_labels, predict, random_labels
from tests.reference.linear import descend

L2 = (1e-5, 1e-3, 1e-1)
SHAPE = StackShape(num_layers=2, num_penalties=3, num_targets=2, num_labels=NUM_LABELS)


@pytest.fixture(scope="module")
def problem():
    """Two layers of 400 rows with two targets: (states, labels, statistics)."""
    states = make_states({"train": 400}, dims=6, layers=2)
    targets = [planted_labels(states)["train"], random_labels({"train": 400})["train"]]
    return states["train"], np.stack(targets), measure(states["train"])


def make_stack(statistics: FeatureStatistics, seed: int | None = None) -> LinearStack:
    """A stack in float64, with random weights if a seed is given."""
    stack = LinearStack(SHAPE, statistics, torch.tensor(L2)).double()
    if seed is not None:
        stream = torch.Generator().manual_seed(seed)
        for parameter in stack.parameters():
            parameter.data.normal_(generator=stream)
    return stack


def read_batches(problem, epochs=1):
    states, labels, statistics = problem
    rows = np.arange(states.shape[1])
    batches = RowBatches(list(states), rows, labels, statistics, batch_rows=50, seed=1)
    return [(batch.double(), wanted) for _ in range(epochs) for batch, wanted in batches]


def every_probe():
    return [(layer, l2, target) for layer in range(2) for l2 in range(3) for target in range(2)]


def weights_of(stack: LinearStack) -> tuple[torch.Tensor, torch.Tensor]:
    """(weights [layer, white, penalty, target, label], bias [layer, penalty, target, label])."""
    sizes = (3, 2, NUM_LABELS)
    return stack.weights.detach().unflatten(2, sizes), stack.bias.detach()[:, 0].unflatten(1, sizes)


def test_losses_equal_cross_entropy_and_the_norm_of_standardised_weights(problem):
    stack = make_stack(problem[2], seed=0)
    features, labels = read_batches(problem)[0]
    losses = stack.losses(features, labels)
    weights, bias = weights_of(stack)
    for layer, number, target in every_probe():
        on_standardised = stack.basis[layer] @ weights[layer, :, number, target]
        logits = features[layer] @ on_standardised + bias[layer, number, target]
        expected = F.cross_entropy(logits, labels[target]) + L2[number] / 2 * on_standardised.square().sum()
        # The basis and the penalty are rounded to float32 one by one.
        assert losses[layer, number, target].item() == pytest.approx(expected.item(), rel=1e-6)


def test_likelihood_equals_scikit_learn(problem):
    stack = make_stack(problem[2], seed=1)
    features, labels = read_batches(problem)[0]
    logits = stack(features)
    found = stack.likelihood(logits, labels)
    for layer, number, target in every_probe():
        shares = logits[layer, :, number, target].softmax(dim=-1).detach().numpy()
        expected = log_loss(labels[target].numpy(), shares, labels=range(NUM_LABELS))
        assert found[layer, number, target].item() == pytest.approx(expected, rel=1e-9)


def test_a_new_stack_knows_nothing(problem):
    losses = make_stack(problem[2]).losses(*read_batches(problem)[0])
    assert torch.allclose(losses, torch.full_like(losses, np.log(NUM_LABELS)), atol=1e-12)


def test_penalties_do_not_depend_on_rows_and_are_proportional_to_l2(problem):
    stack = make_stack(problem[2], seed=2)
    stack.weights.data = weights_of(stack)[0][:, :, :1].expand(-1, -1, 3, -1, -1).flatten(2)
    per_unit = stack.penalties() / stack.l2[None, :, None]
    assert torch.allclose(per_unit, per_unit[:, :1])


def test_a_stack_equals_separate_fits_in_float64(problem):
    config = FitConfig(l2=L2, step_size=0.05)
    batches = read_batches(problem, epochs=4)
    stack = make_stack(problem[2])
    module = ProbeStack(stack, config, num_steps=len(batches))
    optimisers = module.configure_optimizers()
    optimiser, decay = optimisers["optimizer"], optimisers["lr_scheduler"]["scheduler"]
    for number, batch in enumerate(batches):
        optimiser.zero_grad()
        module.training_step(batch, number).backward()
        optimiser.step()
        decay.step()
    weights, bias = weights_of(stack)
    for layer, number, target in every_probe():
        alone = descend(
            stack.basis[layer],
            stack.penalty[layer],
            [(features[layer], labels[target]) for features, labels in batches],
            num_labels=NUM_LABELS,
            l2=stack.l2[number].item(),
            step_size=config.step_size,
            num_steps=len(batches),
        )
        assert (weights[layer, :, number, target] - alone[0]).abs().max() < 1e-10
        assert (bias[layer, number, target] - alone[1]).abs().max() < 1e-10
        features = torch.cat([states[layer] for states, _ in batches])
        together = features @ stack.basis[layer] @ weights[layer, :, number, target] + bias[layer, number, target]
        separate = features @ stack.basis[layer] @ alone[0] + alone[1]
        assert torch.equal(together.argmax(dim=1), separate.argmax(dim=1))


def test_gradients_of_a_probe_come_from_its_own_layer_and_target(problem):
    stack = make_stack(problem[2], seed=3)
    features, labels = read_batches(problem)[0]
    stack.losses(features, labels)[1, 2, 0].backward()
    gradient = stack.weights.grad.unflatten(2, (3, 2, NUM_LABELS))
    is_touched = gradient.abs().sum(dim=(1, 4)) > 0
    assert torch.nonzero(is_touched).tolist() == [[1, 2, 0]]


def test_a_stack_equals_separate_fits_in_float32_on_test(tmp_path, states, planted):
    config = FitConfig(l2=(1e-3,), epochs=1, min_steps=48, step_size=0.05)
    targets = [planted, random_labels(seed=1)]
    two = {split: part[:2] for split, part in states.items()}
    together = predict(fit_states(tmp_path / "stack", two, *targets, config=config), two["test"])
    for layer in range(2):
        one = {split: part[layer : layer + 1] for split, part in states.items()}
        for target, labels in enumerate(targets):
            alone = fit_states(tmp_path / f"{layer}-{target}", one, labels, config=config)
            assert np.mean(predict(alone, one["test"])[0, 0] == together[layer, target]) >= 0.999
