"""What the methods of mixed layers share: what they can be asked, how they fit, and the weights that they find."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from probes.config import FitConfig
from probes.errors import ConfigError, TaskError
from probes.fit.mixed import FittedMixes
from probes.method.cumulative import depth_findings
from probes.method.subject import TASK, Subject
from probes.metric.depth import centre_of_gravity, refit_interval
from probes.metric.interval import Interval
from probes.result import Finding
from probes.types import Rows

TEST: dict[str, Any] = {"split": "test"}
TRAIN: dict[str, Any] = {"split": "train"}


def check_subject(subject: Subject, method: str) -> None:
    """Raise an error for what a method of mixes cannot be asked: controls, several answers, pairs, the exact solver."""
    run, task = subject.run, subject.task
    if run.task.controls:
        raise ConfigError(
            f"Method {method!r} expects a task without controls, but came {', '.join(run.task.controls)}. "
            f"Remove task.controls; an untrained twin on the grid of encoder.twin is what its numbers are held against."
        )
    if run.fit.solver != "stack":
        raise ConfigError(
            f"Method {method!r} expects solver 'stack', but came {run.fit.solver!r}: a mix of layers has no convex "
            f"problem. Set fit.solver to stack."
        )
    if task.answer != "class" or task.splits["train"].partner is not None:
        came = "minimal pairs" if task.answer == "class" else f"answers of kind {task.answer!r}"
        raise TaskError(
            f"Method {method!r} expects examples with one label each, but task {task.name!r} has {came}. "
            f"Choose another task."
        )


def effective_config(subject: Subject, legacy: str | None) -> FitConfig:
    """The settings of the fit; a published system that reads raw states has its way."""
    return subject.run.fit.model_copy(update={"features": "raw"} if legacy else {})


def fit_notes(fitted: FittedMixes, config: FitConfig) -> dict[str, Any]:
    """What was chosen on dev, and what a reader of the numbers must know."""
    notes = {
        "layers_are": "raw" if config.features == "raw" else "standardised on train",
        "micro_f1": "equal to accuracy: every example has one label",
        "diverged": int(fitted.has_diverged.sum()),
        "refits": len(fitted.refits),
        "gamma": None if fitted.gamma is None else round(fitted.gamma, 4),
    }
    for number, over in enumerate(fitted.over):
        notes[f"{over}_epochs"] = " ".join(map(str, fitted.epochs[number].tolist()))
        notes[f"{over}_l2"] = " ".join(f"{value:g}" for value in fitted.l2[number].tolist())
    return notes


def weight_rows(fitted: FittedMixes, train: Rows, at: dict[str, Any]) -> Iterator[Finding]:
    """Share of each layer in the mix of all of them, and its centre of gravity, with the intervals of the refits.

    These are numbers of the fit: what is drawn again are the groups of train.
    """
    assert fitted.weights is not None
    num_groups = len(np.unique(train.groups))
    # A single group is drawn alike every time, and says nothing about how groups vary.
    refits = fitted.refits if num_groups > 1 else fitted.refits[:0]
    finding = partial(_weight_finding, at=at, split="train", n=len(train), groups=num_groups, variant=TASK)
    for layer, weight in enumerate(fitted.weights.tolist()):
        yield finding("mix_weight", refit_interval(weight, refits[:, layer]), layer=layer)
    centre = refit_interval(float(centre_of_gravity(fitted.weights)), centre_of_gravity(refits))
    yield from depth_findings("centre_of_gravity", centre, len(fitted.weights) - 1, finding)


def _weight_finding(metric: str, one: Interval, **fields: Any) -> Finding:
    return Finding(metric=metric, **one.fields, **fields)
