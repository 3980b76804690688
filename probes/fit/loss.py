"""Losses and scores by kind of answer: one class, several labels, or numbers."""

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from probes.types import Answer

Logits = Float[Tensor, "layer probe output row"]


UNKNOWN = -1
"""A class that a target does not know: the example counts nothing for it. Targets over parts of the rows share batches
so."""


class _Softmax(torch.autograd.Function):
    """Mean negative log-likelihood of a class; its gradient is the share minus one where the class is right."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, classes: Tensor, weight: Tensor | None) -> Tensor:
        # bfloat16 is for products; a likelihood is summed in float32.
        dtype = torch.promote_types(logits.dtype, torch.float32)
        log_shares = torch.log_softmax(logits, dim=2, dtype=dtype)
        index = classes[:, :, None]
        ctx.saved, ctx.dtype = (log_shares, index, weight), logits.dtype
        losses = -log_shares.gather(2, index)[:, :, 0]
        return (losses if weight is None else losses * weight).mean(dim=2)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, None, None]:
        log_shares, index, weight = ctx.saved
        residual = log_shares.exp_()
        residual.scatter_add_(2, index, torch.full_like(index, -1, dtype=residual.dtype))
        residual *= grads[0][:, :, None, None] / residual.shape[-1]
        if weight is not None:
            residual *= weight[:, :, None]
        return residual.to(ctx.dtype), None, None


def mean_loss(
    logits: Logits, wanted: Tensor, answer: Answer, *, known: Float[Tensor, "layer probe"] | None = None
) -> Float[Tensor, "layer probe"]:
    """Mean over rows: negative log-likelihood of classes, the sum over labels of binary cross-entropies, or half
    the squared error summed over numbers.

    `wanted` is [layer, probe, row] for classes, else [layer, probe, output, row]. With `known`, the share of all rows
    whose class each probe knows, classes that are -1 count nothing and the others 1 / share: the mean over batches is
    then that over the known rows.
    """
    if answer == "class":
        if known is None:
            return _Softmax.apply(logits, wanted, None)  # type: ignore[return-value]
        dtype = torch.promote_types(logits.dtype, torch.float32)
        weight = (wanted != UNKNOWN).to(dtype) / known[:, :, None].to(logits.device, dtype)
        return _Softmax.apply(logits, wanted.clamp_min(0), weight)  # type: ignore[return-value]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if answer == "labels":
        losses = F.binary_cross_entropy_with_logits(logits, wanted.to(logits.dtype), reduction="none")
    else:
        losses = (logits - wanted).square() / 2
    return losses.sum(dim=2).mean(dim=2)


@dataclass
class Tally:
    """Sums over rows from which the score of dev is made; `wanted` as in `mean_loss`."""

    answer: Answer
    right: Tensor
    """Right classes, right binary answers, or the squared error."""
    loss: Tensor
    rows: int = 0
    partner: Tensor | None = None
    """The other row of each minimal pair: then right is what is right within its pair (METHODS)."""
    margins: list[Tensor] = field(default_factory=list)
    wanted: list[Tensor] = field(default_factory=list)

    @classmethod
    def empty(cls, answer: Answer, shape: tuple[int, int], partner: Tensor | None = None) -> "Tally":
        zeros = torch.zeros(shape, dtype=torch.float64)
        return cls(answer, zeros, zeros.clone(), partner=partner)

    def add(self, logits: Logits, wanted: Tensor) -> None:
        """Count a batch of rows."""
        num_rows = logits.shape[3]
        if self.partner is not None:
            self.margins.append((logits[:, :, 1] - logits[:, :, 0]).cpu())
            self.wanted.append(wanted.cpu())
            right = torch.zeros_like(self.right)
        elif self.answer == "class":
            right = (predict_class(logits) == wanted).sum(dim=2)
        elif self.answer == "labels":
            right = ((logits > 0) == (wanted > 0)).double().mean(dim=2).sum(dim=2)
        else:
            right = (logits - wanted).square().double().mean(dim=2).sum(dim=2)
        self.right += right.cpu()
        self.loss += mean_loss(logits, wanted, self.answer).double().cpu() * num_rows
        self.rows += num_rows

    def accuracy(self) -> Float[Tensor, "layer probe"]:
        """Share of right answers; for numbers 1 - mean squared error, which is R2 on rows of unit variance."""
        if self.partner is not None:
            margins, wanted = torch.cat(self.margins, dim=2), torch.cat(self.wanted, dim=2)
            return (beats_partner(margins, self.partner) == wanted).double().mean(dim=2)
        share = self.right / self.rows
        return 1 - share if self.answer == "number" else share

    def mean_loss(self) -> Float[Tensor, "layer probe"]:
        return self.loss / self.rows


def beats_partner(margins: Any, partner: Any) -> Any:
    """Where an example looks more like the good one than the other of its pair: [..., example], torch or NumPy alike.

    Of two that look alike neither does.
    """
    return margins > margins[..., partner]


def predict_class(logits: Logits) -> Int[Tensor, "layer probe row"]:
    """The first of the most likely classes."""
    # torch's argmax along an axis that is not the last takes five times as long.
    dtype = torch.int16 if logits.shape[2] < 2**15 else torch.int32
    best, number = logits[:, :, 0].clone(), torch.zeros_like(logits[:, :, 0], dtype=dtype)
    for output in range(1, logits.shape[2]):
        values = logits[:, :, output]
        number.masked_fill_(values > best, output)
        torch.maximum(best, values, out=best)
    return number


def predict(logits: Logits, answer: Answer) -> Int[Tensor, "..."] | Float[Tensor, "..."]:
    """The most likely class, the labels that are more likely than not, or the numbers themselves."""
    if answer == "class":
        return predict_class(logits).long()
    return (logits > 0).long() if answer == "labels" else logits
