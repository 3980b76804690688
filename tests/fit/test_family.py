"""Kinds of probe: which parameters each has, where they begin, what dropout takes, and a family of one's own.

How a chain answers, and the error for an unknown name without entry points, are in test_loss.
"""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from probes.config import FitConfig
from probes.errors import ConfigError
from probes.fit import family as module
from probes.fit.family import Chain, keep_all, make_family
from probes.fit.fit import fit_layers
from probes.fit.question import Question
from probes.fit.stack import SharedDropout
from tests.fit.conftest import layers_of, make_states, make_task, planted_labels, random_labels
from tests.fit.stacks import fit_banks, make_bank, make_problem, make_shape, take_probes

MLP = {"probe": "mlp", "hidden": (5, 4), "activation": "tanh"}


@pytest.mark.parametrize(
    ("settings", "shapes"),
    [
        ({}, {"weight_0": (3, 8), "bias_0": (3, 1)}),
        ({"rank": 2}, {"weight_0": (2, 8), "weight_1": (3, 2), "bias_1": (3, 1)}),
        (
            {"probe": "mlp", "hidden": (5,)},
            {"weight_0": (5, 8), "bias_0": (5, 1), "weight_1": (3, 5), "bias_1": (3, 1)},
        ),
        (
            MLP,
            {
                "weight_0": (5, 8),
                "bias_0": (5, 1),
                "weight_1": (4, 5),
                "bias_1": (4, 1),
                "weight_2": (3, 4),
                "bias_2": (3, 1),
            },
        ),
    ],
)
def test_each_kind_has_the_parameters_of_its_layers(settings, shapes):
    family = make_family(FitConfig(**settings))
    assert family.shapes(8, 3) == shapes
    assert family.reads in shapes


