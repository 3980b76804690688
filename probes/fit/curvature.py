"""Hessians of many linear classifiers on a sample of rows, in white coordinates, with their preconditioner."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from probes.fit.softmax import predict_logits, pull_back

BLOCK_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class Curvature:
    """Hessians of the mean negative log-likelihood + l2/2 |W|^2 at one point, from a sample of rows.

    `share` is the part of all rows that a row of the sample stands for, `ridge` the penalty on white coordinates,
    `diagonal` that of the Hessian without it; `inverses` has a matrix for each output of a target, or nothing.
    """

    features: Float[Tensor, "row white"]
    share: Float[Tensor, " row"]
    shares: Float[Tensor, "target output row"]
    ridge: Float[Tensor, "target 1 white_and_bias"]
    diagonal: Float[Tensor, "target output white_and_bias"]
    inverses: tuple[Float[Tensor, "output white_and_bias white_and_bias"] | None, ...]

    def __getitem__(self, chosen: Bool[Tensor, " target"]) -> "Curvature":
        """The same for some of the targets."""
        inverses = tuple(self.inverses[place] for place in chosen.nonzero()[:, 0].tolist())
        parts = {name: getattr(self, name)[chosen] for name in ("shares", "ridge", "diagonal")}
        return replace(self, **parts, inverses=inverses)

    def multiply(
        self, steps: Float[Tensor, "target output white_and_bias"]
    ) -> Float[Tensor, "target output white_and_bias"]:
        """Hessian times steps: the ridge, and X^T (p * (u - sum of p * u)) with u = X steps."""
        product = self.ridge * steps
        for start in range(0, len(self.features), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            features, shares = self.features[block], self.shares[..., block]
            change = predict_logits(steps, features)
            change -= (shares * change).sum(dim=1, keepdim=True)
            product += pull_back(change.mul_(shares).mul_(self.share[block]), features)
        return product

    def precondition(
        self, residual: Float[Tensor, "target output white_and_bias"]
    ) -> Float[Tensor, "target output white_and_bias"]:
        """An approximate inverse of the Hessian on steps that sum to zero over outputs.

        What all outputs share changes no probability, so an optimum has none of it; left in, it is the direction of
        least curvature, and conjugate gradients end on it.
        """
        residual = _center(residual)
        # A direction that holds noise only has no feature, no gradient and no curvature.
        scaled = residual / (self.diagonal + self.ridge).clamp_min(1e-30)
        for place, inverse in enumerate(self.inverses):
            if inverse is not None:
                # As a row times a matrix: ten times as fast as a matrix times a column.
                scaled[place] = torch.bmm(residual[place, :, None].float(), inverse)[:, 0].double()
        return _center(scaled)


def _center(steps: Tensor) -> Tensor:
    return steps - steps.mean(dim=1, keepdim=True)


def measure_curvature(
    features: Float[Tensor, "row white"],
    share: Float[Tensor, " row"],
    point: Float[Tensor, "target output white_and_bias"],
    ridge: Float[Tensor, "target 1 white_and_bias"],
) -> Curvature:
    """Hessians at a point, each with its diagonal for a preconditioner."""
    parts, diagonal = [], torch.zeros_like(point)
    for start in range(0, len(features), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        shares = torch.softmax(predict_logits(point, features[block]), dim=1)
        diagonal += pull_back((1 - shares).mul_(shares).mul_(share[block]), features[block].square())
        parts.append(shares)
    return Curvature(features, share, torch.cat(parts, dim=2), ridge, diagonal, (None,) * len(point))
