"""A sample of the rows on which the Hessians of a softmax depend most."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.fit.softmax import LayerRows
from probes.seed import generator

# Rows of every kind remain in the sample: doubt was measured one step earlier.
EVEN_SHARE = 0.1


def measure_leverage(source: LayerRows, basis: Float[Tensor, "feature white"]) -> Float[Tensor, " row"]:
    """Squared length of each row in white coordinates.

    Without it the sample misses the rows with long features, on which directions of small curvature depend:
    Newton steps then overshoot on the last layer of a sentence encoder.
    """
    leverage = torch.empty(len(source))
    for start, features in source.chunks(torch.bfloat16):
        white = (features @ basis.to(torch.bfloat16)).float()
        leverage[start : start + len(features)] = white.square().sum(dim=1)
    return leverage


def draw_rows(
    doubt: Float[Tensor, "target row"], size: int, seed: int, draw: int
) -> tuple[Int[Tensor, " sampled"], Float[Tensor, " sampled"]]:
    """Rows in ascending order, and the share of all rows that each stands for.

    Systematic sampling with chances in proportion to the doubt, averaged over targets.
    """
    num_rows = doubt.shape[1]
    if size >= num_rows:
        return torch.arange(num_rows), torch.full((num_rows,), 1 / num_rows)
    mean = doubt.mean(dim=1, keepdim=True).clamp_min(1e-30)
    chance = _cap((doubt / mean).mean(dim=0) + EVEN_SHARE, size)
    ticks = torch.arange(size) + generator(seed, "fit.curvature", draw).random()
    chosen = torch.searchsorted(chance.cumsum(dim=0), ticks).clamp_max(num_rows - 1)
    return chosen, (1 / (num_rows * chance[chosen])).float()


def _cap(score: Float[Tensor, " row"], size: int) -> Float[Tensor, " row"]:
    """Chances in proportion to the score that sum to `size`, none above 1."""
    chance = score.double() * (size / score.double().sum())
    while (chance > 1 + 1e-9).any():
        is_sure = chance >= 1
        room = size - int(is_sure.sum())
        chance = torch.where(is_sure, 1, chance * (room / chance[~is_sure].sum()))
    return chance.clamp_max(1)
