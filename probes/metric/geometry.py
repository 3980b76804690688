"""How states lie: how many directions they fill, how far they point one way, how alike two layers are."""

import numpy as np
from jaxtyping import Float

from probes.metric.interval import resample_groups


def linear_cka(
    cross: Float[np.ndarray, "dim other"],
    first: Float[np.ndarray, "dim dim"],
    second: Float[np.ndarray, "other other"],
) -> float:
    """Linear centred kernel alignment of two layers from their covariances, in 0..1.

    |X'Y|^2 / (|X'X| |Y'Y|) in Frobenius norms, columns centred (Kornblith et al. 2019, section 3): the same for any
    rotation and any one scale of either layer, and not for any linear map. NaN where a layer does not vary. With rows
    hardly more than dims, layers that have nothing in common are well above 0.

    >>> states = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> square = states.T @ states
    >>> linear_cka(square, square, square)
    1.0
    """
    scale = np.linalg.norm(first) * np.linalg.norm(second)
    return float(np.linalg.norm(cross) ** 2 / scale) if scale > 0 else float("nan")


def effective_rank(covariance: Float[np.ndarray, "dim dim"]) -> float:
    """How many directions the variance fills: exp of the entropy of its shares, 1..dim.

    Roy and Vetterli 2007, on the singular values of the covariance. NaN where nothing varies.

    >>> round(effective_rank(np.diag([3.0, 3.0, 0.0])), 9)
    2.0
    """
    shares = _variance_shares(covariance)
    known = shares[shares > 0]
    return float(np.exp(-(known * np.log(known)).sum())) if len(known) else float("nan")


def participation_ratio(covariance: Float[np.ndarray, "dim dim"]) -> float:
    """The squared sum of the variances of the principal components by the sum of their squares, 1..dim.

    It is at most the effective rank, and a few large directions move it more. NaN where nothing varies.

    >>> participation_ratio(np.diag([3.0, 3.0, 0.0]))
    2.0
    """
    squares = float((covariance**2).sum())
    return float(np.trace(covariance) ** 2 / squares) if squares > 0 else float("nan")


def mean_cosine(
    totals: Float[np.ndarray, "dim group"], sizes: Float[np.ndarray, " group"], seed: int
) -> tuple[float, Float[np.ndarray, " resample"]]:
    """Mean cosine over all pairs of different rows (Ethayarajh 2019), and in each resample of groups.

    `totals` are the sums of the unit vectors of each group's rows, `sizes` their number. The squared length of the
    whole sum counts every pair twice and each row with itself once, so no pair has to be drawn. In a resample the
    copies of a group are not paired with each other: a row is not one more time like itself. NaN for less than two
    rows.

    >>> units = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> value, resampled = mean_cosine(units.T, np.ones(3), seed=0)
    >>> round(value, 4), len(resampled)
    (0.3333, 2000)
    """
    num_groups = len(sizes)
    every = np.ones((1, num_groups))
    drawn = resample_groups(num_groups, seed) if num_groups > 1 else ()
    value, *resampled = [_mean_cosines(totals, sizes, times) for times in (every, *drawn)]
    return float(value[0]), np.concatenate(resampled) if resampled else np.full(1, np.nan)


def _mean_cosines(
    totals: Float[np.ndarray, "dim group"],
    sizes: Float[np.ndarray, " group"],
    times: Float[np.ndarray, "resample group"],
) -> Float[np.ndarray, " resample"]:
    copies, num_rows = times**2 - times, times @ sizes
    squares = ((times @ totals.T) ** 2).sum(axis=1) - copies @ (totals**2).sum(axis=0) - num_rows
    pairs = num_rows**2 - copies @ sizes**2 - num_rows
    return np.where(pairs > 0, squares / np.where(pairs > 0, pairs, 1), np.nan)


def _variance_shares(covariance: Float[np.ndarray, "dim dim"]) -> Float[np.ndarray, " dim"]:
    values = np.linalg.eigvalsh(covariance).clip(min=0)
    return values / values.sum() if values.sum() > 0 else values
