"""What a stack must know about its features: scale, dead dimensions, and a basis in which they are white."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from probes.errors import FitError
from probes.fit.read import CHUNK_ROWS, Scale, SplitRows
from probes.seed import generator

Kind = Literal["white", "standard", "raw"]

# A dimension whose spread is this small a share of the layer's typical value is dead: LayerNorm gains of 1e-9
# and less leave rounding noise there, while [CLS] at low layers really varies by 1e-3.
DEAD_SHARE = 1e-5
# Directions of the correlation matrix below this share of the largest hold rounding noise only: post-LayerNorm
# states lie in a hyperplane (smallest eigenvalue about 1e-8, the next .01 to .03).
NOISE_SHARE = 1e-6
SAMPLE_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Statistics of the training rows of every layer.

    `basis[layer]` has the coordinates in which a fit takes its steps: weights on features are weights in these
    coordinates @ basis transposed. `penalty[layer, white]` is what one unit of squared weight there adds to the
    squared norm of the weights on features.
    """

    scale: Scale
    basis: Float[Tensor, "layer feature white"]
    penalty: Float[Tensor, "layer white"]

    @property
    def is_dead(self) -> Bool[Tensor, "layer feature"]:
        return self.scale.inverse_std == 0


def measure_features(rows: SplitRows, seed: int, kind: Kind = "white") -> FeatureStatistics:
    """Scale and basis of each layer over the training rows.

    `white` standardises and takes steps in whitened coordinates, `standard` only standardises, `raw` takes
    states as they are. Raises FitError when a state is not a finite number.
    """
    num_layers, num_features = len(rows.layers), rows.num_features
    moments = [_moments(rows, layer) for layer in range(num_layers)]
    mean, std, rms = (torch.stack(part) for part in zip(*moments, strict=True))
    inverse_std = torch.where(std > DEAD_SHARE * rms[:, None], 1 / std.clamp_min(1e-30), 0).float()
    scale = Scale(mean.float(), inverse_std)
    if kind == "raw":
        scale = Scale(torch.zeros_like(scale.mean), torch.ones_like(inverse_std))
    if kind == "white":
        bases = [white_basis(sample_features(rows, layer, scale, seed)) for layer in range(num_layers)]
        basis, penalty = (torch.stack(part) for part in zip(*bases, strict=True))
    else:
        basis = torch.eye(num_features).expand(num_layers, -1, -1)
        penalty = torch.ones(num_layers, num_features)
    return FeatureStatistics(scale, basis, penalty)


def check_dev(rows: SplitRows) -> None:
    """Raise FitError when a state of dev is not a finite number: its answers would choose the settings."""
    for layer in range(len(rows.layers)):
        for start in range(0, len(rows), CHUNK_ROWS):
            _check_finite(rows.chunk(start, [layer], None).sum(), "Dev", layer)


def _check_finite(values: Tensor, name: str, layer: int) -> None:
    if not torch.isfinite(values).all():
        raise FitError(
            f"{name} states should be finite numbers, but layer {layer} has NaN or infinity. "
            f"Check the cache, or encode again."
        )


def _moments(rows: SplitRows, layer: int) -> tuple[Tensor, Tensor, Tensor]:
    # Sums around the first row, float32 within a chunk and float64 over chunks: errors stay near 1e-6 of a spread.
    origin = rows.chunk(0, [layer], None)[0, 0].clone()
    total, squares = (torch.zeros(rows.num_features, dtype=torch.float64) for _ in range(2))
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows.chunk(start, [layer], None)[0].sub_(origin)
        total += chunk.sum(dim=0)
        squares += chunk.square_().sum(dim=0)
    _check_finite(squares, "Training", layer)
    shift = total / len(rows)
    variance = (squares / len(rows) - shift.square()).clamp_min(0)
    mean = origin + shift
    return mean, variance.sqrt(), (mean.square() + variance).mean().sqrt()


def sample_features(rows: SplitRows, layer: int, scale: Scale, seed: int) -> Float[Tensor, "row feature"]:
    """The features of a seeded sample of the rows of one layer, from which its basis is made."""
    chosen = sample_examples(len(rows), SAMPLE_ROWS, seed, "fit.basis")
    sample = rows.take(chosen)
    out = torch.empty((1, len(chosen), rows.num_features))
    return sample.read([(0, len(chosen))], [layer], scale, out=out)[0]


def sample_examples(num_rows: int, size: int, seed: int, stream: str) -> np.ndarray:
    """Examples of a seeded sample, in their order."""
    return np.sort(generator(seed, stream).choice(num_rows, size=min(size, num_rows), replace=False))


def white_basis(features: Float[Tensor, "row feature"]) -> tuple[Tensor, Tensor]:
    """Basis and penalty, as in FeatureStatistics, in which features of mean 0 are white."""
    correlation = (features.T @ features).double() / len(features)
    values, vectors = torch.linalg.eigh(correlation)
    is_kept = values > NOISE_SHARE * values[-1].clamp_min(1e-30)
    inverse_root = torch.where(is_kept, values.clamp_min(1e-30).rsqrt(), 0)
    # W = A @ basis^T and orthogonal eigenvectors: |W|^2 = sum over white coordinates of A^2 / eigenvalue.
    return (vectors * inverse_root).float(), inverse_root.square().float()
