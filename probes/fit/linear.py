"""A stack of linear probes: every layer x penalty x target as one batched product."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from probes.fit.feature import FeatureStatistics


@dataclass(frozen=True, slots=True)
class StackShape:
    """Sizes of a stack; probe (layer, penalty, target) reads one layer and answers one target."""

    num_layers: int
    num_penalties: int
    num_targets: int
    num_labels: int


class LinearStack(nn.Module):
    """Logits = standardised states @ (basis @ weights) + bias, for every probe of the stack.

    Weights live in white coordinates, where one step size serves every direction. The penalty is that of the
    weights on standardised features, transformed with the basis, so the estimator is the same.
    """

    def __init__(self, shape: StackShape, statistics: FeatureStatistics, l2: Float[Tensor, " penalty"]) -> None:
        super().__init__()
        self.shape = shape
        num_layers, dim, _ = statistics.basis.shape
        columns = shape.num_penalties * shape.num_targets * shape.num_labels
        self.weights = nn.Parameter(torch.zeros(num_layers, dim, columns))
        self.bias = nn.Parameter(torch.zeros(num_layers, 1, columns))
        self.basis: Tensor
        self.penalty: Tensor
        self.l2: Tensor
        self.register_buffer("basis", statistics.basis)
        self.register_buffer("penalty", statistics.penalty)
        self.register_buffer("l2", l2)

    def forward(self, states: Float[Tensor, "layer row dim"]) -> Float[Tensor, "layer row penalty target label"]:
        shape = self.shape
        logits = torch.baddbmm(self.bias, states, torch.bmm(self.basis, self.weights))
        return logits.view(shape.num_layers, states.shape[1], shape.num_penalties, shape.num_targets, shape.num_labels)

    def losses(
        self, states: Float[Tensor, "layer row dim"], labels: Int[Tensor, "target row"]
    ) -> Float[Tensor, "layer penalty target"]:
        """Mean negative log-likelihood of the rows + l2/2 |W|^2 on standardised features, for each probe."""
        return self.likelihood(self(states), labels) + self.penalties()

    def likelihood(
        self, logits: Float[Tensor, "layer row penalty target label"], labels: Int[Tensor, "target row"]
    ) -> Float[Tensor, "layer penalty target"]:
        num_layers, num_rows, num_penalties, num_targets, _ = logits.shape
        wanted = labels.T[None, :, None, :, None].expand(num_layers, num_rows, num_penalties, num_targets, 1)
        chosen = logits.gather(-1, wanted)[..., 0]
        return (logits.logsumexp(dim=-1) - chosen).mean(dim=1)

    def penalties(self) -> Float[Tensor, "layer penalty target"]:
        shape = self.shape
        squares = (self.weights.square() * self.penalty[..., None]).sum(dim=1)
        by_probe = squares.view(shape.num_layers, shape.num_penalties, shape.num_targets, shape.num_labels)
        return by_probe.sum(dim=-1) * (self.l2[None, :, None] / 2)
