"""When each probe's step is cut, when it is best, when it ends and leaves its stack: always as if it were alone.

Plateau and patience without ties are in test_optimizer, single banks in test_bank.
"""

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.fit.schedule import Schedule
from tests.fit.stacks import answers_of, fit_banks, make_bank, make_problem, make_shape, take_probes

EPOCHS = 40
SHAPE = (2, 5)


def draw_scores(seed):
    """Scores [layer, probe, epoch] of which many are equal and some are not finite."""
    stream = torch.Generator().manual_seed(seed)
    scores = torch.randint(0, 30, (*SHAPE, EPOCHS), generator=stream).double() / 10
    lost = torch.rand((*SHAPE, EPOCHS), generator=stream)
    return torch.where(lost < 0.1, -torch.inf, torch.where(lost > 0.9, torch.nan, scores))


def make_schedule(**settings):
    return Schedule(FitConfig(**settings), 100, torch.linspace(0.01, 0.1, 10).double().reshape(SHAPE))


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("factor", [0.1, 0.5])
def test_plateau_is_torchs_where_scores_are_equal_or_not_finite(patience, factor):
    scores = draw_scores(patience)
    schedule = make_schedule(schedule="plateau", plateau_factor=factor, plateau_patience=patience)
    starts, sizes = schedule.step_size.clone(), []
    for epoch in range(EPOCHS):
        schedule.observe(scores[..., epoch])
        sizes.append(schedule.next_step())
    for layer, probe in np.ndindex(SHAPE):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=starts[layer, probe].item())
        theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode="max", factor=factor, patience=patience, threshold=0, threshold_mode="abs", eps=0
        )
        for epoch in range(EPOCHS):
            theirs.step(scores[layer, probe, epoch].item())
            assert sizes[epoch][layer, probe].item() == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12, abs=0)


def follow_one(scores, patience):
    """One probe, slowly: for each epoch whether it is at its best and whether it goes on; and its best epoch."""
    best, best_epoch, story, runs = -np.inf, 0, [], True
    for epoch, score in enumerate(scores, start=1):
        is_best = bool(runs and np.isfinite(score) and score >= best)
        if is_best:
            best, best_epoch = score, epoch
        if patience is not None and epoch - best_epoch >= patience:
            runs = False
        story.append((is_best, runs))
    return story, best_epoch


@pytest.mark.parametrize("patience", [None, 1, 2, 5])
def test_each_probe_has_its_own_best_epoch_and_end(patience):
    scores, schedule, seen = draw_scores(7), make_schedule(patience=patience), []
    for epoch in range(EPOCHS):
        is_best = schedule.observe(scores[..., epoch])
        seen.append((is_best, schedule.is_running.clone()))
    for place in np.ndindex(SHAPE):
        story, best_epoch = follow_one(scores[place].tolist(), patience)
        assert [(is_best[place].item(), runs[place].item()) for is_best, runs in seen] == story
        assert schedule.best_epoch[place] == best_epoch
    assert schedule.is_running.any() == (patience is None)


@pytest.mark.parametrize("kind", ["plateau", "linear", "constant"])
def test_probes_that_are_kept_go_on_as_if_the_others_had_never_been(kind):
    scores, settings = draw_scores(3), {"schedule": kind, "patience": 30}
    whole, kept = make_schedule(**settings), make_schedule(**settings)
    layers, probes = torch.tensor([1, 0]), torch.tensor([[4, 0], [2, 3]])
    place = layers[:, None], probes
    for epoch in range(EPOCHS):
        if epoch == 10:
            kept.keep(layers, probes)
        one = scores[..., epoch]
        is_best = whole.observe(one), kept.observe(one if epoch < 10 else one[place])
        size = whole.next_step(), kept.next_step()
        if epoch >= 10:
            assert torch.equal(is_best[0][place], is_best[1])
            assert torch.equal(size[0][place], size[1])
    for name in ("best_score", "best_epoch", "bad_epochs", "is_running"):
        assert torch.equal(getattr(whole, name)[place], getattr(kept, name))


