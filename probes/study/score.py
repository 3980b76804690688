"""From the outcomes of test examples to rows of scores with intervals."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from probes.metric.compare import flip_signs, may_be_best
from probes.metric.interval import (
    detectable_difference,
    f1_counts,
    percentile_interval,
    resample_sums,
    sum_by_group,
)
from probes.metric.score import confusion, macro_f1
from probes.result import Outcomes, Score
from probes.task import CAPACITY

# Floors of the task itself; the others belong to a control.
LABEL_FLOORS = ("majority", "word_majority")
# How often a unit occurs in train: first and last number of a bin.
COUNT_BINS = ((1, 9), (10, 99), (100, None))


@dataclass(frozen=True, slots=True)
class CountScore:
    """A score that is made of counts which add up over groups: macro-F1, or that of a data set's own scorer."""

    name: str
    count: Callable[[Int[np.ndarray, " example"]], Float[np.ndarray, "*count group"]]
    """From the predicted labels to counts in each group."""
    value: Callable[[Float[np.ndarray, "*curve count"]], Float[np.ndarray, "*curve"]]


@dataclass(frozen=True, slots=True)
class Floor:
    """Answers that need no vectors: the predicted label of every test example, or of every draw and example."""

    variant: str
    predicted: Int[np.ndarray, "*draw example"]
    labels: Int[np.ndarray, "*draw example"]


