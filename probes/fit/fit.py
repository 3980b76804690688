"""From a cache and its labels to one chosen probe for each layer and target, for all questions at once."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from probes.cache import Cache
from probes.config import FitConfig
from probes.fit.bank import Bank, BankShape, BestProbes
from probes.fit.choose import Grid, choose_settings, list_settings
from probes.fit.distance import Chosen, Distance, measure_gaps
from probes.fit.exact import solve_exact
from probes.fit.family import make_family
from probes.fit.feature import check_dev, measure_features
from probes.fit.fitted import FittedProbes
from probes.fit.problem import Problem, arithmetic
from probes.fit.question import SPLITS, Question
from probes.fit.read import Layer, SplitRows
from probes.fit.stack import fit_stack, plan_steps
from probes.seed import stream_seed
from probes.types import Task

Layers = Mapping[str, Sequence[Layer]]


def fit_probes(cache: Cache, tasks: Sequence[Task], config: FitConfig, *, seed: int) -> FittedProbes:
    """The probes of one task: `tasks[0]` is the task, the others its control draws over the same rows."""
    return fit_questions(cache, [Question(tasks[0], tuple(tasks[1:]), config)], seed=seed)[0]


def fit_questions(cache: Cache, questions: Sequence[Question], *, seed: int) -> list[FittedProbes]:
    """The probes of every question over the rows of a cache; test is not read."""
    layers = {split: [cache.layer(layer, split) for layer in range(len(cache.layers))] for split in SPLITS}
    return fit_layers(layers, questions, seed=seed)


def fit_layers(layers: Layers, questions: Sequence[Question], *, seed: int) -> list[FittedProbes]:
    """Fit every layer x setting x target of every question, choosing each layer's setting on dev.

    Questions over the same rows with the same plan of batches share one stack: each batch is read once for all.
    `layers` has the states [row, dim] of every layer for train and dev, as they are or edited when they are read.
    Raises FitError for states, labels or weights that are not finite.
    """
    fitted: dict[int, FittedProbes] = {}
    left = list(range(len(questions)))
    while left:
        together = [number for number in left if _share_stack(questions[left[0]], questions[number])]
        left = [number for number in left if number not in together]
        fitted |= dict(zip(together, _fit_together(layers, [questions[n] for n in together], seed), strict=True))
    return [fitted[number] for number in range(len(questions))]


def _share_stack(one: Question, other: Question) -> bool:
    keys = ("features", "precision", "batch_rows", "epochs", "min_steps", "solver")
    same_plan = all(getattr(one.config, key) == getattr(other.config, key) for key in keys)
    return same_plan and one.is_over_rows_of(other)


def _fit_together(layers: Layers, questions: Sequence[Question], seed: int) -> list[FittedProbes]:
    config, task = questions[0].config, questions[0].task
    rows = {split: SplitRows(layers[split], task.splits[split].index, task.product) for split in SPLITS}
    problem = Problem(rows, measure_features(rows["train"], seed, config.features), config, seed)
    check_dev(rows["dev"])
    first = _solve(problem, [(question, [question.task], None) for question in questions])
    grids = [
        choose_settings(question.config, best.accuracy.numpy(), best.loss.numpy())
        for question, best in zip(questions, first, strict=True)
    ]
    # A control takes the settings of its task: it is fitted when they are known, and once.
    controlled = [number for number, question in enumerate(questions) if question.controls]
    second = _solve(problem, [(questions[n], list(questions[n].controls), grids[n]) for n in controlled])
    controls = dict(zip(controlled, second, strict=True))
    chosen = [
        Chosen(question, grid, _join(_pick(best, grid), controls.get(number)))
        for number, (question, grid, best) in enumerate(zip(questions, grids, first, strict=True))
    ]
    distances = measure_gaps(problem, chosen)
    return [_finish(problem, one, distance) for one, distance in zip(chosen, distances, strict=True)]


def _solve(problem: Problem, parts: Sequence[tuple[Question, list[Task], Grid | None]]) -> list[BestProbes]:
    if not parts:
        return []
    if problem.config.solver == "exact":
        return [solve_exact(problem, question, tasks, grid) for question, tasks, grid in parts]
    config, train = problem.config, problem.rows["train"]
    _, epochs = plan_steps(len(train), config)
    master = torch.float64 if config.precision == "float64" else torch.float32
    batches = problem.batches("train", arithmetic(config), stream_seed(problem.seed, "fit"))
    dev = problem.batches("dev", master)
    banks = [
        Bank(
            _shape(question, tasks, grid, len(train.layers)),
            {split: question.wanted(split, tasks) for split in SPLITS},
            problem.statistics,
            question.config,
            num_steps=epochs * len(batches),
            seed=problem.seed,
            dtype=master,
        )
        for question, tasks, grid in parts
    ]
    fit_stack(banks, batches, dev, epochs=epochs, seed=problem.seed)
    return [bank.result() for bank in banks]


def _shape(question: Question, tasks: Sequence[Task], grid: Grid | None, num_layers: int) -> BankShape:
    """Every candidate for the task; for controls the one that was chosen at each layer."""
    if grid is None:
        settings = list_settings(question.config)
        by_layer = [settings] * num_layers
        target_of = torch.zeros(len(settings), dtype=torch.long)
    else:
        by_layer = [[grid.chosen(layer)] * len(tasks) for layer in range(num_layers)]
        target_of = torch.arange(len(tasks))
    l2 = torch.tensor([[setting.l2 for setting in settings] for settings in by_layer], dtype=torch.float64)
    step = torch.tensor([[setting.step_size for setting in settings] for settings in by_layer], dtype=torch.float64)
    return BankShape(
        make_family(question.config), question.answer, question.num_outputs, target_of, l2, step, question.partner
    )


_BY_PROBE = ("white", "epochs", "accuracy", "loss", "has_diverged", "gap", "converged")


def _pick(best: BestProbes, grid: Grid) -> BestProbes:
    """The chosen candidate of each layer, as the only probe."""
    every, choice = torch.arange(len(grid.choice)), torch.from_numpy(grid.choice)

    def take(values: Tensor) -> Tensor:
        return values[every, choice][:, None]

    parameters = {name: take(value) for name, value in best.parameters.items()}
    curve = None if best.dev_curve is None else best.dev_curve[:, every, choice][:, :, None]
    return BestProbes(parameters, **{name: take(getattr(best, name)) for name in _BY_PROBE}, dev_curve=curve)


def _join(task: BestProbes, controls: BestProbes | None) -> BestProbes:
    if controls is None:
        return task
    parameters = {name: torch.cat([value, controls.parameters[name]], dim=1) for name, value in task.parameters.items()}
    joined = {name: torch.cat([getattr(task, name), getattr(controls, name)], dim=1) for name in _BY_PROBE}
    return BestProbes(parameters, **joined, dev_curve=task.dev_curve)


def _finish(problem: Problem, chosen: Chosen, distance: Distance) -> FittedProbes:
    question, grid, best = chosen.question, chosen.grid, chosen.best
    gap, converged, kind = distance
    mean, spread = question.unit
    scale = problem.statistics.scale
    return FittedProbes(
        config=question.config,
        answer=question.answer,
        labels=question.task.labels,
        targets=question.targets,
        product=question.task.product,
        parameters={name: value.float().numpy() for name, value in best.parameters.items()},
        mean=scale.mean.numpy(),
        inverse_std=scale.inverse_std.numpy(),
        output_mean=mean.numpy(),
        output_std=spread.numpy(),
        grid=grid,
        epochs=best.epochs.numpy(),
        dev_accuracy=best.accuracy.numpy(),
        gap=gap.numpy(),
        gap_kind=kind,
        converged=converged.numpy(),
        has_diverged=best.has_diverged.numpy(),
        dev_curve=None if best.dev_curve is None else best.dev_curve[:, :, 0].numpy(),
    )
