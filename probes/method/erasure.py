"""Erasing the labels of a task from the states of every layer (LEACE), and what probes read before and after.

On a cache erasure tells which tasks are read from the same directions. It says nothing about use: the encoder does
not go on from the erased states.
"""

from typing import Any

import numpy as np
from pydantic import Field

from probes.config import FitConfig, Settings
from probes.errors import TaskError
from probes.fit.fitted import FittedProbes
from probes.fit.floor import predict_majority
from probes.method.build import Method
from probes.method.effect import Answers, accuracy_rows, compare_with_random
from probes.method.erased import Variant, make_variants, score_constant, score_train
from probes.method.subject import Findings, Subject
from probes.result import Panel
from probes.types import Task

# What LEACE promises holds for the optimum without a penalty.
UNPENALISED = FitConfig(solver="exact", l2=(0.0,), precision="float32", gap="none")


class ErasureSettings(Settings):
    """What is asked of the states after the run's task has been erased from them."""

    others: tuple[str, ...] = Field(min_length=1)
    """Names of other tasks over the same unit, such as `head_direction`: did something else fall as well? The erased
    task itself is always asked."""
    draws: int = Field(default=3, ge=1)
    """Random subspaces, each of the rank of LEACE."""


def apply_erasure(subject: Subject, settings: ErasureSettings) -> Findings:
    """Probes of the erased task and of others on the states as they are, after LEACE, and after random erasures.

    Raises TaskError for a task that has not one class for each row.
    """
    cache, erased, seed = subject.cache, subject.task, subject.seed
    others = [name for name in dict.fromkeys(settings.others) if name != erased.name]
    tasks = [erased, *(subject.task_named(name) for name in others)]
    for task in tasks:
        _check_task(task)
    variants, rows = make_variants(cache, erased, draws=settings.draws, seed=seed)
    fits = []
    for variant in variants:
        subject.notify(f"erasure: probes {variant.name}")
        fits.append(variant.fit(cache, tasks, subject.run.fit, seed))
    before, leace = variants[:2]
    (bare,) = leace.fit(cache, [erased], UNPENALISED, seed)
    rows += [*score_train(cache, before, erased, fits[0][0]), *score_train(cache, leace, erased, bare)]
    rows += score_constant(erased)
    answers = [_answer(subject, task, variants, [fit[place] for fit in fits]) for place, task in enumerate(tasks)]
    for part in answers:
        rows += accuracy_rows(part, seed)
    return Findings(tuple(rows), _panels(tasks), _describe(subject, answers))


METHOD = Method(ErasureSettings, apply_erasure)


def _check_task(task: Task) -> None:
    rows = task.splits["train"]
    num_slots = rows.index.shape[1]
    if num_slots != 1 or task.answer != "class" or rows.partner is not None:
        came = "pairs" if rows.partner is not None else f"{num_slots} rows an example and answer {task.answer!r}"
        raise TaskError(
            f"Method 'erasure' needs one class for each {task.unit}, but task {task.name!r} has {came}. "
            f"Choose a task such as 'pos'."
        )


def _answer(subject: Subject, task: Task, variants: list[Variant], fits: list[FittedProbes]) -> Answers:
    right = [variant.find_right(subject.cache, task, fitted) for variant, fitted in zip(variants, fits, strict=True)]
    test = task.splits["test"]
    majority = predict_majority(task.splits["train"], test) == test.labels
    return Answers(task.name, test, right[0], right[1], np.stack(right[2:]), majority)


def _panels(tasks: list[Task]) -> tuple[Panel, ...]:
    shown = [
        Panel(metric="accuracy", title=f"accuracy of {task.name}", is_share=True, where={"probed": task.name})
        for task in tasks
    ]
    lost = Panel(
        metric="accuracy_drop",
        title="accuracy lost to LEACE",
        lines="probed",
        is_share=True,
        where={"variant": "leace"},
    )
    loss = Panel(metric="train_loss_nats", title="loss on the erased rows")
    return (*shown, lost, loss)


def _describe(subject: Subject, answers: list[Answers]) -> dict[str, Any]:
    return {
        "erased": subject.task.name,
        "probed": [part.task for part in answers],
        "erased_rows": len(subject.task.splits["train"]),
        "leace_is_random_p": {part.task: compare_with_random(part, subject.seed).round(6).tolist() for part in answers},
        "train_scores": "before: the chosen probes; leace: the optimum without a penalty on erased states",
        "scope": "states of a cache: what probes read, not what the encoder uses",
    }
