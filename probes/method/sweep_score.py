"""Accuracies of every point of a sweep on test, with paired intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from probes.cache import Cache
from probes.fit.fitted import FittedProbes
from probes.fit.floor import predict_majority, predict_word_majority, recurs
from probes.fit.question import Question
from probes.metric.interval import detectable_difference, percentile_interval, resample_sums, sum_by_group
from probes.result import Finding
from probes.task import CAPACITY
from probes.types import Rows, Task


@dataclass(frozen=True)
class Fitted:
    """One setting with its probes, and where they are right."""

    question: Question
    probes: FittedProbes
    right: Float[np.ndarray, "target layer group"]
    """Right answers in each group of test; 0 for controls that are scored on train."""
    memory: Float[np.ndarray, "target layer"]
    """Accuracy on the training rows of the controls that are scored there; NaN for the others."""

    @property
    def names(self) -> list[str]:
        return [control.name for control in self.question.controls]

    def targets(self, name: str) -> list[int]:
        """Targets of a control's draws."""
        return [1 + number for number, other in enumerate(self.names) if other == name]

    def control_accuracy(self, name: str) -> Float[np.ndarray, " layer"]:
        """How much it memorises, told without test: on dev, or on train for what is scored there; mean over draws."""
        targets = self.targets(name)
        return self.memory[targets].mean(axis=0) if name == CAPACITY else self.probes.dev_accuracy[:, targets].mean(1)


def collect(cache: Cache, question: Question, probes: FittedProbes) -> Fitted:
    """A setting with the answers of its probes on test."""
    tasks = (question.task, *question.controls)
    on_train = [number for number, task in enumerate(tasks) if task.name == CAPACITY]
    num_layers, groups = len(cache.layers), question.task.splits["test"].groups
    right = np.zeros((len(tasks), num_layers, int(groups.max()) + 1))
    memory = np.full((len(tasks), num_layers), np.nan)
    for layer in range(num_layers):
        correct = _correct(cache, tasks, probes, layer, "test")
        right[:, layer] = sum_by_group(correct, groups, right.shape[2])
        if on_train:
            memory[on_train, layer] = _correct(cache, tasks, probes, layer, "train")[on_train].mean(axis=1)
    right[on_train] = 0.0
    return Fitted(question, probes, right, memory)


def _correct(
    cache: Cache, tasks: Sequence[Task], probes: FittedProbes, layer: int, split: str
) -> Bool[np.ndarray, "target example"]:
    """Where each target is right, [target, example]; states are read by chunks."""
    rows, states = tasks[0].splits[split], cache.layer(layer, split)
    labels = np.stack([task.splits[split].labels for task in tasks])
    if rows.partner is None or split == "train":
        return probes.predict(states, rows.index, layer) == labels
    return probes.compare(states, rows.index, layer, rows.partner) == labels


