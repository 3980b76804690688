"""Newton directions of many linear classifiers by conjugate gradients, and how far to follow them."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from probes.fit.curvature import Curvature
from probes.fit.softmax import predict_logits

MAX_PRODUCTS = 300


@dataclass(frozen=True, slots=True)
class Direction:
    """Newton steps in white coordinates, what the quadratic model promises to win (half the decrement), the cost."""

    step: Float[Tensor, "target output white_and_bias"]
    gap: Float[Tensor, " target"]
    num_products: Int[Tensor, " target"]


def find_direction(
    curvature: Curvature, gradient: Float[Tensor, "target output white_and_bias"], small: Float[Tensor, " target"]
) -> Direction:
    """Conjugate gradients, targets side by side, each until the second half of its steps won next to nothing.

    Next to nothing is a fiftieth of the gap where the gap is below `small`, else a tenth; far away, a third.
    """
    found = Direction(torch.zeros_like(gradient), torch.zeros_like(small), torch.zeros(len(small), dtype=torch.long))
    targets, residual = torch.arange(len(small)), -gradient
    search = curvature.precondition(residual)
    slope, gaps = _dot(residual, search), torch.zeros(1, len(small), dtype=torch.float64)
    while len(targets) and len(gaps) <= MAX_PRODUCTS:
        product = curvature.multiply(search)
        bend = _dot(search, product)
        length = torch.where(bend > 0, slope / bend.clamp_min(1e-300), 0)
        gaps = torch.cat([gaps, gaps[-1:] + length * slope / 2])
        found.step[targets] += length[:, None, None] * search
        found.gap[targets], found.num_products[targets] = gaps[-1], len(gaps) - 1
        is_open = _is_growing(gaps, small[targets])
        if not is_open.all():
            targets, curvature, gaps = targets[is_open], curvature[is_open], gaps[:, is_open]
            residual, search, product = residual[is_open], search[is_open], product[is_open]
            length, slope = length[is_open], slope[is_open]
        residual = residual - length[:, None, None] * product
        scaled = curvature.precondition(residual)
        before, slope = slope, _dot(residual, scaled)
        search = scaled + (slope / before.clamp_min(1e-300))[:, None, None] * search
    return found


def _is_growing(gaps: Float[Tensor, "step target"], small: Float[Tensor, " target"]) -> Bool[Tensor, " target"]:
    now, half = gaps[-1], gaps[(len(gaps) - 1) // 2]
    enough = torch.where(now > 1_000 * small, 0.3, torch.where(now > small, 0.1, 0.02))
    return now - half > enough * now


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=(1, 2))


def limit_step(
    curvature: Curvature,
    point: Float[Tensor, "target output white_and_bias"],
    gradient: Float[Tensor, "target output white_and_bias"],
    step: Float[Tensor, "target output white_and_bias"],
) -> Float[Tensor, " target"]:
    """The part of each step up to which the sample still falls, at most 1: far from the optimum, Newton overshoots.

    The slope along the step is gradient . step at its start and changes as it does on the sample, so the sample
    needs no labels: sum of share * (p(t) - p(0)) * u + t * ridge * step^2, with u = X step.
    """
    logits, change = predict_logits(point, curvature.features), predict_logits(step, curvature.features)
    weighted = change * curvature.share
    start, stretch = _dot(gradient, step), _dot(curvature.ridge * step, step)
    length = torch.ones_like(start)
    for _ in range(12):
        moved = torch.softmax(logits + length[:, None, None].float() * change, dim=1)
        slope = start + length * stretch + _dot(moved - curvature.shares, weighted)
        is_past = slope > 0.3 * start.abs()
        if not is_past.any():
            break
        length = torch.where(is_past, length / 2, length)
    return length
