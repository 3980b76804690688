"""LEACE: the smallest change of states after which no affine predictor of their labels beats a constant.

Belrose et al. 2023, "LEACE: Perfect linear concept erasure in closed form", section 4. Everything is float64, from
second moments that are summed over chunks of rows: memory is dim^2 + dim x labels.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.errors import FitError
from probes.fit.feature import DEAD_SHARE, NOISE_SHARE
from probes.fit.read import CHUNK_ROWS

# A canonical correlation of states and labels below this is rounding: labels that sum to one always have one of 0.
SMALLEST_CORRELATION = 1e-8


@dataclass(frozen=True, slots=True)
class Moments:
    """Means and covariances of the states [row, dim] of some examples and of their labels, written as 0 and 1."""

    mean: Float[Tensor, " dim"]
    covariance: Float[Tensor, "dim dim"]
    cross: Float[Tensor, "dim label"]
    """Covariance of every dimension with every label."""
    shares: Float[Tensor, " label"]


@dataclass(frozen=True, slots=True)
class Whitening:
    """Coordinates in which states have mean 0 and the identity as covariance: (state - mean) @ into transposed.

    `out` leads back. Dead dimensions and directions of rounding noise have no coordinate, as for a probe: both are
    the pseudoinverses of each other on the directions that are kept.
    """

    mean: Float[Tensor, " dim"]
    into: Float[Tensor, "white dim"]
    out: Float[Tensor, "dim white"]


@dataclass(frozen=True, slots=True)
class Eraser:
    """r(x) = x - left right (x - mean): what lies in the span of `left`, as `right` reads it, is set to its mean.

    `left` and `right` hold as many pairs of vectors as directions are erased. The map is affine and idempotent.
    """

    mean: Float[Tensor, " dim"]
    left: Float[Tensor, "dim rank"]
    right: Float[Tensor, "rank dim"]

    def __call__(self, states: Float[Tensor, "*row dim"]) -> Float[Tensor, "*row dim"]:
        """States of any type and device after erasure, calculated in float32 at the least."""
        wide = states if states.dtype == torch.float64 else states.float()
        mean, left, right = (part.to(wide) for part in (self.mean, self.left, self.right))
        return (wide - (wide - mean) @ right.T @ left.T).to(states.dtype)

    @property
    def rank(self) -> int:
        return self.left.shape[1]

    @property
    def projection(self) -> Float[Tensor, "dim dim"]:
        """P of r(x) = P x + b."""
        return torch.eye(len(self.mean), dtype=self.mean.dtype) - self.left @ self.right

    @property
    def bias(self) -> Float[Tensor, " dim"]:
        """b of r(x) = P x + b."""
        return self.left @ (self.right @ self.mean)

    def removed_share(self, moments: Moments) -> float:
        """Mean squared change of a state, as a share of the mean squared distance of states from their mean.

        NaN where states do not vary.
        """
        change = self.left @ self.right
        total = moments.covariance.trace()
        return float((change @ moments.covariance @ change.T).trace() / total) if total > 0 else float("nan")


def measure_moments(
    states: Float[np.ndarray, "row dim"],
    rows: Int[np.ndarray, " example"],
    labels: Int[np.ndarray, " example"],
    *,
    num_labels: int,
) -> Moments:
    """Moments of the examples at some rows of a layer, read in chunks.

    Raises FitError for no examples, and for a state that is not a finite number.
    """
    if len(rows) == 0:
        raise FitError("Moments are those of at least one example, but came none. Check the train split of the task.")
    origin = _read(states, rows[:CHUNK_ROWS]).mean(dim=0)
    dim = states.shape[1]
    squares, sums = (torch.zeros(size, dim, dtype=torch.float64) for size in (dim, num_labels))
    for start in range(0, len(rows), CHUNK_ROWS):
        # Around a mean: the difference of two large numbers would lose what small variances have.
        chunk = _read(states, rows[start : start + CHUNK_ROWS]) - origin
        squares.addmm_(chunk.T, chunk)
        sums.index_add_(0, torch.from_numpy(labels[start : start + CHUNK_ROWS]).long(), chunk)
    shares = torch.from_numpy(np.bincount(labels, minlength=num_labels)) / len(rows)
    shift = sums.sum(dim=0) / len(rows)
    return Moments(
        mean=origin + shift,
        covariance=squares / len(rows) - torch.outer(shift, shift),
        cross=(sums / len(rows) - torch.outer(shares.double(), shift)).T,
        shares=shares.double(),
    )


def whiten(moments: Moments) -> Whitening:
    """(Sigma_xx^{1/2})^+ and its inverse on the directions that vary.

    Eigenvectors are those of the correlation matrix, kept relative to the largest eigenvalue: post-LayerNorm states
    lie in a hyperplane. LEACE does not depend on the units of dimensions: it is least in every norm at once.
    """
    variance = moments.covariance.diagonal().clamp_min(0)
    typical = (variance + moments.mean.square()).mean().sqrt()
    std = torch.where(variance.sqrt() > DEAD_SHARE * typical, variance.sqrt(), 0)
    inverse = torch.where(std > 0, 1 / std, 0)
    values, vectors = torch.linalg.eigh(inverse[:, None] * moments.covariance * inverse)
    is_kept = values > NOISE_SHARE * values[-1].clamp_min(1e-30)
    root, vectors = values[is_kept].sqrt(), vectors[:, is_kept]
    return Whitening(moments.mean, (vectors / root).T * inverse, std[:, None] * (vectors * root))


def erase_labels(whitening: Whitening, moments: Moments) -> Eraser:
    """LEACE: r(x) = x - W^+ P W (x - mean), P the projection onto the column space of W Sigma_xz.

    One label less than there are is the most that has to be erased; labels that no state goes with need nothing.
    """
    present = moments.shares > 0
    # Divided by their spread, which keeps the column space: a rare label is no more rounding than a frequent one.
    cross = moments.cross[:, present] / moments.shares[present].sqrt()
    directions, correlations, _ = torch.linalg.svd(whitening.into @ cross, full_matrices=False)
    return _erase(whitening, directions[:, correlations > SMALLEST_CORRELATION])


def erase_random(whitening: Whitening, rank: int, stream: np.random.Generator) -> Eraser:
    """The control of LEACE: a uniformly random subspace of the same rank, in the same white coordinates.

    It takes the same share of what varies there, and like LEACE the least change of a state that does so; an
    orthogonal projection of the states themselves would meet their large directions instead.
    """
    num_white = len(whitening.into)
    drawn = torch.from_numpy(stream.normal(size=(num_white, min(rank, num_white))))
    return _erase(whitening, torch.linalg.qr(drawn).Q)


def _erase(whitening: Whitening, directions: Float[Tensor, "white rank"]) -> Eraser:
    return Eraser(whitening.mean, whitening.out @ directions, directions.T @ whitening.into)


def _read(states: Float[np.ndarray, "row dim"], rows: Int[np.ndarray, " some"]) -> Float[Tensor, "some dim"]:
    chunk = torch.from_numpy(states[rows].astype(np.float64))
    if not torch.isfinite(chunk).all():
        bad = int(rows[int((~torch.isfinite(chunk)).any(dim=1).nonzero()[0, 0])])
        raise FitError(
            f"States should be finite numbers, but row {bad} has NaN or infinity. Check the cache, or encode again."
        )
    return chunk
