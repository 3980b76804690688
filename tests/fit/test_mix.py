"""Mixes of layers in one stack: each is the probe that would be fitted alone, and finds the layer that tells."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from probes.config import FitConfig
from probes.fit.batch import RowBatches
from probes.fit.family import make_family
from probes.fit.fit import fit_layers
from probes.fit.mix import GAMMA, SCORES, Answers, MixBank, MixShape, mix_weights, row_losses
from probes.fit.mixed import MixPlan, MixProblem, draw_counts, fit_mixes
from probes.fit.question import Question
from probes.fit.read import SplitRows
from probes.fit.stack import fit_stack
from tests.fit.conftest import (
    NUM_LABELS,
    all_rows,
    layers_of,
    make_states,
    make_task,
    measure,
    planted_labels,
    predict,
    random_labels,
)

SIZES = {"train": 240, "dev": 90, "test": 150}
LAYERS = 4
KINDS = {
    "linear": {},
    "mlp": {"probe": "mlp", "hidden": (5,), "dropout": 0.3},
    "sigmoid": {},
    "patient": {"patience": 1, "schedule": "plateau"},
}


@pytest.fixture(scope="module")
def problem():
    """Four layers with a label that is planted at layer 1."""
    states = make_states(SIZES, dims=5, layers=LAYERS)
    return states, planted_labels(states, noise=0.2)


def make_shape(config, *, loss="softmax", num_groups=1):
    """Every cumulative mix, and the whole one again under another penalty and another step size."""
    reads = torch.ones(LAYERS, LAYERS, dtype=torch.bool).tril()[[0, 1, 2, 3, 3, 3]]
    l2 = torch.tensor([1e-4, 1e-4, 1e-4, 1e-4, 1e-1, 1e-4]).double()
    step_size = torch.tensor([0.05, 0.05, 0.05, 0.05, 0.05, 0.02]).double()
    basis = torch.eye(5).double() + torch.linspace(0, 0.5, 150).reshape(6, 5, 5).double()
    penalty = basis.square().sum(dim=1)
    counts = torch.ones(6, num_groups).double()
    return MixShape(make_family(config), NUM_LABELS, reads, l2, step_size, counts, basis, penalty, loss)


def take(shape, probe):
    """The shape of a bank of this probe alone."""
    names = ("reads", "l2", "step_size", "counts", "basis", "penalty")
    return replace(shape, **{name: getattr(shape, name)[probe : probe + 1] for name in names})


def fit_bank(problem, config, shape, *, groups=None, index=None):
    """The fitted bank over all rows of train, or over those of `index`."""
    states, labels = problem
    index = np.arange(len(labels["train"])) if index is None else index
    scale = measure(states["train"]).scale
    groups = np.zeros(len(index), dtype=int) if groups is None else groups
    answers = {
        "train": Answers(torch.from_numpy(labels["train"][index]), torch.from_numpy(groups)),
        "dev": Answers(torch.from_numpy(labels["dev"]), torch.zeros(len(labels["dev"]), dtype=torch.long)),
    }
    rows = {"train": SplitRows(list(states["train"]), index[:, None]), "dev": all_rows(states["dev"])}
    train, dev = (
        RowBatches(rows[split], scale, batch_rows=size, dtype=torch.float64, seed=seed)
        for split, size, seed in (("train", config.batch_rows, 1), ("dev", 50, None))
    )
    bank = MixBank(shape, answers, config, num_steps=config.epochs * len(train), seed=0, dtype=torch.float64)
    fit_stack([bank], train, dev, epochs=config.epochs, seed=0)
    return bank


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_of_mixes_equals_separate_fits_in_float64(problem, kind):
    config = FitConfig(epochs=3, batch_rows=32, **KINDS[kind])
    shape = make_shape(config, loss="sigmoid" if kind == "sigmoid" else "softmax")
    together = fit_bank(problem, config, shape).result()
    for probe in range(len(shape.l2)):
        alone = fit_bank(problem, config, take(shape, probe)).result()
        for name, value in alone.parameters.items():
            assert (together.parameters[name][probe] - value[0]).abs().max() < 1e-10
        assert together.epochs[probe] == alone.epochs[0]
    assert len(together.parameters["weight_0"].flatten(1).unique(dim=0)) == len(shape.l2)


def test_a_diverging_mix_is_reported_and_leaves_the_others_as_they_are(problem):
    config = FitConfig(epochs=3, batch_rows=32)
    shape = make_shape(config)
    healthy = fit_bank(problem, config, shape).result()
    steps = shape.step_size.clone()
    steps[2] = 1e308
    found = fit_bank(problem, config, replace(shape, step_size=steps)).result()
    assert found.has_diverged.nonzero().flatten().tolist() == [2]
    for name, value in healthy.parameters.items():
        others = ~found.has_diverged
        assert (found.parameters[name][others] - value[others]).abs().max() < 1e-10


def test_when_every_probe_has_ended_no_layer_is_read(problem):
    config = FitConfig(epochs=60, batch_rows=32, patience=1)
    bank = fit_bank(problem, config, make_shape(config))
    assert len(bank.layers) == 0
    assert bank.schedule.epoch < 60


def test_one_step_is_that_of_the_formula(problem):
    states, labels = problem
    config = FitConfig(epochs=1, batch_rows=240, optimizer="sgd", schedule="constant")
    shape = make_shape(config)
    bank = fit_bank(problem, config, shape)
    # From weights that are not zero, so that the mix has a gradient.
    stream = torch.Generator().manual_seed(0)
    for value in bank.weights.values():
        value.data.normal_(generator=stream)
    before = {name: value.detach().clone().requires_grad_() for name, value in bank.weights.items()}
    scale, rows = measure(states["train"]).scale, torch.from_numpy(states["train"]).double()
    features = (rows - scale.mean[:, None]) * scale.inverse_std[:, None]
    bank.train_step(features, torch.arange(240), lambda values, share: values)
    total = 0
    for probe in range(6):
        number = int(shape.reads[probe].sum())
        shares = torch.softmax(before[SCORES][probe, 0, 0, :number], dim=0)
        mixed = sum(shares[layer] * features[layer] for layer in range(number)) * before[GAMMA][probe, 0, 0, 0]
        weights = before["weight_0"][probe, 0] @ shape.basis[probe].T
        logits = mixed @ weights.T + before["bias_0"][probe, 0, :, 0]
        norm = (before["weight_0"][probe, 0].square() * shape.penalty[probe]).sum()
        total = total + F.cross_entropy(logits, torch.from_numpy(labels["train"])) + shape.l2[probe] / 2 * norm
    gradients = dict(zip(before, torch.autograd.grad(total, list(before.values())), strict=True))
    gradients[GAMMA][0] = 0  # of one layer
    for name, value in bank.weights.items():
        moved = before[name] - shape.step_size[:, None, None, None] * gradients[name]
        assert (value - moved).abs().max() < 1e-9


def test_an_example_that_counts_twice_is_an_example_that_comes_twice(problem):
    groups = np.arange(240) % 3
    config = FitConfig(epochs=20, batch_rows=1000, optimizer="sgd", schedule="constant")
    shape = make_shape(config, num_groups=3)
    counts = torch.tensor([0.0, 2.0, 4.0]).double().expand(6, -1)  # on average 1 when they are put in proportion
    weighted = fit_bank(problem, config, replace(shape, counts=counts), groups=groups).result()
    index = np.concatenate([np.flatnonzero(groups == group) for group in (1, 2, 2)])
    repeated = fit_bank(problem, config, make_shape(config), index=index).result()
    plain = fit_bank(problem, config, make_shape(config)).result()
    for name, value in repeated.parameters.items():
        assert (weighted.parameters[name] - value).abs().max() < 1e-10
    assert (weighted.parameters["weight_0"] - plain.parameters["weight_0"]).abs().max() > 1e-2


def test_layers_beyond_the_mix_have_no_weight_and_no_influence(problem):
    states, labels = problem
    config = FitConfig(epochs=3, batch_rows=32)
    shape = make_shape(config)
    found = fit_bank(problem, config, shape).result()
    weights = mix_weights(found.parameters[SCORES][:, 0, 0], shape.reads)
    assert torch.equal(weights > 0, shape.reads)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(6).double())
    changed = {split: part.copy() for split, part in states.items()}
    for part in changed.values():
        part[2:] = part[2:, ::-1]
    other = fit_bank((changed, labels), config, shape).result()
    for name, value in found.parameters.items():
        assert (value[:2] - other.parameters[name][:2]).abs().max() < 1e-10
        assert name == "bias_gamma" or (value[2:] - other.parameters[name][2:]).abs().max() > 1e-3


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_losses_of_rows_are_torchs(loss):
    stream = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(2, 1, 4, 9, generator=stream), torch.arange(9) % 4
    found = row_losses(logits, labels, loss)
    for probe in range(2):
        wide = logits[probe, 0].T
        if loss == "softmax":
            expected = F.cross_entropy(wide, labels, reduction="none")
        else:
            expected = F.binary_cross_entropy_with_logits(wide, F.one_hot(labels, 4).float(), reduction="none").sum(1)
        torch.testing.assert_close(found[probe], expected)


FIT = {"epochs": 4, "min_steps": 60, "step_size": 0.05, "l2": (1e-4, 1e-2)}


def mixes(states, labels, config, **plan):
    task = make_task(labels)
    rows = {split: SplitRows(list(part), task.splits[split].index) for split, part in states.items()}
    return fit_mixes(MixProblem(task, rows, config, seed=0), MixPlan(make_family(config), **plan))


@pytest.mark.parametrize("features", ["white", "standard", "raw"])
def test_a_mix_of_one_layer_is_the_ordinary_probe(states, planted, features):
    config = FitConfig(precision="float64", features=features, gap="none", **FIT)
    found = mixes(states, planted, config, over=("layer", "mix"))
    ordinary = fit_layers(layers_of(states), [Question(make_task(planted), (), config)], seed=0)[0]
    np.testing.assert_array_equal(found.epochs[0], ordinary.epochs[:, 0])
    np.testing.assert_array_equal(found.l2[0], [ordinary.grid.chosen(layer).l2 for layer in range(3)])
    agree = found.predicted["test"][0] == predict(ordinary, states["test"])[:, 0]
    assert agree.mean() > 0.999  # the ordinary probe is exported in float32
    np.testing.assert_array_equal(found.predicted["test"][1, 0], found.predicted["test"][0, 0])


def test_refits_change_nothing_in_the_other_probes_and_differ_among_themselves(problem):
    config = FitConfig(precision="float64", **FIT)
    plain, refitted = mixes(*problem, config), mixes(*problem, config, refits=3)
    np.testing.assert_allclose(plain.weights, refitted.weights, atol=1e-10)
    np.testing.assert_array_equal(plain.predicted["test"], refitted.predicted["test"])
    assert plain.refits.shape == (0, LAYERS)
    assert len(np.unique(refitted.refits.round(8), axis=0)) == 3
    np.testing.assert_allclose(refitted.refits.sum(axis=1), 1)


def test_refits_draw_as_many_groups_as_there_are_and_more_refits_change_no_earlier_one():
    counts = draw_counts(30, 8, seed=0)
    assert counts.sum(axis=1).tolist() == [30] * 8
    assert len(np.unique(counts, axis=0)) == 8
    np.testing.assert_array_equal(draw_counts(30, 3, seed=0), counts[:3])
    assert not np.array_equal(draw_counts(30, 8, seed=1), counts)


def test_labels_that_nothing_tells_are_not_learnt():
    states = make_states({"train": 600, "dev": 200, "test": 800}, layers=3)
    labels = random_labels({"train": 600, "dev": 200, "test": 800}, shares=(1 / 3, 1 / 3, 1 / 3))
    found = mixes(states, labels, FitConfig(precision="float32", **FIT))
    # Four standard errors of a share of one third of 800.
    assert abs((found.predicted["test"][0] == labels["test"]).mean(axis=1) - 1 / 3).max() < 4 * (2 / 9 / 800) ** 0.5
