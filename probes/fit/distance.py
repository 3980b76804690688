"""How far the chosen probes are from their optimum, and whether that is near enough."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from probes.fit.bank import BestProbes
from probes.fit.choose import Grid
from probes.fit.feature import sample_examples
from probes.fit.gap import CONVERGED_GAP, SAMPLE_ROWS, LinearProbes, estimate_gap
from probes.fit.newton import solve_logistic
from probes.fit.problem import Problem, arithmetic
from probes.fit.question import Question
from probes.fit.read import CHUNK_ROWS
from probes.fit.search import NewtonSettings

Distance = tuple[Float[Tensor, "layer target"], Bool[Tensor, "layer target"], str]


@dataclass(frozen=True)
class Chosen:
    """A question with the probes that were chosen for it, one for each layer and target."""

    question: Question
    grid: Grid
    best: BestProbes

    @property
    def l2(self) -> Float[Tensor, " layer"]:
        return torch.tensor([self.grid.chosen(layer).l2 for layer in range(len(self.grid.choice))])

    @property
    def kind(self) -> str:
        """How its distance is found: `exact` by the solver itself or beside it, `estimate`, or `none`."""
        config = self.question.config
        if config.solver == "exact":
            return "exact"
        return config.gap if config.has_optimum and self.question.answer == "class" else "none"


def measure_gaps(problem: Problem, every: Sequence[Chosen]) -> list[Distance]:
    """Nats for each training row between objective and minimum, whether they count as converged, and how that is known.

    The exact solver knows its own (converged: 1e-5 of the objective). For the stack it is an estimate, made in one
    pass for all questions, or with `fit.gap: exact` the objective minus that of the exact solver (converged: .01
    nats). NaN where the problem has no single optimum.
    """
    estimates = _estimate(problem, [one for one in every if one.kind == "estimate"])
    distances = []
    for one in every:
        if one.question.config.solver == "exact":
            distances.append((one.best.gap, one.best.converged, "exact"))
        elif one.kind == "none":
            nothing = torch.full(one.best.accuracy.shape, torch.nan, dtype=torch.float64)
            distances.append((nothing, one.best.converged, "none"))
        else:
            gap = next(estimates) if one.kind == "estimate" else _solve(problem, one.question, one.grid, one.best)
            distances.append((gap, gap <= CONVERGED_GAP, one.kind))
    return distances


def _estimate(problem: Problem, every: Sequence[Chosen]) -> Iterator[Tensor]:
    """The gaps [layer, target] of each question; those with as many labels are measured side by side."""
    gaps: dict[int, Tensor] = {}
    for size in {one.question.num_outputs for one in every}:
        numbers = [number for number, one in enumerate(every) if one.question.num_outputs == size]
        together = _estimate_together(problem, [every[number] for number in numbers])
        widths = [every[number].best.white.shape[1] for number in numbers]
        gaps |= dict(zip(numbers, together.split(widths, dim=1), strict=True))
    return iter([gaps[number] for number in range(len(every))])


def _estimate_together(problem: Problem, every: Sequence[Chosen]) -> Tensor:
    statistics, rows, dtype = problem.statistics, problem.rows["train"], arithmetic(problem.config)
    probes = LinearProbes(
        weights=torch.cat([one.best.white.float() for one in every], dim=1),
        bias=torch.cat([one.best.parameters["bias_0"][..., 0].float() for one in every], dim=1),
        penalty=torch.cat(
            [(statistics.penalty * one.l2[:, None])[:, None].expand(-1, one.best.white.shape[1], -1) for one in every],
            dim=1,
        ),
        basis=statistics.basis,
    )
    wanted = torch.cat([one.question.wanted("train", [one.question.task, *one.question.controls]) for one in every])
    chosen = sample_examples(len(rows), SAMPLE_ROWS, problem.seed, "fit.gap")
    sample = rows.take(chosen)
    out = torch.empty(
        (len(rows.layers), len(chosen), rows.num_features),
        dtype=torch.float32 if dtype == torch.float64 else dtype,
    )
    states = sample.read([(0, len(chosen))], range(len(rows.layers)), statistics.scale, out=out)
    batches = ((batch, wanted[:, examples]) for batch, examples in problem.batches("train", states.dtype))
    with torch.inference_mode():
        return estimate_gap(probes, batches, states).double()


def _solve(problem: Problem, question: Question, grid: Grid, best: BestProbes) -> Tensor:
    wanted = question.wanted("train", [question.task, *question.controls]).long()
    gaps = []
    for layer in range(len(grid.choice)):
        l2 = grid.chosen(layer).l2
        weights, bias = best.parameters["weight_0"][layer].double(), best.parameters["bias_0"][layer, ..., 0].double()
        own = _objective(problem, layer, weights, bias, wanted) + l2 / 2 * weights.square().sum(dim=(1, 2))
        solution = solve_logistic(
            problem.rows["train"],
            layer,
            problem.statistics,
            wanted,
            question.num_outputs,
            l2=[l2],
            settings=NewtonSettings(seed=problem.seed),
            start=(weights, bias),
        )
        gaps.append(own - solution.objective[0])
    return torch.stack(gaps)


def _objective(problem: Problem, layer: int, weights: Tensor, bias: Tensor, wanted: Tensor) -> Tensor:
    """Mean negative log-likelihood of each target, in float64."""
    rows, total = problem.rows["train"], torch.zeros(len(weights), dtype=torch.float64)
    for start in range(0, len(rows), CHUNK_ROWS):
        states = rows.chunk(start, [layer], problem.statistics.scale, torch.float64)[0]
        log_shares = (weights @ states.T + bias[..., None]).log_softmax(dim=1)
        chosen = wanted[:, None, start : start + len(states)]
        total -= log_shares.gather(1, chosen).sum(dim=(1, 2))
    return total / len(rows)