def test_a_linear_step_size_stays_at_zero_when_the_steps_are_over():
    schedule = Schedule(FitConfig(), 2, torch.tensor([[8.0]]))
    assert [schedule.next_step().item() for _ in range(4)] == [8.0, 4.0, 0.0, 0.0]


# Every bank cuts its steps and ends its probes by itself; every kind of probe and of optimiser is there.
# By likelihood: accuracies of 80 rows are often equal, and of equals the later is best.
ENDING = {
    "step_size": 0.1,
    "schedule": "plateau",
    "plateau_factor": 0.3,
    "plateau_patience": 1,
    "epochs": 14,
    "select": "log_likelihood",
}
BANKS = [
    {"patience": 1},
    {"patience": 2, "optimizer": "sgd", "step_size": 0.5},
    {"patience": 3, "rank": 2, "optimizer": "adamw", "weight_decay": 0.1},
    {"patience": 1, "probe": "mlp", "hidden": (5,), "dropout": 0.3, "input_dropout": 0.1},
    {"patience": 2, "probe": "mlp", "hidden": (5, 4), "activation": "tanh", "dropout": 0.3, "optimizer": "adamw"},
]


@pytest.fixture(scope="module")
def ended():
    """(problem, configs, shapes, banks, batches of train) of one stack of five banks that end at their own times."""
    problem = make_problem(num_layers=2)
    configs = [FitConfig(**ENDING | settings) for settings in BANKS]
    shapes = [make_shape(config, 2) for config in configs]
    return problem, configs, shapes, *fit_banks(*problem, configs, shapes)


@pytest.mark.parametrize("number", range(len(BANKS)))
def test_banks_that_end_at_different_epochs_equal_probes_fitted_alone(ended, number):
    (states, wanted), configs, shapes, banks, _ = ended
    together = banks[number].result()
    assert len({bank.schedule.epoch for bank in banks}) > 1
    for layer, probe in np.ndindex(2, 4):
        place = slice(layer, layer + 1)
        alone_states = {split: part[place] for split, part in states.items()}
        shape = take_probes(shapes[number], place, [probe])
        (bank,), _ = fit_banks(alone_states, wanted, [configs[number]], [shape])
        alone = bank.result()
        for name, value in alone.parameters.items():
            assert (together.parameters[name][layer, probe] - value[0, 0]).abs().max() < 1e-10
        assert together.epochs[layer, probe] == alone.epochs[0, 0]
        assert together.accuracy[layer, probe] == alone.accuracy[0, 0]
        assert abs(together.loss[layer, probe] - alone.loss[0, 0]) < 1e-10
        ours = answers_of(banks[number], together, states, layer, (layer, probe))
        assert torch.equal(ours, answers_of(bank, alone, alone_states, 0, (0, 0)))


def test_layers_are_read_until_the_last_bank_has_left_them(ended):
    *_, banks, batches = ended
    assert all(len(bank.layers) == 0 for bank in banks)
    assert len(set(map(len, batches.history))) == 2
    # The stack ends with its last bank, and before the last epoch.
    assert len(batches.history) == max(bank.schedule.epoch for bank in banks) < 14
    # No layer comes back.
    assert all(set(later) <= set(earlier) for earlier, later in zip(batches.history, batches.history[1:], strict=False))


def end_epoch(bank, accuracy, loss=1.0):
    """An epoch whose scores [layer, probe] on dev are given."""
    bank.start_dev()
    bank.tally.rows = 1
    bank.tally.right = torch.tensor(accuracy).double()
    bank.tally.loss = torch.full_like(bank.tally.right, 1.0) * torch.tensor(loss).double()
    bank.end_epoch()


def fill(bank, value):
    for weight in bank.weights.values():
        weight.data.fill_(value)


@pytest.fixture
def bank():
    """Three layers of four probes that end one epoch after their best."""
    config = FitConfig(patience=1, schedule="constant")
    made = make_bank(*make_problem(), config, make_shape(config, 3))
    made.place(torch.device("cpu"))
    return made


