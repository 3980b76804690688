"""Linear probes at their optimum: every penalty of the task, then the controls under the penalty that was chosen."""

from collections.abc import Sequence

import torch
from torch import Tensor

from probes.errors import FitError
from probes.fit.bank import BestProbes
from probes.fit.choose import Grid, list_settings
from probes.fit.family import Chain, keep_all
from probes.fit.loss import Tally
from probes.fit.newton import Solution, solve_logistic
from probes.fit.problem import Problem
from probes.fit.question import Question
from probes.fit.read import CHUNK_ROWS
from probes.fit.ridge import solve_ridge
from probes.fit.search import NewtonSettings
from probes.types import Task


def solve_exact(problem: Problem, question: Question, tasks: Sequence[Task], grid: Grid | None) -> BestProbes:
    """The optimum of each layer, for every candidate penalty, or for the chosen one where a grid is given.

    Raises FitError for tasks with several labels an example, whose optimum `stack` approaches.
    """
    if question.answer == "labels":
        raise FitError(
            f"Solver 'exact' is for one class or for numbers, but task {question.task.name!r} has several labels an "
            f"example. Use fit.solver=stack."
        )
    wanted = {split: question.wanted(split, tasks) for split in ("train", "dev")}
    layers = [
        _solve_layer(problem, question, wanted, grid, layer) for layer in range(len(problem.rows["train"].layers))
    ]
    names = ("epochs", "accuracy", "loss", "has_diverged", "gap", "converged", "white")
    parameters = {name: torch.cat([one.parameters[name] for one in layers]) for name in layers[0].parameters}
    return BestProbes(parameters, **{name: torch.cat([getattr(one, name) for one in layers]) for name in names})


def _solve_layer(
    problem: Problem, question: Question, wanted: dict[str, Tensor], grid: Grid | None, layer: int
) -> BestProbes:
    rows, statistics = problem.rows["train"], problem.statistics
    if grid is None:
        l2 = torch.tensor([[setting.l2] for setting in list_settings(question.config)], dtype=torch.float64)
    else:
        l2 = torch.full((1, len(wanted["train"])), grid.chosen(layer).l2, dtype=torch.float64)
    if question.answer == "number":
        solution = solve_ridge(rows, layer, statistics, wanted["train"], l2=l2)
    else:
        settings = NewtonSettings(low_precision=question.config.precision in ("auto", "bfloat16"), seed=problem.seed)
        labels = wanted["train"].long()
        solution = solve_logistic(rows, layer, statistics, labels, question.num_outputs, l2=l2, settings=settings)
    return _describe(problem, question, solution, wanted["dev"], layer)


def _describe(problem: Problem, question: Question, solution: Solution, dev: Tensor, layer: int) -> BestProbes:
    """One layer's solution with its scores on dev; probes are penalty by penalty, target by target."""
    num_penalties, num_targets = solution.gap.shape
    parameters = {
        "weight_0": solution.weights.flatten(0, 1)[None].float(),
        "bias_0": solution.bias.flatten(0, 1)[None, ..., None].float(),
    }
    tally = Tally.empty(question.answer, (1, num_penalties * num_targets), question.partner)
    rows = problem.rows["dev"]
    for start in range(0, len(rows), CHUNK_ROWS):
        states = rows.chunk(start, [layer], problem.statistics.scale)
        chosen = dev[:, start : start + states.shape[1]].repeat(num_penalties, *[1] * (dev.ndim - 1))[None]
        answers = Chain().logits(parameters, states, keep_all)
        tally.add(answers, chosen.long() if question.answer == "class" else chosen.transpose(2, 3))
    gap = solution.gap.flatten()[None]
    tolerance = 1e-5 * solution.objective.abs().clamp_min(1e-30).flatten()[None]
    return BestProbes(
        parameters=parameters,
        white=torch.zeros(*parameters["weight_0"].shape[:3], 0),
        epochs=torch.full(gap.shape, solution.passes),
        accuracy=tally.accuracy(),
        loss=tally.mean_loss(),
        has_diverged=torch.zeros(gap.shape, dtype=torch.bool),
        gap=gap,
        converged=gap <= tolerance,
    )
