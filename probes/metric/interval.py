"""Intervals that respect clusters: groups (documents) are resampled, never single words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from probes.seed import generator

RESAMPLES = 2000
LEVEL = 0.95
CHUNK_VALUES = 2_000_000
# Two-sided test at 5 % found with power 80 %: the sum of the normal quantiles .975 and .80.
DETECTABLE_ERRORS = 2.8


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its percentile bootstrap interval; NaN bounds where there is nothing to resample."""

    value: float
    low: float
    high: float

    @property
    def fields(self) -> dict[str, Any]:
        """Value and bounds by their names, as a row of results takes them."""
        return {"value": self.value, "low": self.low, "high": self.high}


def sum_by_group(
    values: Float[np.ndarray, "*curve example"] | Bool[np.ndarray, "*curve example"],
    groups: Int[np.ndarray, " example"],
    num_groups: int,
) -> Float[np.ndarray, "*curve group"]:
    """Sum of the values of each group's examples.

    >>> sum_by_group(np.array([True, False, True]), np.array([0, 0, 1]), num_groups=2).tolist()
    [1.0, 1.0]
    """
    curves = values.reshape(-1, values.shape[-1])
    sums = [np.bincount(groups, weights=curve, minlength=num_groups) for curve in curves]
    return np.asarray(sums, dtype=np.float64).reshape(*values.shape[:-1], num_groups)


def resample_sums(sums: Float[np.ndarray, "*curve group"], seed: int) -> Float[np.ndarray, "*curve resample"]:
    """The total over groups in each bootstrap resample; one seed draws the same groups for every curve.

    A mean is the ratio of two such totals, of values and of sizes, since groups keep their own sizes. NaN for
    a single group, which says nothing about how groups vary.
    """
    num_groups = sums.shape[-1]
    if num_groups < 2:
        return np.full((*sums.shape[:-1], RESAMPLES), np.nan)
    flat = sums.reshape(-1, num_groups)
    parts = [flat @ draws.T for draws in resample_groups(num_groups, seed)]
    return np.concatenate(parts, axis=1).reshape(*sums.shape[:-1], RESAMPLES)


def resample_means(
    values: Float[np.ndarray, "curve example"] | Bool[np.ndarray, "curve example"],
    groups: Int[np.ndarray, " example"],
    seed: int,
) -> Float[np.ndarray, "curve resample"]:
    """The mean over examples in each bootstrap resample of their groups; NaN in one that has drawn no example."""
    sums = sum_by_group(np.vstack([values, np.ones(len(groups))]), groups, int(groups.max()) + 1)
    totals = resample_sums(sums, seed)
    return totals[:-1] / np.where(totals[-1] > 0, totals[-1], np.nan)


def resample_groups(num_groups: int, seed: int) -> Iterator[Float[np.ndarray, "resample group"]]:
    """How often each group is drawn, some resamples at a time; the same draws as those of `resample_sums`."""
    stream = generator(seed, "metric.bootstrap")
    chunk = max(1, min(RESAMPLES, CHUNK_VALUES // num_groups))
    for start in range(0, RESAMPLES, chunk):
        size = min(chunk, RESAMPLES - start)
        yield stream.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=size).astype(np.float64)


def f1_counts(
    labels: Int[np.ndarray, " example"],
    predicted: Int[np.ndarray, " example"],
    groups: Int[np.ndarray, " example"],
    *,
    num_labels: int,
    num_groups: int,
) -> Float[np.ndarray, "label 3 group"]:
    """True positives, false positives and false negatives of each label in each group."""
    counts = np.zeros((num_labels, 3, num_groups))
    right = labels == predicted
    np.add.at(counts[:, 0], (labels[right], groups[right]), 1)
    np.add.at(counts[:, 1], (predicted[~right], groups[~right]), 1)
    np.add.at(counts[:, 2], (labels[~right], groups[~right]), 1)
    return counts


def percentile_interval(value: float, resampled: Float[np.ndarray, " resample"]) -> Interval:
    """The middle 95 % of the resampled values around `value`."""
    known = resampled[np.isfinite(resampled)]
    if len(known) == 0:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def detectable_difference(resampled_difference: Float[np.ndarray, " resample"]) -> float:
    """Smallest difference that a two-sided test at 5 % finds with power 80 %, from its bootstrap error."""
    known = resampled_difference[np.isfinite(resampled_difference)]
    return float("nan") if len(known) < 2 else float(DETECTABLE_ERRORS * known.std(ddof=1))


def detectable_from_best(
    values: Float[np.ndarray, " curve"], resampled: Float[np.ndarray, "curve resample"]
) -> list[float | None]:
    """For each curve the smallest detectable difference to the highest one, for this one to the next; none for a curve
    that has no other."""
    if len(values) < 2:
        return [None] * len(values)
    best, second = np.argsort(-values, kind="stable")[:2]
    return [
        detectable_difference(curve - resampled[second if number == best else best])
        for number, curve in enumerate(resampled)
    ]
