"""What fitted probes answer on test: the only place where test vectors are read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from probes.cache import Cache
from probes.fit.fitted import FittedProbes
from probes.fit.floor import count_in_train, recurs
from probes.fit.question import Question
from probes.result import Outcomes
from probes.types import Rows, Task


@dataclass(frozen=True, slots=True)
class Fitted:
    """A task with its control draws, the probes fitted to them, and what they answered on test."""

    task: Task
    controls: tuple[Task, ...]
    probes: FittedProbes
    outcomes: Outcomes
    aside: tuple["Fitted", ...] = ()
    """Controls that have rows of their own, each with its draws."""

    @property
    def draws(self) -> Float[np.ndarray, "draw layer example"]:
        """Where a control with rows of its own is right: its first draw is the task, the others are the controls."""
        answers = self.outcomes.predicted.get(self.task.name, np.empty((0, *self.outcomes.predicted["task"].shape)))
        labels = self.outcomes.control_label.get(self.task.name, np.empty((0, len(self.outcomes.label))))
        return np.concatenate([self.outcomes.correct[None], answers == labels[:, None]]).astype(np.float64)


def collect(cache: Cache, question: Question, probes: FittedProbes) -> Fitted:
    """A question with its probes and their answers."""
    outcomes = collect_outcomes(cache, question.task, question.controls, probes)
    return Fitted(question.task, question.controls, probes, outcomes)


def collect_outcomes(cache: Cache, task: Task, controls: Sequence[Task], probes: FittedProbes) -> Outcomes:
    """Predictions of every chosen probe on test."""
    test, train = task.splits["test"], task.splits["train"]
    layers = range(len(cache.layers))
    answers = np.stack([answer(probes, cache.layer(layer, "test"), test, layer) for layer in layers], axis=1)
    names = np.asarray([control.name for control in controls])
    chosen = {name: np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())}
    labels = {name: np.stack([controls[int(i)].splits["test"].labels for i in every]) for name, every in chosen.items()}
    return Outcomes(
        label=test.labels,
        group=test.groups,
        count=count_in_train(train, test) if recurs(train, test) else np.full(len(test), -1),
        predicted={"task": answers[0]} | {name: answers[1 + every] for name, every in chosen.items()},
        control_label=labels,
        subsets=dict(test.subsets),
    )


def answer(probes: FittedProbes, states: np.ndarray, rows: Rows, layer: int) -> Int[np.ndarray, "target example"]:
    """What the probe of each target takes every example for."""
    if rows.partner is None:
        return probes.predict(states, rows.index, layer)
    return probes.compare(states, rows.index, layer, rows.partner)