@pytest.mark.parametrize("settings", [{}, {"rank": 2}, {"probe": "mlp", "hidden": (5,), "activation": "relu"}, MLP])
def test_each_kind_answers_and_learns_as_torchs_sequential(settings):
    family, stream = make_family(FitConfig(**settings)), torch.Generator().manual_seed(0)
    parameters = {
        name: torch.randn(2, 3, *shape, generator=stream).double().requires_grad_()
        for name, shape in family.shapes(8, 3).items()
    }
    states = torch.randn(2, 10, 8, generator=stream).double()
    found = family.logits(parameters, states, keep_all)
    found.square().sum().backward()
    activation = {"relu": nn.ReLU, "tanh": nn.Tanh, None: nn.Identity}[family.activation]
    sizes = [8, *family.hidden, 3]
    for layer, probe in np.ndindex(2, 3):
        parts = []
        for number, (before, after) in enumerate(pairwise(sizes)):
            linear = nn.Linear(before, after, bias=f"bias_{number}" in parameters).double()
            linear.weight.data = parameters[f"weight_{number}"][layer, probe].detach().clone()
            if linear.bias is not None:
                linear.bias.data = parameters[f"bias_{number}"][layer, probe, :, 0].detach().clone()
            parts += [linear, activation()]
        expected = nn.Sequential(*parts[:-1])
        assert torch.allclose(found[layer, probe].T, expected(states[layer]), rtol=0, atol=1e-12)
        expected(states[layer]).square().sum().backward()
        for number, linear in enumerate(parts[:-1:2]):
            gradient = parameters[f"weight_{number}"].grad[layer, probe]
            # Sums of ten rows whose terms reach some hundreds.
            assert torch.allclose(gradient, linear.weight.grad, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("settings", [{"rank": 2}, MLP])
def test_probes_begin_alike_and_another_init_begins_elsewhere(settings):
    problem = make_problem()
    starts = []
    for init in (0, 0, 1):
        config = FitConfig(**settings, init=init)
        starts.append(dict(make_bank(*problem, config, make_shape(config, 3)).weights))
    for name, value in starts[0].items():
        assert torch.equal(value, value[:1, :1].expand_as(value))
        assert torch.equal(value, starts[1][name])
        assert name.startswith("bias") == torch.equal(value, starts[2][name])


def test_a_start_does_not_depend_on_how_many_probes_begin():
    problem, config = make_problem(), FitConfig(**MLP)
    whole = make_bank(*problem, config, make_shape(config, 3)).weights
    one = make_bank(*problem, config, take_probes(make_shape(config, 3), slice(None), [2])).weights
    assert all(torch.equal(value[:, :1], one[name]) for name, value in whole.items())


def test_a_linear_probe_begins_at_zero_whatever_its_init():
    config = FitConfig(init=7)
    bank = make_bank(*make_problem(), config, make_shape(config, 3))
    assert all((value == 0).all() for value in bank.weights.values())


@pytest.mark.parametrize("settings", [{"rank": 2}, MLP, {"rank": 2, "features": "standard"}])
def test_the_penalty_is_that_of_every_weight_and_of_no_bias(settings):
    config = FitConfig(**settings)
    bank = make_bank(*make_problem(), config, make_shape(config, 3))
    stream = torch.Generator().manual_seed(0)
    for value in bank.weights.values():
        value.data.normal_(generator=stream)
    penalised = {name: value for name, value in bank.weights.items() if name.startswith("weight")}
    on_features = dict(penalised) | {"weight_0": bank.weights["weight_0"] @ bank.basis.transpose(1, 2)[:, None]}
    norms = sum((bank.l2 / 2 * value.square().sum(dim=(2, 3))).sum() for value in on_features.values())
    expected = dict(zip(penalised, torch.autograd.grad(norms, list(penalised.values())), strict=True))
    gradients = {name: torch.zeros_like(value) for name, value in bank.weights.items()}
    bank._add_penalty(gradients)
    for name, gradient in gradients.items():
        # Basis and penalty were rounded to float32 one by one.
        assert torch.allclose(gradient, expected.get(name, torch.zeros(())).double(), rtol=1e-5, atol=1e-8)


def test_each_share_of_dropout_takes_its_own_units():
    family = make_family(FitConfig(**MLP, dropout=0.5, input_dropout=0.25))
    parameters = {name: torch.ones(2, 3, *shape) for name, shape in family.shapes(8, 3).items()}
    taken = []

    def drop(values, share):
        taken.append((tuple(values.shape), share))
        return values

    family.logits(parameters, torch.ones(2, 10, 8), drop)
    assert taken == [((2, 8, 10), 0.25), ((2, 3, 5, 10), 0.5), ((2, 3, 4, 10), 0.5)]
    assert make_family(FitConfig(dropout=0.5, input_dropout=0.25, rank=2)) == Chain((2,), None, 0.0, 0.25)


def test_one_probe_loses_the_units_that_five_lose_and_others_in_another_step():
    def mask(num_probes, step):
        return SharedDropout(step)(torch.ones(2, num_probes, 6, 40), 0.5)

    assert torch.equal(mask(5, 0), mask(1, 0).expand(2, 5, 6, 40))
    assert not torch.equal(mask(1, 0), mask(1, 1))


def test_units_are_lost_in_a_step_and_none_on_dev(monkeypatch):
    seeds, shares = [], []
    init, logits = SharedDropout.__init__, Chain.logits

    def note_seed(self, seed):
        seeds.append(seed)
        init(self, seed)

    def note_share(self, parameters, states, drop):
        shares.append(0.0 if drop is keep_all else self.dropout)
        return logits(self, parameters, states, drop)

    monkeypatch.setattr(SharedDropout, "__init__", note_seed)
    monkeypatch.setattr(Chain, "logits", note_share)
    config = FitConfig(**MLP, dropout=0.5, epochs=2)
    fit_banks(*make_problem(), [config], [make_shape(config, 3)])
    # Eight batches of train, then three of dev, twice.
    assert shares == ([0.5] * 8 + [0.0] * 3) * 2
    assert len(set(seeds)) == 16


def test_two_hidden_layers_of_one_size_lose_other_units():
    family, drop, masks = make_family(FitConfig(probe="mlp", hidden=(20, 20), dropout=0.5)), SharedDropout(0), []
    parameters = {name: torch.ones(1, 1, *shape) for name, shape in family.shapes(8, 3).items()}

    def note(values, share):
        masks.append(drop(torch.ones_like(values), share))
        return values

    family.logits(parameters, torch.ones(1, 50, 8), note)
    assert not torch.equal(*masks[1:])


class Scaled:
    """A family of one's own whose names are its own: a linear probe that learns how loud it is."""

    reads = "matrix"

    def shapes(self, num_features, num_outputs):
        return {"bias_of_outputs": (num_outputs, 1), "loudness": (1, 1), "matrix": (num_outputs, num_features)}

    def start(self, name, shape, stream):
        return torch.ones(shape) if name == "loudness" else torch.zeros(shape)

    def logits(self, parameters, states, drop):
        linear = {"weight_0": parameters["matrix"], "bias_0": parameters["bias_of_outputs"]}
        return parameters["loudness"] * Chain().logits(linear, states, drop)


@pytest.fixture
def asked(monkeypatch):
    """Offers `scaled` as an entry point; the configs that it was asked with."""
    configs = []

    class Point:
        name = "scaled"

        def load(self):
            return lambda config: configs.append(config) or Scaled()

    monkeypatch.setattr(module, "entry_points", lambda group: [Point()] if group == "probes.fits" else [])
    return configs


def test_a_family_of_ones_own_with_names_of_its_own_learns_and_does_not_learn(asked):
    sizes = {"train": 400, "dev": 100, "test": 200}
    states = make_states(sizes, dims=6)
    config = FitConfig(probe="scaled", l2=1e-3, min_steps=200, step_size=0.05, precision="float32")
    task, control = make_task(planted_labels(states)), make_task(random_labels(sizes), "word_type")
    (probes,) = fit_layers(layers_of(states), [Question(task, (control,), config)], seed=0)
    answers = probes.predict(states["test"][1], np.arange(200), 1)
    assert (answers[0] == task.splits["test"].labels).mean() > 0.9
    assert (answers[1] == control.splits["test"].labels).mean() < 0.6
    assert {name: value.shape for name, value in probes.parameters.items()} == {
        "bias_of_outputs": (3, 2, 3, 1),
        "loudness": (3, 2, 1, 1),
        "matrix": (3, 2, 3, 6),
    }
    assert asked
    assert all(one == config for one in asked)


def test_an_unknown_probe_is_told_those_that_others_offer(asked):
    with pytest.raises(ConfigError) as caught:
        make_family(FitConfig(probe="scald"))
    assert str(caught.value) == (
        "Unknown probe 'scald'. Known probes are 'scaled', 'mlp', 'linear'. "
        "Choose one of these, or offer your own as an entry point 'probes.fits'."
    )
    assert asked == []
