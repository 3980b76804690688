"""Regularised multinomial logistic regression of one layer to its optimum, many targets and penalties at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.errors import FitError
from probes.fit.feature import FeatureStatistics
from probes.fit.read import SplitRows
from probes.fit.sample import measure_leverage
from probes.fit.search import Found, NewtonSettings, Regression, Rung, Search, advance
from probes.fit.softmax import LayerRows

Penalties = Sequence[float] | Float[Tensor, "penalty target"]

# From zero weights, Newton steps at a weak penalty overshoot for a dozen passes; through stronger ones they do not.
LEADING_L2 = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True, slots=True)
class Solution:
    """Weights on standardised features, their objective in nats a row, and how far it may be from the optimum.

    `gap` is half the Newton decrement: the gradient is float64 over all rows; the Hessian comes from 32,768
    rows or more, drawn by their part in it (all rows if there are no more), and conjugate gradients end when their
    second half adds less than a fiftieth. `passes` counts passes over the rows, each for all targets that wanted one.
    """

    weights: Float[Tensor, "penalty target output feature"]
    bias: Float[Tensor, "penalty target output"]
    objective: Float[Tensor, "penalty target"]
    gap: Float[Tensor, "penalty target"]
    passes: int


def solve_logistic(
    rows: SplitRows,
    layer: int,
    statistics: FeatureStatistics,
    labels: Int[Tensor, "target row"],
    num_outputs: int,
    *,
    l2: Penalties,
    settings: NewtonSettings | None = None,
    start: tuple[Float[Tensor, "target output feature"], Float[Tensor, "target output"]] | None = None,
) -> Solution:
    """Minima of mean negative log-likelihood + l2/2 |W|^2 on standardised features, bias free of penalty.

    Truncated Newton with Hessians from a sample of rows (Byrd et al. 2011, section 3), each target from its
    strongest penalty to its weakest. Directions in which `statistics` sees noise only keep weight 0. A problem that
    `max_iterations` do not finish is returned with the gap it has.
    Raises FitError for no rows, or a label outside 0 .. num_outputs - 1.
    """
    _check(rows, layer, labels, num_outputs)
    labels, settings = labels.long(), settings or NewtonSettings()
    penalties = spread_penalties(l2, len(labels))
    source = LayerRows(rows, layer, statistics.scale)
    # An eigenvector is not exactly 0 on a dimension that is.
    basis = statistics.basis[layer].double() * ~statistics.is_dead[layer, :, None]
    basis = torch.block_diag(basis, torch.ones(1, 1, dtype=torch.float64))
    leverage = measure_leverage(source, statistics.basis[layer])
    ladders = [_ladder(column, start is None) for column in penalties.T.tolist()]
    regression = Regression(source, labels, ladders, basis, leverage, settings)
    point = _first_point(labels, num_outputs, rows.num_features) if start is None else _join(*start)
    far = torch.full(penalties.shape, torch.inf, dtype=torch.float64)
    found = Found(point.expand(len(penalties), *point.shape).clone(), far, far.clone(), passes=1)
    search = Search.at(point, len(rows))
    while search.is_open(regression).any():
        for is_fine in (False, True):
            advance(regression, search, found, is_fine)
    return Solution(found.point[..., :-1], found.point[..., -1], found.objective, found.gap, found.passes)


def spread_penalties(l2: Penalties, num_targets: int) -> Float[Tensor, "penalty target"]:
    """A penalty for each target, in float64."""
    penalties = torch.as_tensor(l2, dtype=torch.float64)
    return penalties if penalties.ndim == 2 else penalties[:, None].expand(-1, num_targets)


def _check(rows: SplitRows, layer: int, labels: Int[Tensor, "target row"], num_outputs: int) -> None:
    if len(rows) == 0:
        raise FitError(
            f"A fit needs at least one training row, but layer {layer} got none. "
            f"Check the train split of the task, or the portion of it that is fitted."
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_outputs:
        target = int(((labels < 0) | (labels >= num_outputs)).any(dim=1).nonzero()[0, 0])
        raise FitError(
            f"Labels should be 0 to {num_outputs - 1}, but target {target} of layer {layer} has "
            f"{int(labels[target].min())} to {int(labels[target].max())}. "
            f"Number the labels of the task from 0, or ask for more outputs."
        )


def _ladder(penalties: Sequence[float], is_cold: bool) -> list[Rung]:
    """A target's penalties from the strongest to the weakest, and before them, by tens, those that lead to them."""
    order = sorted(range(len(penalties)), key=lambda place: -penalties[place])
    first = [Rung(l2, None) for l2 in LEADING_L2 if l2 > 3 * penalties[order[0]]] if is_cold else []
    return first + [Rung(penalties[place], place) for place in order]


def _first_point(labels: Int[Tensor, "target row"], num_outputs: int, num_features: int) -> Tensor:
    """Zero weights, and the log of each label's share; a label that no row has is all but impossible."""
    counts = torch.stack([torch.bincount(one, minlength=num_outputs) for one in labels]).double()
    point = torch.zeros(len(labels), num_outputs, num_features + 1, dtype=torch.float64)
    point[..., -1] = ((counts + 1e-9) / labels.shape[1]).log()
    return point


def _join(weights: Tensor, bias: Tensor) -> Tensor:
    return torch.cat([weights, bias[..., None]], dim=-1).double()