class Scorer:
    """Scores of one curve on test; every row is resampled by the same groups."""

    def __init__(
        self, outcomes: Outcomes, num_labels: int, best_layer: int, seed: int, *, official: CountScore | None = None
    ) -> None:
        self.outcomes, self.num_labels, self.best_layer, self.seed = outcomes, num_labels, best_layer, seed
        self.num_groups = int(outcomes.group.max()) + 1
        self.by_counts = (CountScore("macro_f1", self._count_labels, macro_f1), *([official] if official else []))
        everything = np.ones(len(outcomes.label), dtype=bool)
        self.subsets: dict[str, Bool[np.ndarray, " example"]] = {"all": everything}
        if (outcomes.count >= 0).all():
            self.subsets |= {"seen": outcomes.count > 0, "unseen": outcomes.count == 0}
            for low, high in COUNT_BINS:
                name = f"count:{low}-{high}" if high else f"count:{low}+"
                is_inside = (outcomes.count >= low) & (outcomes.count <= (high or np.inf))
                self.subsets |= {name: is_inside} if is_inside.any() else {}
        self.subsets |= outcomes.subsets

    def rows(self, floors: list[Floor]) -> Iterator[Score]:
        """All scores: task, controls with draws and their mean, selectivity, floors."""
        correct = self.outcomes.correct.astype(np.float64)
        yield from self._by_layer("task", correct)
        yield from self._by_counts("task", self.outcomes.predicted["task"])
        for control, labels in self.outcomes.control_label.items():
            if control == CAPACITY:
                continue
            draws = (self.outcomes.predicted[control] == labels[:, None]).astype(np.float64)
            yield from self._draws(control, draws, subsets=tuple(self.subsets))
            name = "selectivity" if control == "word_type" else f"selectivity.{control}"
            yield from self._by_layer(name, correct - draws.mean(axis=0))
        for floor in floors:
            yield from self._floor(floor, correct)

    def control(self, control: str, draws: Float[np.ndarray, "draw layer example"], floor: Floor) -> Iterator[Score]:
        """Scores of a control that has examples of its own, from where its draws are right, and its floor.

        There is no selectivity: what chance gives is not the same for control and task.
        """
        yield from self._draws(control, draws, subsets=("all",))
        means, resampled = self._resample((floor.predicted == floor.labels).mean(axis=0)[None], "all")
        yield self._score(float(means[0]), resampled[0], None, subset="all", variant=floor.variant)

    def _draws(
        self, control: str, draws: Float[np.ndarray, "draw layer example"], *, subsets: tuple[str, ...]
    ) -> Iterator[Score]:
        for draw, values in enumerate(draws):
            yield from self._by_layer(control, values, draw=draw, subsets=("all",))
        yield from self._by_layer(control, draws.mean(axis=0), subsets=subsets)

    def may_be_best(self) -> tuple[int, ...]:
        """Layers that comparison with the best does not exclude."""
        sums = sum_by_group(self.outcomes.correct, self.outcomes.group, self.num_groups)
        return tuple(np.flatnonzero(may_be_best(sums, flip_signs(self.num_groups, self.seed))).tolist())

    def confusion(self) -> dict[int, list[list[int]]]:
        """Label by predicted label, for each layer."""
        return {
            layer: confusion(self.outcomes.label, predicted, self.num_labels).tolist()
            for layer, predicted in enumerate(self.outcomes.predicted["task"])
        }

    def _by_layer(
        self,
        variant: str,
        values: Float[np.ndarray, "layer example"],
        *,
        draw: int | None = None,
        subsets: tuple[str, ...] | None = None,
    ) -> Iterator[Score]:
        for subset in subsets or self.subsets:
            means, resampled = self._resample(values, subset)
            for layer, value in enumerate(means.tolist()):
                other = self.best_layer if layer != self.best_layer else self._runner_up(means)
                yield self._score(
                    value, resampled[layer], resampled[other], subset=subset, variant=variant, draw=draw, layer=layer
                )

    def _floor(self, floor: Floor, task: Float[np.ndarray, "layer example"]) -> Iterator[Score]:
        correct = (floor.predicted == floor.labels).reshape(-1, task.shape[1]).mean(axis=0)
        for subset in self.subsets:
            means, resampled = self._resample(np.stack([correct, task[self.best_layer]]), subset)
            yield self._score(float(means[0]), resampled[0], resampled[1], subset=subset, variant=floor.variant)
        if floor.variant in LABEL_FLOORS:
            yield from self._by_counts(floor.variant, floor.predicted[None], layers=(None,))

    def _by_counts(
        self, variant: str, predicted: np.ndarray, layers: tuple[int | None, ...] | None = None
    ) -> Iterator[Score]:
        """Scores that are made of counts which add up over groups: macro-F1 and the official one."""
        layers = layers or tuple(range(len(predicted)))
        for score in self.by_counts:
            for layer, answers in zip(layers, predicted, strict=True):
                counts = score.count(answers)
                resampled = score.value(np.moveaxis(resample_sums(counts, self.seed), -1, 0))
                value, fields = float(score.value(counts.sum(axis=-1))), {"layer": layer, "metric": score.name}
                yield self._score(value, resampled, None, subset="all", variant=variant, **fields)

    def _count_labels(self, predicted: Int[np.ndarray, " example"]) -> Float[np.ndarray, "label 3 group"]:
        sizes = {"num_labels": self.num_labels, "num_groups": self.num_groups}
        return f1_counts(self.outcomes.label, predicted, self.outcomes.group, **sizes)

    def _resample(
        self, values: Float[np.ndarray, "layer example"], subset: str
    ) -> tuple[Float[np.ndarray, " layer"], Float[np.ndarray, "layer resample"]]:
        """The mean over a subset's examples, and the same in each bootstrap resample; NaN for no examples."""
        mask = self.subsets[subset]
        if not mask.any():
            return np.full(len(values), np.nan), np.full((len(values), 1), np.nan)
        sums = sum_by_group(np.vstack([values * mask, mask]), self.outcomes.group, self.num_groups)
        totals = resample_sums(sums, self.seed)
        resampled = totals[:-1] / np.where(totals[-1] > 0, totals[-1], np.nan)
        return sums[:-1].sum(axis=1) / mask.sum(), resampled

    def _runner_up(self, means: Float[np.ndarray, " layer"]) -> int:
        others = [layer for layer in range(len(means)) if layer != self.best_layer]
        return max(others, key=lambda layer: means[layer], default=self.best_layer)

    def _score(
        self,
        value: float,
        resampled: Float[np.ndarray, " resample"],
        reference: Float[np.ndarray, " resample"] | None,
        *,
        subset: str,
        **fields: Any,
    ) -> Score:
        """A row with its interval; `reference` is resampled alike, and the row's difference to it gives the power."""
        interval = percentile_interval(value, resampled)
        groups = self.outcomes.group[self.subsets[subset]]
        return Score(
            subset=subset,
            value=interval.value,
            low=interval.low,
            high=interval.high,
            n=len(groups),
            groups=len(np.unique(groups)),
            detectable=None if reference is None else detectable_difference(resampled - reference),
            **fields,
        )
