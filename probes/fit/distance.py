"""How far the chosen probes are from their optimum, and whether that is near enough."""

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
from probes.fit.read import CHUNK_ROWS, SplitRows
from probes.fit.search import NewtonSettings

Distance = tuple[Float[Tensor, "layer target"], Bool[Tensor, "layer target"], str]


def measure_gap(problem: Problem, question: Question, grid: Grid, best: BestProbes) -> Distance:
    """Nats for each training row between objective and minimum, whether they count as converged, and how that is known.

    The exact solver knows its own (converged: 1e-5 of the objective). For the stack it is an estimate, or with
    `fit.gap: exact` the objective minus that of the exact solver (converged: .01 nats). NaN where the problem has no
    single optimum.
    """
    config = question.config
    if config.solver == "exact":
        return best.gap, best.converged, "exact"
    if config.gap == "none" or not config.has_optimum or question.answer != "class":
        return torch.full(best.accuracy.shape, torch.nan, dtype=torch.float64), best.converged, "none"
    find = _solve if config.gap == "exact" else _estimate
    gap = find(problem, question, grid, best)
    return gap, gap <= CONVERGED_GAP, config.gap


def _estimate(problem: Problem, question: Question, grid: Grid, best: BestProbes) -> Tensor:
    statistics, rows = problem.statistics, problem.rows["train"]
    l2 = torch.tensor([grid.chosen(layer).l2 for layer in range(len(grid.choice))])
    penalty = statistics.penalty * l2[:, None]
    probes = LinearProbes(best.white.float(), best.parameters["bias_0"][..., 0].float(), penalty, statistics.basis)
    wanted = question.wanted("train", [question.task, *question.controls])
    config_dtype = arithmetic(problem.config)
    chosen = sample_examples(len(rows), SAMPLE_ROWS, problem.seed, "fit.gap")
    sample = SplitRows(rows.layers, rows.index[chosen])
    dtype = torch.float32 if config_dtype == torch.float64 else config_dtype
    out = torch.empty((len(rows.layers), len(chosen), rows.num_features), dtype=dtype)
    states = sample.read([(0, len(chosen))], range(len(rows.layers)), statistics.scale, out=out)
    batches = ((batch, wanted[:, examples]) for batch, examples in problem.batches("train", torch.float32))
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