class Scorer:
    """Rows of one axis after the other; every row is resampled by the same groups."""

    def __init__(self, test: Rows, seed: int, best_layer: int) -> None:
        self.seed, self.best_layer = seed, best_layer
        num_groups = int(test.groups.max()) + 1
        self.sizes = np.bincount(test.groups, minlength=num_groups).astype(np.float64)
        self.totals = resample_sums(self.sizes, seed)
        self.count: dict[str, Any] = {"n": len(test), "groups": int((self.sizes > 0).sum())}

    def resample(self, right: Float[np.ndarray, "*curve group"]) -> Float[np.ndarray, "*curve resample"]:
        """Accuracy in each bootstrap resample."""
        return resample_sums(right, self.seed) / self.totals

    def axis(self, name: str, values: Sequence[int | float | str], fitted: Sequence[Fitted]) -> Iterator[Finding]:
        """Accuracy of the task, of each control with its draws, and selectivity, at every value of an axis."""
        dev = np.stack([one.probes.dev_accuracy[:, 0] for one in fitted])
        places = [{"axis": name, name: value} for value in values]
        task = np.stack([one.right[0] for one in fitted])
        yield from self._rows("task", task, places, dev)
        yield from _dev_rows(places, fitted)
        for control in dict.fromkeys(fitted[0].names):
            if control == CAPACITY:
                yield from _memory_rows(places, fitted)
                continue
            draws = np.stack([one.right[one.targets(control)] for one in fitted], axis=1)
            for draw, right in enumerate(draws):
                yield from self._rows(control, right, places, dev, draw=draw)
            yield from self._rows(control, draws.mean(axis=0), places, dev)
            selectivity = "selectivity" if control == "word_type" else f"selectivity.{control}"
            yield from self._rows(selectivity, task - draws.mean(axis=0), places, dev)

    def floors(self, axis: str, task: Task, controls: Sequence[Task]) -> Iterator[Finding]:
        """What is answered without any vector, and what a perfect memory would answer of a control."""
        train, test = task.splits["train"], task.splits["test"]
        has_words = recurs(train, test)
        found = {"majority": (predict_majority, [task])}
        found |= {"word_majority": (predict_word_majority, [task])} if has_words else {}
        for name in dict.fromkeys(control.name for control in controls if control.name != CAPACITY):
            draws = [control for control in controls if control.name == name]
            found |= {f"{name}_majority": (predict_majority, draws)}
            found |= {f"{name}_ceiling": (predict_word_majority, draws)} if has_words else {}
        for variant, (predict, tasks) in found.items():
            correct = np.stack([predict(one.splits["train"], one.splits["test"]) == _labels(one) for one in tasks])
            right = sum_by_group(correct, test.groups, len(self.sizes)).mean(axis=0)
            interval = percentile_interval(float(right.sum() / self.sizes.sum()), self.resample(right))
            yield Finding(
                variant=variant,
                metric="accuracy",
                at={"axis": axis, "at_best_layer": True},
                **interval.fields,
                **self.count,
            )

    def _rows(
        self,
        variant: str,
        right: Float[np.ndarray, "point layer group"],
        places: Sequence[dict],
        dev: Float[np.ndarray, "point layer"],
        draw: int | None = None,
    ) -> Iterator[Finding]:
        means, resampled = right.sum(axis=-1) / self.sizes.sum(), self.resample(right)
        for point, place in enumerate(places):
            for layer in range(right.shape[1]):
                interval = percentile_interval(float(means[point, layer]), resampled[point, layer])
                other = _best_other(dev[:, layer], point)
                difference = None if other is None else resampled[point, layer] - resampled[other, layer]
                yield Finding(
                    variant=variant,
                    metric="accuracy",
                    layer=layer,
                    draw=draw,
                    at=place | {"at_best_layer": layer == self.best_layer},
                    **interval.fields,
                    detectable=None if difference is None else detectable_difference(difference),
                    **self.count,
                )


def _labels(task: Task) -> np.ndarray:
    return task.splits["test"].labels


def _best_other(dev: Float[np.ndarray, " point"], point: int) -> int | None:
    """The best point of an axis by dev, or for that one the second."""
    others = [other for other in np.argsort(-dev, kind="stable").tolist() if other != point]
    best = int(np.argmax(dev))
    return None if not others else best if best != point else others[0]


def _dev_rows(places: Sequence[dict], fitted: Sequence[Fitted]) -> Iterator[Finding]:
    """What was seen on dev, where settings and the front are chosen."""
    for place, one in zip(places, fitted, strict=True):
        rows = one.question.task.splits["dev"]
        count: dict[str, Any] = {"n": len(rows), "groups": len(np.unique(rows.groups))}
        values = {"task": one.probes.dev_accuracy[:, 0]}
        values |= {name: one.control_accuracy(name) for name in dict.fromkeys(one.names) if name != CAPACITY}
        for variant, by_layer in values.items():
            for layer, value in enumerate(by_layer.tolist()):
                fields = {"metric": "accuracy", "split": "dev", "at": place, **count}
                yield Finding(variant=variant, layer=layer, value=value, **fields)


def _memory_rows(places: Sequence[dict], fitted: Sequence[Fitted]) -> Iterator[Finding]:
    """Training accuracy under permuted labels: a measure of capacity, never of selectivity (METHODS)."""
    for place, one in zip(places, fitted, strict=True):
        rows = one.question.task.splits["train"]
        fields: dict[str, Any] = {"n": len(rows), "groups": len(np.unique(rows.groups)), "variant": CAPACITY}
        draws = [*enumerate(one.memory[one.targets(CAPACITY)]), (None, one.control_accuracy(CAPACITY))]
        for draw, by_layer in draws:
            for layer, value in enumerate(by_layer.tolist()):
                fields |= {"metric": "accuracy", "split": "train", "at": place}
                yield Finding(layer=layer, draw=draw, value=value, **fields)
