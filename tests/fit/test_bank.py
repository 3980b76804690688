"""Independence: a probe of a stack is the probe that would be fitted alone, whatever becomes of the others."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.fit import family as family_module
from probes.fit.bank import Bank, BankShape
from probes.fit.batch import RowBatches
from probes.fit.family import Chain, make_family
from probes.fit.fit import fit_layers
from probes.fit.question import Question
from probes.fit.stack import fit_stack
from tests.fit.conftest import NUM_LABELS, all_rows, make_states, make_task, measure, planted_labels, random_labels

SIZES = {"train": 300, "dev": 100, "test": 200}
L2 = (1e-5, 1e-3, 1e-1)
KINDS = {
    "linear": {},
    "rank": {"rank": 2},
    "mlp": {"probe": "mlp", "hidden": (5,), "dropout": 0.3, "input_dropout": 0.1},
    "deep": {"probe": "mlp", "hidden": (5, 4), "activation": "tanh", "dropout": 0.3},
    "sgd": {"optimizer": "sgd"},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.1},
    "patient": {"schedule": "plateau", "patience": 2, "plateau_factor": 0.3, "epochs": 12},
    "standard": {"features": "standard"},
}


@pytest.fixture(scope="module")
def problem():
    """Two layers with two targets, one of them random: (states, wanted [target, row] by split)."""
    states = make_states(SIZES, dims=6, layers=2)
    targets = [planted_labels(states, noise=0.2), random_labels(SIZES)]
    wanted = {split: torch.from_numpy(np.stack([one[split] for one in targets])) for split in SIZES}
    return states, wanted


def fit_bank(problem, config, shape=None, *, dtype=torch.float64, layers=slice(None)):
    """Fit one bank of every penalty x target (or of `shape`); returns the bank and its batches."""
    states, wanted = problem
    states = {split: part[layers] for split, part in states.items()}
    shape = shape or whole_shape(config, len(states["train"]))
    statistics = measure(states["train"], kind=config.features)
    batches = {
        split: RowBatches(all_rows(states[split]), statistics.scale, batch_rows=32, dtype=dtype, seed=seed)
        for split, seed in (("train", 1), ("dev", None))
    }
    num_steps = config.epochs * len(batches["train"])
    bank = Bank(shape, wanted, statistics, config, num_steps=num_steps, seed=0, dtype=dtype)
    fit_stack([bank], batches["train"], batches["dev"], epochs=config.epochs, seed=0)
    return bank, batches


def whole_shape(config, num_layers=2):
    l2 = torch.tensor([value for value in L2 for _ in range(2)]).double().expand(num_layers, -1)
    target_of = torch.tensor([0, 1] * 3)
    return BankShape(make_family(config), "class", NUM_LABELS, target_of, l2, torch.full(l2.shape, 0.05).double())


def one_probe(shape, layer, probe):
    """The shape of a stack of this probe alone."""
    one = slice(layer, layer + 1), slice(probe, probe + 1)
    return replace(shape, target_of=shape.target_of[one[1]], l2=shape.l2[one], step_size=shape.step_size[one])


def make_config(kind, **settings):
    return FitConfig(**{"epochs": 4, "l2": L2, "step_size": 0.05} | KINDS[kind] | settings)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_equals_separate_fits_in_float64(problem, kind):
    config = make_config(kind)
    together = fit_bank(problem, config)[0].result()
    states = torch.from_numpy(problem[0]["test"]).double()
    for layer, probe in np.ndindex(2, 6):
        shape = one_probe(whole_shape(config), layer, probe)
        alone = fit_bank(problem, config, shape, layers=slice(layer, layer + 1))[0].result()
        answers = []
        for result, place in ((together, (layer, probe)), (alone, (0, 0))):
            parameters = {name: value[place][None, None] for name, value in result.parameters.items()}
            answers.append(shape.family.logits(parameters, states[layer : layer + 1], lambda values, share: values))
            assert result.epochs[place] == alone.epochs[0, 0]
        for name, value in alone.parameters.items():
            assert (together.parameters[name][layer, probe] - value[0, 0]).abs().max() < 1e-10
        assert torch.equal(answers[0].argmax(dim=2), answers[1].argmax(dim=2))


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_a_stack_equals_separate_fits_in_float32_on_999_of_1000_rows_of_test(problem, kind):
    config = make_config(kind)
    together = fit_bank(problem, config, dtype=torch.float32)[0].result()
    states, agree = torch.from_numpy(problem[0]["test"]), []
    for layer, probe in np.ndindex(2, 6):
        shape = one_probe(whole_shape(config), layer, probe)
        alone = fit_bank(problem, config, shape, layers=slice(layer, layer + 1), dtype=torch.float32)[0].result()
        answers = [
            shape.family.logits(
                {name: value[place][None, None] for name, value in result.parameters.items()},
                states[layer : layer + 1],
                lambda values, share: values,
            ).argmax(dim=2)
            for result, place in ((together, (layer, probe)), (alone, (0, 0)))
        ]
        agree.append((answers[0] == answers[1]).float().mean().item())
    assert np.mean(agree) >= 0.999


def test_finished_probes_leave_and_layers_without_any_are_not_read(problem):
    bank, batches = fit_bank(problem, make_config("patient", patience=1, epochs=30))
    # The last probes ended before the last epoch, each at its own time.
    assert len(bank.layers) == 0
    assert len(bank.result().epochs.unique()) > 1
    assert bank.schedule.epoch < 30
    assert len(batches["train"].layers) <= 2


def test_dev_is_noted_for_each_probe_until_it_ends(problem):
    bank, _ = fit_bank(problem, make_config("patient", patience=1, epochs=30))
    result = bank.result()
    curve = result.dev_curve
    assert curve.shape == (bank.schedule.epoch, 2, 6, 2)
    for layer in range(2):
        for probe in range(6):
            noted, best = curve[:, layer, probe], int(result.epochs[layer, probe])
            assert noted[best - 1].tolist() == [result.accuracy[layer, probe], result.loss[layer, probe]]
            # With a patience of one it runs for one more epoch.
            assert noted.isnan().any(dim=1).tolist() == [epoch > best + 1 for epoch in range(1, len(noted) + 1)]
            assert noted[:, 0].nan_to_num(-1).argmax() == best - 1


def test_a_layer_whose_probes_have_ended_is_not_read(problem):
    config = make_config("patient", patience=1, epochs=30)
    states = {split: part.copy() for split, part in problem[0].items()}
    for part in states.values():
        part[0] = 0.0  # nothing to learn: the first epoch is not bettered, but equalled
    seen = []

    class Watched(RowBatches):
        def __iter__(self):
            seen.append(list(self.layers))
            return super().__iter__()

    statistics = measure(states["train"])
    train = Watched(all_rows(states["train"]), statistics.scale, batch_rows=32, dtype=torch.float64, seed=1)
    dev = RowBatches(all_rows(states["dev"]), statistics.scale, batch_rows=32, dtype=torch.float64)
    likelihood = config.model_copy(update={"select": "log_likelihood"})
    bank = Bank(whole_shape(likelihood), problem[1], statistics, likelihood, num_steps=99, seed=0, dtype=torch.float64)
    fit_stack([bank], train, dev, epochs=30, seed=0)
    assert seen[0] == [0, 1]
    assert any(len(layers) == 1 for layers in seen)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_a_probe_that_diverges_is_reported_and_leaves_the_others_as_they_are(problem, kind):
    config = make_config(kind)
    shape = whole_shape(config)
    steps = shape.step_size.clone()
    steps[1, 3] = 1e308
    healthy = fit_bank(problem, config)[0].result()
    found = fit_bank(problem, config, replace(shape, step_size=steps))[0].result()
    assert found.has_diverged.nonzero().tolist() == [[1, 3]]
    assert not healthy.has_diverged.any()
    others = ~found.has_diverged
    for name, value in healthy.parameters.items():
        assert (found.parameters[name][others] - value[others]).abs().max() < 1e-10
    assert torch.isfinite(found.parameters["weight_0"]).all()


def test_the_penalty_is_that_of_the_weights_on_features(problem):
    states, wanted = problem
    statistics, config = measure(states["train"]), make_config("linear")
    bank = Bank(whole_shape(config), wanted, statistics, config, num_steps=9, seed=0, dtype=torch.float64)
    bank.place(torch.device("cpu"))
    stream = torch.Generator().manual_seed(0)
    for value in bank.weights.values():
        value.data.normal_(generator=stream)
    on_features = bank.weights["weight_0"] @ bank.basis.transpose(1, 2)[:, None]
    norm = (bank.l2 / 2 * on_features.square().sum(dim=(2, 3))).sum()
    (expected,) = torch.autograd.grad(norm, bank.weights["weight_0"])
    gradients = {name: torch.zeros_like(value) for name, value in bank.weights.items()}
    bank._add_penalty(gradients)
    # Basis and penalty were rounded to float32 one by one.
    assert torch.allclose(gradients["weight_0"], expected, rtol=1e-5, atol=1e-8)
    assert (gradients["bias_0"] == 0).all()


def test_best_weights_are_those_of_the_best_epoch_and_stay(problem):
    states, wanted = problem
    config = make_config("linear", select="log_likelihood")
    bank = Bank(whole_shape(config), wanted, measure(states["train"]), config, num_steps=9, seed=0, dtype=torch.float64)
    bank.place(torch.device("cpu"))
    for epoch, loss in enumerate([[3.0, 1.0], [2.0, 2.0], [2.5, torch.nan]]):
        for value in bank.weights.values():
            value.data.fill_(epoch + 1.0)
        bank.start_dev()
        bank.tally.rows, bank.tally.loss = (
            1,
            torch.tensor(loss).double().repeat_interleave(3).expand(2, -1)[:, : bank.probes.shape[1]],
        )
        bank.end_epoch()
    assert bank.result().epochs.tolist() == [[2, 2, 2, 1, 1, 1]] * 2
    assert bank.best["bias_0"][0, :, 0, 0].tolist() == [2, 2, 2, 1, 1, 1]
    assert bank.result().has_diverged.tolist() == [[False] * 3 + [True] * 3] * 2


class Doubled:
    """A family of one's own: a linear probe that answers twice as loud."""

    reads = "weight_0"
    shapes, start = Chain().shapes, Chain().start

    def logits(self, parameters, states, drop):
        return 2 * Chain().logits(parameters, states, drop)


class Point:
    name = "doubled"

    def load(self):
        return lambda config: Doubled()


def test_a_family_of_ones_own_is_found_and_fitted(monkeypatch):
    monkeypatch.setattr(family_module, "entry_points", lambda group: [Point()] if group == "probes.fits" else [])
    states = make_states(SIZES, dims=6)
    layers = {split: list(part) for split, part in states.items()}
    config = FitConfig(probe="doubled", l2=1e-3, min_steps=200, step_size=0.05)
    (probes,) = fit_layers(layers, [Question(make_task(planted_labels(states)), (), config)], seed=0)
    answers = probes.predict(states["test"][1], np.arange(200), 1)[0]
    assert (answers == planted_labels(states)["test"]).mean() > 0.9
    assert np.isnan(probes.gap).all()
