"""What a stack must know about its features: scale, dead dimensions, and a basis in which they are white."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from probes.errors import FitError
from probes.seed import generator

# A dimension whose spread is this small a share of the layer's typical value is dead: LayerNorm gains of 1e-9
# and less leave rounding noise there, while [CLS] at low layers really varies by 1e-3.
DEAD_SHARE = 1e-5
# Directions of the correlation matrix below this share of the largest hold rounding noise only: post-LayerNorm
# states lie in a hyperplane (smallest eigenvalue about 1e-8, the next .01 to .03).
NOISE_SHARE = 1e-6
SAMPLE_ROWS = 20_000
CHUNK_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Statistics of the training rows of every layer.

    `basis[layer]` maps white coordinates to standardised features: x_standard = basis @ white is inverted by
    the probe, whose weights on standardised features are `basis @ weights_white`. `penalty[layer, white]` is
    what one unit of squared white weight adds to the squared norm of the standardised weights.
    """

    mean: Float[Tensor, "layer dim"]
    inverse_std: Float[Tensor, "layer dim"]
    """Zero where a dimension is dead."""
    basis: Float[Tensor, "layer dim white"]
    penalty: Float[Tensor, "layer white"]

    @property
    def is_dead(self) -> Bool[Tensor, "layer dim"]:
        return self.inverse_std == 0


def measure_features(layers: Sequence[np.ndarray], rows: Int[np.ndarray, " example"], seed: int) -> FeatureStatistics:
    """Mean, spread and whitening basis of each layer over the training rows.

    Raises FitError when a state is not a finite number.
    """
    mean, std, rms = (torch.stack(part) for part in zip(*(_moments(layer, rows) for layer in layers), strict=True))
    for number, spread in enumerate(std):
        _check_finite(spread, "Training", number)
    inverse_std = torch.where(std > DEAD_SHARE * rms[:, None], 1 / std.clamp_min(1e-30), 0).float()
    stream = generator(seed, "fit.basis")
    sample = np.sort(stream.choice(rows, size=min(SAMPLE_ROWS, len(rows)), replace=False))
    bases = [
        _white_basis((torch.from_numpy(layer[sample].astype(np.float32)) - mean[number].float()) * inverse_std[number])
        for number, layer in enumerate(layers)
    ]
    basis, penalty = (torch.stack(part) for part in zip(*bases, strict=True))
    return FeatureStatistics(mean.float(), inverse_std, basis, penalty)


def check_dev(layers: Sequence[np.ndarray], rows: Int[np.ndarray, " example"]) -> None:
    """Raise FitError when a state of dev is not a finite number: its answers would choose the settings."""
    for number, layer in enumerate(layers):
        for start in range(0, len(rows), CHUNK_ROWS):
            _check_finite(torch.from_numpy(layer[rows[start : start + CHUNK_ROWS]]), "Dev", number)


def _check_finite(values: Tensor, name: str, layer: int) -> None:
    if not torch.isfinite(values).all():
        raise FitError(
            f"{name} states should be finite numbers, but layer {layer} has NaN or infinity. "
            f"Check the cache, or encode again."
        )


def _moments(layer: np.ndarray, rows: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    # Sums around the first row, float32 within a chunk and float64 over chunks: errors stay near 1e-6 of a spread.
    origin = torch.from_numpy(layer[rows[0]].astype(np.float64))
    total, squares = torch.zeros_like(origin), torch.zeros_like(origin)
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = torch.from_numpy(layer[rows[start : start + CHUNK_ROWS]].astype(np.float32)) - origin.float()
        total += chunk.sum(dim=0)
        squares += chunk.square_().sum(dim=0)
    shift = total / len(rows)
    variance = (squares / len(rows) - shift.square()).clamp_min(0)
    mean = origin + shift
    return mean, variance.sqrt(), (mean.square() + variance).mean().sqrt()


def _white_basis(standardised: Float[Tensor, "row dim"]) -> tuple[Tensor, Tensor]:
    correlation = (standardised.T @ standardised).double() / len(standardised)
    values, vectors = torch.linalg.eigh(correlation)
    is_kept = values > NOISE_SHARE * values[-1].clamp_min(1e-30)
    inverse_root = torch.where(is_kept, values.clamp_min(1e-30).rsqrt(), 0)
    # W = basis @ A and orthogonal eigenvectors: |W|^2 = sum over white coordinates of A^2 / eigenvalue.
    return (vectors * inverse_root).float(), inverse_root.square().float()
