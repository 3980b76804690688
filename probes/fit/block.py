"""Preconditioner of targets on which conjugate gradients are slow: how features vary within each output."""

import torch
from jaxtyping import Float
from torch import Tensor

# The rows of the sample with the largest p (1 - p); the others count by their diagonal.
HEAVY_ROWS = 8_192
# Numbers that the blocks of one target may hold: 128 MiB.
MAX_NUMBERS = 2**25


def measure_blocks(
    features: Float[Tensor, "row white"],
    weight: Float[Tensor, "output row"],
    diagonal: Float[Tensor, "output white_and_bias"],
) -> Float[Tensor, "output white_and_bias white_and_bias"] | None:
    """Sum of p (1 - p) x x^T for each output, the diagonal being exact; None where that is too large to keep.

    Each block is positive definite also in float32; in bfloat16 it would not be.
    """
    num_outputs, width = diagonal.shape
    if num_outputs * width**2 > MAX_NUMBERS:
        return None
    blocks = torch.empty(num_outputs, width, width)
    heavy, where = weight.topk(min(HEAVY_ROWS, len(features)), dim=1, sorted=False)
    for output in range(num_outputs):
        root = heavy[output].sqrt()[:, None]
        rows = torch.cat([features[where[output]].float() * root, root], dim=1)
        torch.mm(rows.T, rows, out=blocks[output])
    seen = blocks.diagonal(dim1=-2, dim2=-1)
    # Rounding, and directions that hold noise only, must not make a block singular.
    seen.add_((diagonal.float() - seen).clamp_min(0) + 1e-5 * diagonal.float() + 1e-12)
    return blocks


def invert_blocks(
    blocks: Float[Tensor, "output white_and_bias white_and_bias"], ridge: Float[Tensor, "1 white_and_bias"]
) -> Float[Tensor, "output white_and_bias white_and_bias"]:
    """Inverse of each block with a penalty on its diagonal."""
    return torch.cholesky_inverse(torch.linalg.cholesky(blocks + torch.diag_embed(ridge.float())))
