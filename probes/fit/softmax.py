"""Mean negative log-likelihood of many linear classifiers at once, in one pass over the rows of a layer."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.fit import read
from probes.fit.read import Scale, SplitRows


@dataclass(frozen=True, slots=True)
class LayerRows:
    """The training rows of one layer as a solver reads them; `scale` makes them features."""

    rows: SplitRows
    layer: int
    scale: Scale

    def __len__(self) -> int:
        return len(self.rows)

    def chunks(self, dtype: torch.dtype) -> Iterator[tuple[int, Float[Tensor, "row feature"]]]:
        """First row and features of each chunk. The next chunk overwrites this one: memory is asked for once."""
        size = min(read.CHUNK_ROWS, len(self))
        wide = torch.float32 if dtype == torch.bfloat16 else dtype
        buffer = torch.empty((1, size, self.rows.num_features), dtype=wide)
        for start in range(0, len(self), size):
            stop = min(start + size, len(self))
            features = self.rows.read([(start, stop)], [self.layer], self.scale, out=buffer[:, : stop - start])
            yield start, features[0].to(dtype)


@dataclass(frozen=True, slots=True)
class Slope:
    """Loss and gradient at one point for each target, and what the Hessian owes to classes and rows.

    `mass` is the mean over rows of p (1 - p); `doubt` sums p (1 - p) of a row over outputs, each in units of the
    mass given to `measure_slope`, so that a rare class counts as much as a common one. `kept` are the rows asked for.
    """

    loss: Float[Tensor, " target"]
    gradient: Float[Tensor, "target output feature_and_bias"]
    mass: Float[Tensor, "target output"]
    doubt: Float[Tensor, "target row"]
    kept: Float[Tensor, "sampled feature"]


def predict_logits(
    point: Float[Tensor, "target output feature_and_bias"], features: Float[Tensor, "row feature"]
) -> Float[Tensor, "target output row"]:
    """Logits with the rows last: a softmax over the middle of three dimensions runs along rows.

    The product has the dtype of `features`; bfloat16 comes back as float32.
    """
    num_targets, num_outputs, _ = point.shape
    weights = point[..., :-1].reshape(num_targets * num_outputs, -1).to(features.dtype)
    logits = (weights @ features.T).view(num_targets, num_outputs, len(features))
    wide = torch.float32 if features.dtype == torch.bfloat16 else features.dtype
    return logits.to(wide).add_(point[..., -1:].to(wide))


def pull_back(
    residual: Float[Tensor, "target output row"], features: Float[Tensor, "row feature"]
) -> Float[Tensor, "target output feature_and_bias"]:
    """Sum over rows of residual times (features, 1), in float64: the transpose of `predict_logits`."""
    flat = residual.flatten(0, 1)
    weights = (flat.to(features.dtype) @ features).unflatten(0, residual.shape[:2])
    return torch.cat([weights.double(), residual.sum(dim=-1, keepdim=True).double()], dim=-1)


def measure_slope(
    source: LayerRows,
    labels: Int[Tensor, "target row"],
    point: Float[Tensor, "target output feature_and_bias"],
    mass: Float[Tensor, "target output"],
    *,
    kept: Int[Tensor, " sampled"],
    dtype: torch.dtype,
) -> Slope:
    """One pass over all rows with products in `dtype`; sums over chunks are float64.

    The rows `kept`, in ascending order, are copied on the way: to read them later would cost another pass.
    """
    num_rows, num_targets, width = len(source), len(labels), point.shape[2]
    loss, gradient, total = torch.zeros(num_targets).double(), torch.zeros_like(point), torch.zeros_like(mass)
    doubt = torch.empty((num_targets, num_rows))
    # A Hessian needs no more than float32.
    copy = torch.empty((len(kept), width - 1), dtype=dtype if dtype == torch.bfloat16 else torch.float32)
    for start, features in source.chunks(dtype):
        stop = start + len(features)
        first, last = torch.searchsorted(kept, torch.tensor([start, stop])).tolist()
        copy[first:last] = features[kept[first:last] - start].to(copy.dtype)
        log_shares = torch.log_softmax(predict_logits(point, features), dim=1)
        picked = labels[:, None, start:stop]
        loss -= log_shares.gather(1, picked).sum(dim=(1, 2), dtype=torch.float64)
        residual = log_shares.exp_()
        spread = residual * (1 - residual)
        total += spread.sum(dim=2, dtype=torch.float64)
        doubt[:, start:stop] = spread.div_(mass[..., None]).sum(dim=1)
        residual.scatter_add_(1, picked, torch.full(picked.shape, -1, dtype=residual.dtype))
        gradient += pull_back(residual, features)
    return Slope(loss / num_rows, gradient / num_rows, total / num_rows, doubt, copy)
