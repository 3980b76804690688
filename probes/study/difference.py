"""The paired difference of two curves on the same test examples."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probes.errors import ResultError
from probes.metric.compare import flip_signs, max_t
from probes.metric.interval import percentile_interval, resample_means, sum_by_group

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Difference:
    """First minus second, layer by layer, in accuracy.

    Intervals resample groups; `p` is the sign-flip permutation p-value over group sums, `p_adjusted` the same
    with max-T over all layers of the curve (the family).
    """

    first: str
    second: str
    layers: tuple[str, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    p: tuple[float, ...]
    p_adjusted: tuple[float, ...]

    def to_frame(self) -> "pandas.DataFrame":
        """One row a layer."""
        import pandas

        names = ("value", "low", "high", "p", "p_adjusted")
        return pandas.DataFrame({"layer": self.layers, **{name: getattr(self, name) for name in names}})

    def __str__(self) -> str:
        lines = [
            f"{self.first} - {self.second} (points of accuracy)",
            "layer  difference  [95 % interval]  p (max-T)",
        ]
        for row in zip(self.layers, self.value, self.low, self.high, self.p_adjusted, strict=True):
            name, value, low, high, p = row
            lines.append(f"{name:>5}  {value * 100:+10.2f}  [{low * 100:+.2f}, {high * 100:+.2f}]  {p:.4f}")
        return "\n".join(lines)


def compare(first: Any, second: Any) -> Difference:
    """Compare two curves or groups of curves; raises ResultError unless they answer the same examples."""
    _check_comparable(first, second)
    outcomes, seed = _members(first)[0].outcomes, first.record.config["seed"]
    num_groups = int(outcomes.group.max()) + 1
    difference = correct_answers(first) - correct_answers(second)
    sums = sum_by_group(difference, outcomes.group, num_groups)
    resampled = resample_means(difference, outcomes.group, seed)
    value = difference.mean(axis=1)
    intervals = [percentile_interval(*pair) for pair in zip(value.tolist(), resampled, strict=True)]
    p, p_adjusted = max_t(sums, flip_signs(num_groups, seed))
    return Difference(
        first=describe(first),
        second=describe(second),
        layers=first.record.layers,
        value=tuple(value.tolist()),
        low=tuple(interval.low for interval in intervals),
        high=tuple(interval.high for interval in intervals),
        p=tuple(p.tolist()),
        p_adjusted=tuple(p_adjusted.tolist()),
    )


def describe(curves: Any) -> str:
    """Encoder, twin and task in a few words."""
    config = curves.record.config
    words = [config["encoder"]["name"], config["task"]["name"]]
    twins = [curve.record.config["encoder"].get("twin") for curve in _members(curves)]
    if twins[0]:
        seeds = ", ".join(str(twin["seed"]) for twin in twins)
        words.insert(1, f"{twins[0]['kind']} (seed {seeds})")
    return " ".join(words)


def correct_answers(curves: Any) -> np.ndarray:
    """Share of curves that are right, [layer, example]."""
    return np.mean([curve.outcomes.correct for curve in _members(curves)], axis=0)


def _members(curves: Any) -> tuple[Any, ...]:
    return getattr(curves, "curves", (curves,))


def _check_comparable(first: Any, second: Any) -> None:
    one, other = first.record, second.record
    if one.layers != other.layers:
        raise ResultError(
            f"Two curves with the same layers were expected, but {describe(first)} has {len(one.layers)} and "
            f"{describe(second)} has {len(other.layers)}. Compare encoders of one depth."
        )
    base = _members(first)[0].outcomes
    for curve in (*_members(first), *_members(second)):
        others = curve.outcomes
        if not np.array_equal(base.label, others.label) or not np.array_equal(base.group, others.group):
            raise ResultError(
                f"Two curves over the same test examples were expected, but {describe(first)} and "
                f"{describe(second)} differ in theirs. Compare runs of one task on one corpus."
            )
