"""The state of a Newton search: where each target stands, at which penalty, and what was found."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from probes.fit.block import invert_blocks, measure_blocks
from probes.fit.curvature import BLOCK_ROWS, Curvature, measure_curvature
from probes.fit.direction import find_direction, limit_step
from probes.fit.sample import draw_rows
from probes.fit.softmax import LayerRows, measure_slope

# Rows behind a Hessian, twice as many after each step that was no better; a sample holds at most 2**25 numbers.
SAMPLE_ROWS = 32_768
SAMPLE_NUMBERS = 2**25
# Products after which conjugate gradients are slow enough for blocks to pay.
SLOW_PRODUCTS = 60
# Shares of the objective. Below ROUGH a stronger penalty has led near enough. Products in bfloat16 do not see a gap
# much below FINE; they move the objective itself by less than COARSE_NOISE, float64 by less than FINE_NOISE.
ROUGH, FINE = 0.03, 1e-3
COARSE_NOISE, FINE_NOISE = 1e-2, 1e-9


@dataclass(frozen=True, slots=True)
class NewtonSettings:
    """`tolerance` is the gap at which a regression ends, as a share of its objective.

    `max_iterations` holds for each penalty of a target. With `low_precision` products far from the optimum are
    bfloat16, else float32; near it they are float64.
    """

    tolerance: float = 5e-6
    max_iterations: int = 50
    low_precision: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Rung:
    """One penalty of one target; `place` is its row in the solution, None where it only leads to the next."""

    l2: float
    place: int | None


@dataclass(frozen=True, slots=True)
class Regression:
    """What is asked. A point on features and bias is a point in white coordinates @ `basis` transposed."""

    source: LayerRows
    labels: Int[Tensor, "target row"]
    ladders: list[list[Rung]]
    basis: Float[Tensor, "feature_and_bias white_and_bias"]
    leverage: Float[Tensor, " row"]
    settings: NewtonSettings

    def project(
        self, point: Float[Tensor, "target output feature_and_bias"]
    ) -> Float[Tensor, "target output white_and_bias"]:
        """White coordinates of a point: the columns of the basis are orthogonal."""
        length = self.basis.square().sum(dim=0)
        return point @ self.basis / torch.where(length > 0, length, 1)


@dataclass(slots=True)
class Found:
    """Solutions so far."""

    point: Float[Tensor, "penalty target output feature_and_bias"]
    objective: Float[Tensor, "penalty target"]
    gap: Float[Tensor, "penalty target"]
    passes: int = 0


@dataclass(slots=True)
class Search:
    """One entry for each target: `point` was accepted, `point` + `step` is measured next.

    `objective` and `gap` are those of `point`, `noise` is the share of the objective that its dtype may hide.
    """

    point: Float[Tensor, "target output feature_and_bias"]
    step: Float[Tensor, "target output feature_and_bias"]
    objective: Float[Tensor, " target"]
    gap: Float[Tensor, " target"]
    noise: Float[Tensor, " target"]
    mass: Float[Tensor, "target output"]
    doubt: Float[Tensor, "target row"]
    count: Int[Tensor, " target"]
    rung: Int[Tensor, " target"]
    is_slow: Bool[Tensor, " target"]
    blocks: list[Float[Tensor, "output white_and_bias white_and_bias"] | None]
    sample_rows: int

    @classmethod
    def at(cls, point: Float[Tensor, "target output feature_and_bias"], num_rows: int) -> "Search":
        """A search that begins at a point."""
        num_targets = len(point)
        far = torch.full((num_targets,), torch.inf, dtype=torch.float64)
        shares = torch.softmax(point[..., -1], dim=1)
        return cls(
            point=point,
            step=torch.zeros_like(point),
            objective=far,
            gap=far.clone(),
            noise=far.clone(),
            mass=shares * (1 - shares),
            doubt=torch.ones(num_targets, num_rows),
            count=torch.zeros(num_targets, dtype=torch.long),
            rung=torch.zeros(num_targets, dtype=torch.long),
            is_slow=torch.zeros(num_targets, dtype=torch.bool),
            blocks=[None] * num_targets,
            sample_rows=SAMPLE_ROWS,
        )

    def is_open(self, regression: Regression) -> Bool[Tensor, " target"]:
        return self.rung < torch.tensor([len(ladder) for ladder in regression.ladders])

    def is_fine(self, regression: Regression) -> Bool[Tensor, " target"]:
        """Whether the next pass is float64: near the optimum, or well on the way to giving up."""
        return (self.gap < FINE * self.objective) | (2 * self.count + 2 >= regression.settings.max_iterations)


@dataclass(frozen=True, slots=True)
class Look:
    """What a pass has seen at the points of some targets."""

    targets: Int[Tensor, " some"]
    loss: Float[Tensor, " some"]
    gradient: Float[Tensor, "some output feature_and_bias"]
    features: Float[Tensor, "sampled white"]
    share: Float[Tensor, " sampled"]
    is_fine: bool

    def __getitem__(self, chosen: Bool[Tensor, " some"]) -> "Look":
        return replace(self, targets=self.targets[chosen], loss=self.loss[chosen], gradient=self.gradient[chosen])


def advance(regression: Regression, search: Search, found: Found, is_fine: bool) -> None:
    """One pass over the rows for the targets that are open and want it, and the next step of each."""
    targets = (search.is_open(regression) & (search.is_fine(regression) == is_fine)).nonzero()[:, 0]
    if len(targets) == 0:
        return
    trial, look = _look(regression, search, found, targets, is_fine)
    look = look[_accept(regression, search, trial, look)]
    while len(look.targets):
        _turn(regression, search, look)
        look = look[_leave(regression, search, found, look)]


def _look(regression: Regression, search: Search, found: Found, targets: Tensor, is_fine: bool) -> tuple[Tensor, Look]:
    """The points that were tried and the pass over them."""
    coarse = torch.bfloat16 if regression.settings.low_precision else torch.float32
    dtype = torch.float64 if is_fine else coarse
    trial = regression.project(search.point[targets] + search.step[targets]) @ regression.basis.T
    trial = trial - trial.mean(dim=1, keepdim=True)
    # The gradient belongs to the point that the products see.
    trial = trial.to(dtype).double()
    size = min(search.sample_rows, max(1, SAMPLE_NUMBERS // regression.source.rows.num_features))
    kept, share = draw_rows(search.doubt[targets] * regression.leverage, size, regression.settings.seed, found.passes)
    mass = search.mass[targets].clamp_min(1e-12)
    slope = measure_slope(regression.source, regression.labels[targets], trial, mass, kept=kept, dtype=dtype)
    found.passes += 1
    search.mass[targets], search.doubt[targets] = slope.mass, slope.doubt
    turn = regression.basis[:-1, :-1].to(coarse)
    features = torch.cat([part.to(coarse) @ turn for part in slope.kept.split(BLOCK_ROWS)])
    return trial, Look(targets, slope.loss, slope.gradient, features, share, is_fine)


def _l2(regression: Regression, search: Search, targets: Tensor) -> Float[Tensor, "some 1 1"]:
    values = [regression.ladders[target][search.rung[target]].l2 for target in targets.tolist()]
    return torch.tensor(values, dtype=torch.float64)[:, None, None]


def _accept(regression: Regression, search: Search, trial: Tensor, look: Look) -> Bool[Tensor, " some"]:
    """Move to the points that are no worse than the last; a search that gives up goes back to its last point."""
    targets, l2 = look.targets, _l2(regression, search, look.targets)
    objective = look.loss + _ridge(trial, l2)
    new_noise = FINE_NOISE if look.is_fine else COARSE_NOISE
    noise = search.noise[targets].clamp_min(new_noise)
    is_back = (search.step[targets] == 0).all(dim=(1, 2))
    is_better = (objective <= (1 + noise) * search.objective[targets]) | is_back
    search.count[targets] += 1
    moved, kept = targets[is_better], targets[~is_better]
    search.point[moved], search.noise[moved] = trial[is_better], new_noise
    is_last = search.count[kept] >= regression.settings.max_iterations
    if len(kept) and search.sample_rows < len(regression.source):
        search.sample_rows *= 2
    search.step[kept] *= torch.where(is_last, 0, 0.25)[:, None, None]
    return is_better


def _turn(regression: Regression, search: Search, look: Look) -> None:
    """The next step of each target, and the gap before it."""
    targets = look.targets
    point, l2 = search.point[targets], _l2(regression, search, look.targets)
    objective = look.loss + _ridge(point, l2)
    has_penalty = torch.ones(point.shape[2], dtype=torch.float64)
    has_penalty[-1] = 0
    gradient = (look.gradient + l2 * has_penalty * point) @ regression.basis
    ridge = l2 * (has_penalty[:, None] * regression.basis).square().sum(dim=0)
    white = regression.project(point)
    curvature = _with_blocks(search, targets, measure_curvature(look.features, look.share, white, ridge))
    direction = find_direction(curvature, gradient, regression.settings.tolerance * objective)
    length = limit_step(curvature, white, gradient, direction.step)
    search.step[targets] = (length[:, None, None] * direction.step) @ regression.basis.T
    search.objective[targets], search.gap[targets] = objective, direction.gap
    search.is_slow[targets] = direction.num_products > SLOW_PRODUCTS


def _with_blocks(search: Search, targets: Tensor, curvature: Curvature) -> Curvature:
    """With the blocks of targets that have some; measured anew where conjugate gradients were slow the last time."""
    inverses: list[Tensor | None] = []
    for place, target in enumerate(targets.tolist()):
        if search.is_slow[target]:
            shares, diagonal = curvature.shares[place], curvature.diagonal[place]
            weight = (1 - shares).mul_(shares).mul_(curvature.share)
            search.blocks[target] = measure_blocks(curvature.features, weight, diagonal)
        blocks = search.blocks[target]
        inverses.append(None if blocks is None else invert_blocks(blocks, curvature.ridge[place]))
    return replace(curvature, inverses=tuple(inverses))


def _leave(regression: Regression, search: Search, found: Found, look: Look) -> Bool[Tensor, " some"]:
    """Note what is solved; true for targets that go on to another penalty, whose first step needs no pass."""
    has_next = torch.zeros(len(look.targets), dtype=torch.bool)
    for position, target in enumerate(look.targets.tolist()):
        rung = regression.ladders[target][search.rung[target]]
        enough = regression.settings.tolerance if rung.place is not None else ROUGH
        is_done = search.gap[target] <= enough * search.objective[target] and (look.is_fine or rung.place is None)
        if not is_done and search.count[target] < regression.settings.max_iterations:
            continue
        if rung.place is not None:
            place = (rung.place, target)
            found.point[place], found.objective[place] = search.point[target], search.objective[target]
            found.gap[place] = search.gap[target]
        search.rung[target] += 1
        search.count[target] = 0
        has_next[position] = search.rung[target] < len(regression.ladders[target])
    return has_next


def _ridge(point: Tensor, l2: Tensor) -> Float[Tensor, " some"]:
    return (l2 / 2 * point[..., :-1].square()).sum(dim=(1, 2))
