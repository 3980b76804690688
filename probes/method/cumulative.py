"""Scores of probes along the layers, and what is read off a curve of cumulative ones: gains and expected layer."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from probes.fit.floor import predict_by_labels, predict_by_surface
from probes.method.subject import TASK
from probes.metric.depth import expected_layer, relative_depth, score_gains
from probes.metric.interval import (
    Interval,
    detectable_difference,
    percentile_interval,
    resample_means,
    resample_sums,
)
from probes.metric.relation import relation_counts, relation_f1
from probes.result import Finding
from probes.types import Rows, Task


@dataclass(frozen=True)
class Curve:
    """A score of every layer, and the same in every bootstrap resample of the groups, drawn alike for all layers."""

    metric: str
    values: Float[np.ndarray, " layer"]
    resampled: Float[np.ndarray, "layer resample"]

    @cached_property
    def expected(self) -> tuple[Interval, str]:
        """The expected layer with its interval and, if it is not what it seems, why; NaN where it is undefined.

        Scores and their ratio are made anew in each resample. It is undefined where the total gain, by which it
        divides, has an interval that reaches zero.
        """
        value, resampled = float(expected_layer(self.values)), expected_layer(self.resampled)
        gain = percentile_interval(float(self.values[-1] - self.values[0]), self.resampled[-1] - self.resampled[0])
        if not (gain.low > 0 or np.isnan(gain.low)) or np.isnan(value):
            why = f"undefined: the total gain is {gain.value:.4f} [{gain.low:.4f}, {gain.high:.4f}]"
            return Interval(float("nan"), float("nan"), float("nan")), why
        is_outside = not 1 <= value <= len(self.values) - 1
        return percentile_interval(value, resampled), "outside the layers: some lose what others gain" * is_outside

    @property
    def num_losses(self) -> int:
        """Layers at which the score falls."""
        return int((score_gains(self.values) < 0).sum())


@dataclass(frozen=True)
class Scored:
    """The answers of one probe a layer to one split."""

    task: Task
    split: str
    predicted: Int[np.ndarray, "layer example"]
    seed: int
    at: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> Rows:
        return self.task.splits[self.split]

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """Accuracy, which is micro-F1 where an example has one label, and the official score of SemEval's relations."""
        right = (self.predicted == self.rows.labels).astype(np.float64)
        found = [Curve("accuracy", right.mean(axis=1), resample_means(right, self.rows.groups, self.seed))]
        if self.task.scorer == "relation_f1":
            counts = np.stack([self._count(answers) for answers in self.predicted])
            resampled = np.moveaxis(resample_sums(counts, self.seed), -1, 1)
            found.append(Curve("relation_f1", relation_f1(counts.sum(axis=-1)), relation_f1(resampled)))
        return tuple(found)

    def score_rows(self) -> Iterator[Finding]:
        """Every layer's scores; what is detectable is a difference to the layer before."""
        for curve in self.curves:
            for layer, value in enumerate(curve.values.tolist()):
                one = percentile_interval(value, curve.resampled[layer])
                step = detectable_difference(curve.resampled[layer] - curve.resampled[layer - 1]) if layer else None
                yield self._finding(curve.metric, one, layer=layer, detectable=step)

    def depth_rows(self) -> Iterator[Finding]:
        """What each layer adds to cumulative scores, and the layer at which they are gained on average."""
        for curve in self.curves:
            gains, resampled = score_gains(curve.values), score_gains(curve.resampled)
            for number, gain in enumerate(gains.tolist()):
                one = percentile_interval(gain, resampled[number])
                yield self._finding(f"{curve.metric}_gain", one, layer=number + 1)
            expected, _ = curve.expected
            yield from depth_findings(
                "expected_layer", expected, len(gains), partial(self._finding, score=curve.metric)
            )

    def floor_rows(self) -> Iterator[Finding]:
        """What is right without any vector."""
        train = self.task.splits["train"]
        floors = predict_by_labels(train, self.rows)
        floors |= {what: predict_by_surface(train, self.rows, what) for what in self.rows.surface}
        for variant, answers in floors.items():
            one = Scored(self.task, self.split, answers[None], self.seed)
            for curve in one.curves:
                yield one._finding(
                    curve.metric, percentile_interval(float(curve.values[0]), curve.resampled[0]), variant
                )

    def notes(self) -> dict[str, Any]:
        """Where the expected layer is undefined or outside the layers, and at how many layers scores fall."""
        found: dict[str, Any] = {}
        for curve in self.curves:
            _, why = curve.expected
            found[f"{self.split}_{curve.metric}_layers_that_lose"] = curve.num_losses
            found |= {f"{self.split}_{curve.metric}_expected_layer": why} if why else {}
        return found

    @property
    def _num_groups(self) -> int:
        return int(self.rows.groups.max()) + 1

    def _count(self, answers: Int[np.ndarray, " example"]) -> Float[np.ndarray, "relation 3 group"]:
        rows = self.rows
        return relation_counts(rows.labels, answers, rows.groups, self.task.labels, self._num_groups)

    def _finding(
        self, metric: str, one: Interval, variant: str = TASK, *, score: str | None = None, **fields: Any
    ) -> Finding:
        return Finding(
            variant=variant,
            metric=metric,
            split=self.split,
            at=self.at | ({"score": score} if score else {}),
            **one.fields,
            n=len(self.rows),
            groups=len(np.unique(self.rows.groups)),
            **fields,
        )


def depth_findings(metric: str, one: Interval, num_blocks: int, finding: Any) -> Iterator[Finding]:
    """A mean layer, and the same as a share of the depth."""
    yield finding(metric, one)
    shares = (relative_depth(value, num_blocks) for value in (one.value, one.low, one.high))
    yield finding(f"{metric}_relative", Interval(*shares))
