"""The element-wise optimiser against torch's own, and its schedule against torch's plateau."""

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.fit.optimizer import ElementWise
from probes.fit.schedule import Schedule

SHAPES = {"weight_0": (3, 4), "bias_0": (3, 1)}
THEIRS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def draw(num_layers, num_probes, seed):
    stream = torch.Generator().manual_seed(seed)
    size = (num_layers, num_probes)
    return {name: torch.randn(*size, *shape, generator=stream).double() for name, shape in SHAPES.items()}


def run_ours(config, start, gradients, sizes):
    """Parameters after a step for each gradient, with step sizes [step, layer, probe]."""
    optimizer = ElementWise({name: value.clone() for name, value in start.items()}, config)
    for gradient, size in zip(gradients, sizes, strict=True):
        optimizer.step(gradient, size)
    return optimizer.parameters


@pytest.mark.parametrize("name", THEIRS)
def test_one_probe_takes_the_steps_of_torch(name):
    config = FitConfig(optimizer=name, weight_decay=0.1)
    start, gradients = draw(1, 1, 0), [draw(1, 1, seed) for seed in range(1, 31)]
    sizes = [torch.full((1, 1), 0.1 / (step + 1)).double() for step in range(30)]
    mine = run_ours(config, start, gradients, sizes)
    theirs = {name: value.clone().requires_grad_() for name, value in start.items()}
    # AdamW here leaves biases alone, as the penalty does.
    decay = {"weight_decay": 0.1} if name == "adamw" else {}
    groups = [{"params": [theirs["weight_0"]], **decay}, {"params": [theirs["bias_0"]], "weight_decay": 0.0}]
    options = {} if name == "sgd" else {"betas": config.betas}
    optimizer = THEIRS[name](groups, lr=0.1, **options)
    for gradient, size in zip(gradients, sizes, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = size.item()
        for key, value in theirs.items():
            value.grad = gradient[key].clone()
        optimizer.step()
    for key, value in theirs.items():
        assert torch.allclose(mine[key], value.detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", THEIRS)
def test_probes_of_unequal_step_sizes_are_as_if_alone(name):
    config = FitConfig(optimizer=name, weight_decay=0.1)
    start, gradients = draw(2, 3, 0), [draw(2, 3, seed) for seed in range(1, 11)]
    sizes = [torch.rand(2, 3, generator=torch.Generator().manual_seed(step)).double() for step in range(10)]
    together = run_ours(config, start, gradients, sizes)
    for layer, probe in np.ndindex(2, 3):
        one = slice(layer, layer + 1), slice(probe, probe + 1)
        alone = run_ours(
            config,
            {key: value[one] for key, value in start.items()},
            [{key: value[one] for key, value in gradient.items()} for gradient in gradients],
            [size[one] for size in sizes],
        )
        assert all(torch.equal(together[key][one], alone[key]) for key in SHAPES)


def test_probes_that_stay_go_on_as_if_the_others_had_never_left():
    config, start = FitConfig(), draw(2, 3, 0)
    gradients, sizes = [draw(2, 3, seed) for seed in range(1, 9)], torch.full((2, 3), 0.1).double()
    whole = run_ours(config, start, gradients, [sizes] * 8)
    optimizer = ElementWise({name: value.clone() for name, value in start.items()}, config)
    for gradient in gradients[:4]:
        optimizer.step(gradient, sizes)
    layers, probes = torch.tensor([1]), torch.tensor([[2, 0]])
    optimizer.keep(layers, probes)
    for gradient in gradients[4:]:
        optimizer.step({key: value[layers[:, None], probes] for key, value in gradient.items()}, sizes[:1, :2])
    for key in SHAPES:
        assert torch.equal(optimizer.parameters[key], whole[key][layers[:, None], probes])


@pytest.mark.parametrize("patience", [0, 2])
def test_plateau_is_torchs_for_each_probe(patience):
    scores = torch.rand(3, 4, 40, generator=torch.Generator().manual_seed(patience)).double()
    config = FitConfig(schedule="plateau", plateau_factor=0.5, plateau_patience=patience)
    schedule = Schedule(config, 100, torch.full((3, 4), 0.1, dtype=torch.float64))
    sizes = []
    for epoch in range(40):
        schedule.observe(scores[..., epoch])
        sizes.append(schedule.next_step().clone())
    for layer, probe in np.ndindex(3, 4):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode="max", factor=0.5, patience=patience, threshold=0, threshold_mode="abs", eps=0
        )
        for epoch in range(40):
            theirs.step(scores[layer, probe, epoch].item())
            assert sizes[epoch][layer, probe].item() == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)


def test_linear_step_sizes_fall_to_zero_over_the_steps():
    schedule = Schedule(FitConfig(), 4, torch.tensor([[1.0, 2.0]]))
    sizes = torch.stack([schedule.next_step()[0] for _ in range(4)])
    assert sizes.tolist() == [[1.0, 2.0], [0.75, 1.5], [0.5, 1.0], [0.25, 0.5]]
    constant = Schedule(FitConfig(schedule="constant"), 4, torch.tensor([[1.0]]))
    assert [constant.next_step().item() for _ in range(5)] == [1.0] * 5


def test_each_probe_ends_so_many_epochs_after_its_own_best_and_of_equals_the_later_is_best():
    history = torch.tensor([[1, 2, 2, 1, 1, 1], [3, 1, 1, 1, 9, 9], [1, 2, 3, 4, 5, 6]]).double()
    schedule = Schedule(FitConfig(patience=2), 10, torch.ones(1, 3))
    running = []
    for epoch in range(6):
        schedule.observe(history[None, :, epoch])
        running.append(schedule.is_running[0].tolist())
    assert schedule.best_epoch.tolist() == [[3, 1, 6]]
    # Probe 1 ended after epoch 3 and never saw its 9.
    assert running == [[True, True, True]] * 2 + [[True, False, True]] * 2 + [[False, False, True]] * 2


@pytest.mark.parametrize("score", [-torch.inf, torch.nan])
def test_a_score_that_is_not_finite_is_never_the_best(score):
    schedule = Schedule(FitConfig(), 10, torch.ones(1, 2))
    assert schedule.observe(torch.tensor([[score, 0.5]]).double()).tolist() == [[False, True]]
    assert schedule.best_epoch.tolist() == [[0, 1]]