def test_tensors_shrink_to_the_probes_that_run_and_best_weights_stay(bank):
    basis, penalty = bank.basis.clone(), bank.penalty.clone()
    fill(bank, 1)
    end_epoch(bank, [[0.5] * 4] * 3)
    fill(bank, 2)
    # Layer 0 has ended; probe 2 goes on at layer 1, probes 1 and 3 at layer 2.
    end_epoch(bank, [[0.4] * 4, [0.4, 0.4, 0.5, 0.4], [0.4, 0.625, 0.4, 0.625]])
    assert bank.layers.tolist() == [1, 2]
    assert bank.probes.tolist() == [[2, 0], [1, 3]]
    assert {name: tuple(value.shape) for name, value in bank.weights.items()} == {
        "weight_0": (2, 2, 3, 6),
        "bias_0": (2, 2, 3, 1),
    }
    assert bank.l2.shape == bank.target_of.shape == bank.schedule.step_size.shape == (2, 2)
    assert all(value.shape == bank.weights[name].shape for name, value in bank.optimizer.first.items())
    assert torch.equal(bank.basis, basis[1:])
    assert torch.equal(bank.penalty, penalty[1:])
    assert bank.logits(torch.zeros(2, 9, 6).double()).shape == (2, 2, 3, 9)
    fill(bank, 3)
    # The finished probe 0 that fills a place at layer 1 is never best any more.
    end_epoch(bank, [[0.3, 0.9], [0.75, 0.3]])
    assert (bank.layers.tolist(), bank.probes.tolist()) == ([2], [[1]])
    best = [[1, 1, 1, 1], [1, 1, 2, 1], [1, 3, 1, 2]]
    assert bank.best_epoch.tolist() == best
    fill(bank, 9)  # best weights are copies
    assert all(torch.equal(value[:, :, 0, 0], torch.tensor(best).double()) for value in bank.best.values())
    assert bank.result().accuracy[2].tolist() == [0.5, 0.75, 0.5, 0.625]


@pytest.mark.parametrize("patience", [1, 2, 9, None])
def test_a_probe_that_diverges_is_reported_whatever_its_patience(bank, patience):
    check_divergence(bank, patience)


def check_divergence(bank, patience):
    bank.config = bank.schedule.config = bank.config.model_copy(update={"patience": patience})
    end_epoch(bank, [[0.5] * 4] * 3)
    end_epoch(bank, [[0.5] * 4] * 3, [[1.0] * 4, [1.0, torch.nan, 1.0, 1.0], [1.0, 1.0, 1.0, torch.inf]])
    assert bank.has_diverged.nonzero().tolist() == [[1, 1], [2, 3]]
    assert bank.best_epoch[bank.has_diverged].tolist() == [1, 1]


@pytest.mark.parametrize("settings", [{}, {"rank": 2}, {"probe": "mlp", "hidden": (5,), "dropout": 0.3}])
def test_a_probe_that_diverges_beside_others_changes_no_bit_of_them(settings):
    problem, config = make_problem(), FitConfig(step_size=0.05, epochs=4, **settings)

    def fit(step_size, probes):
        shape = make_shape(config, 3)
        shape.step_size[1, 3] = step_size
        (bank,), _ = fit_banks(*problem, [config], [take_probes(shape, slice(None), probes)])
        return bank.result()

    found, healthy, without = fit(1e308, range(4)), fit(0.05, range(4)), fit(0.05, range(3))
    assert found.has_diverged.nonzero().tolist() == [[1, 3]]
    # It never was at its best, and so it is left as it began.
    assert found.epochs[1, 3] == 0
    assert torch.equal(found.white[1, 3], make_bank(*problem, config, make_shape(config, 3)).weights["weight_0"][1, 3])
    others = ~found.has_diverged
    for name, value in healthy.parameters.items():
        assert torch.equal(found.parameters[name][others], value[others])
        # A product of three probes is summed in another order than one of four, diverged or not.
        assert (found.parameters[name][:, :3] - without.parameters[name]).abs().max() < 1e-13
    for name in ("loss", "accuracy", "epochs"):
        assert torch.equal(getattr(found, name)[others], getattr(healthy, name)[others])
    assert torch.equal(found.epochs[:, :3], without.epochs)
