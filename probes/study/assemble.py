"""From fitted probes to the record of a curve."""

import math
import subprocess
from collections.abc import Iterator
from functools import cache as remember
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from probes.cache import Cache, identity_hash, library_versions
from probes.config import Run, plain
from probes.fit.fitted import FittedProbes
from probes.result import Confusion, EpochRow, Fingerprints, GridRow, ProbeRow, Record, Score
from probes.study.clock import Clock
from probes.study.collect import Fitted
from probes.study.elsewhere import score_elsewhere
from probes.study.floor import control_majority, find_floors, official_score
from probes.study.material import Material
from probes.study.score import Scorer
from probes.task import CAPACITY
from probes.types import Task

PACKAGE_VERSION = version("layerwise-probes")
# Points of a training curve that are kept of a long fit.
MOST_EPOCHS = 32
RECORDED = ("torch", "transformers", "tokenizers", "pytorch-lightning", "numpy", "scipy")


def assemble(
    fitted: Fitted,
    cache: Cache,
    run: Run,
    *,
    experiment: str,
    question: str,
    material: Material,
    clock: Clock,
) -> Record:
    """The record of one curve, scored."""
    probes, outcomes = fitted.probes, fitted.outcomes
    best_layer = int(probes.dev_accuracy[:, 0].argmax())
    with clock.measure("score"):
        scorer = Scorer(outcomes, len(probes.labels), best_layer, run.seed, official=official_score(fitted.task))
        scores = [
            *_dev_scores(fitted),
            *_capacity(fitted, cache),
            *scorer.rows(find_floors(fitted.task, fitted.controls)),
            *score_elsewhere(fitted, cache, run.seed),
        ]
        for one in fitted.aside:
            # Groups are numbered as those of the task, so both are resampled by the same groups.
            beside = Scorer(one.outcomes, len(one.probes.labels), best_layer, run.seed)
            floor = control_majority(one.task.name, [one.task, *one.controls])
            scores += beside.control(one.task.name, one.draws, floor)
        may_be_best = scorer.may_be_best()
    identity = cache.manifest.identity
    return Record(
        experiment=experiment,
        question=question,
        run_id=run.run_id,
        package=PACKAGE_VERSION,
        config=plain(run),
        environment=describe_environment(cache.manifest.environment.get("device", "unknown")),
        fingerprints=Fingerprints(
            encoder=identity.get("weights") or identity_hash(identity),
            corpus=material.fingerprint,
            cache=cache.folder.name[-16:],
        ),
        layers=cache.layers,
        post_norm_last=cache.manifest.post_norm_last,
        best_layer=best_layer,
        may_be_best=may_be_best,
        scores=tuple(scores),
        probes=(
            *_probe_rows(fitted, "task"),
            *(row for one in fitted.aside for row in _probe_rows(one, one.task.name)),
        ),
        grid=tuple(_grid_rows(probes)),
        training=() if probes.dev_curve is None else tuple(_training_rows(probes.dev_curve)),
        confusion=Confusion(labels=probes.labels, layers=scorer.confusion()),
        supports=_supports(fitted.task),
        left_out=dict(fitted.task.left_out),
        overlaps=material.overlaps,
        wall_seconds={part: round(value, 3) for part, value in clock.seconds.items()},
    )


def describe_environment(device: str) -> dict[str, Any]:
    """Where the numbers were computed."""
    return {
        "commit": _commit(),
        "versions": library_versions(RECORDED),
        "device": device,
        "threads": torch.get_num_threads(),
        "bf16_units": bool(torch.cpu._is_avx512_bf16_supported()),
    }


@remember
def _commit() -> str | None:
    """The commit of the code where it is a checkout; a `+` marks uncommitted changes."""
    folder = Path(__file__).parents[2]
    try:
        commands = (
            ["git", "rev-parse", "--short=12", "HEAD"],
            ["git", "status", "--porcelain", "--", "probes"],
        )
        commit, changes = (
            subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}+" if changes else commit


def _dev_scores(fitted: Fitted) -> list[Score]:
    dev = fitted.task.splits["dev"]
    return [
        Score(
            variant="task",
            layer=layer,
            split="dev",
            value=float(value),
            n=len(dev),
            groups=len(np.unique(dev.groups)),
        )
        for layer, value in enumerate(fitted.probes.dev_accuracy[:, 0])
    ]


def _capacity(fitted: Fitted, cache: Cache) -> list[Score]:
    """Accuracy on the training rows under permuted labels: what a probe of this size can learn by heart."""
    draws = [number for number, control in enumerate(fitted.controls, start=1) if control.name == CAPACITY]
    if not draws:
        return []
    train, scores = fitted.task.splits["train"], []
    num_groups = len(np.unique(train.groups))
    for layer in range(len(cache.layers)):
        answers = fitted.probes.predict(cache.layer(layer, "train"), train.index, layer)
        for draw, number in enumerate(draws):
            labels = fitted.controls[number - 1].splits["train"].labels
            value, num_rows = float((answers[number] == labels).mean()), len(labels)
            fields = {"variant": CAPACITY, "draw": draw, "layer": layer, "split": "train"}
            scores.append(Score(value=value, n=num_rows, groups=num_groups, **fields))
    return scores


def _probe_rows(fitted: Fitted, name: str) -> list[ProbeRow]:
    """How each probe was fitted; those of a control's own rows are draws from the first one on."""
    probes, rows = fitted.probes, []
    draws: dict[str, int] = {}
    for target, task in enumerate((fitted.task, *fitted.controls)):
        variant = name if target == 0 else task.name
        draw = None if variant == "task" else draws.setdefault(variant, 0)
        if draw is not None:
            draws[variant] += 1
        rows += [_probe_row(probes, layer, target, variant, draw) for layer in range(probes.num_layers)]
    return rows


def _probe_row(probes: FittedProbes, layer: int, target: int, variant: str, draw: int | None) -> ProbeRow:
    setting, gap = probes.grid.chosen(layer), float(probes.gap[layer, target])
    return ProbeRow(
        layer=layer,
        variant=variant,
        draw=draw,
        l2=setting.l2,
        step_size=_step_size(probes, setting.step_size),
        epochs=int(probes.epochs[layer, target]),
        dev_accuracy=float(probes.dev_accuracy[layer, target]),
        gap=gap if math.isfinite(gap) else None,
        gap_kind=probes.gap_kind,
        converged=bool(probes.converged[layer, target]),
        diverged=bool(probes.has_diverged[layer, target]),
    )


def _grid_rows(probes: FittedProbes) -> list[GridRow]:
    grid = probes.grid
    return [
        GridRow(
            layer=layer,
            l2=setting.l2,
            step_size=_step_size(probes, setting.step_size),
            dev_accuracy=_finite(grid.accuracy[layer, number]),
            dev_loss=_finite(grid.loss[layer, number]),
            chosen=number == grid.choice[layer],
        )
        for layer in range(probes.num_layers)
        for number, setting in enumerate(grid.settings)
    ]


def _training_rows(dev_curve: Float[np.ndarray, "epoch layer measure"]) -> Iterator[EpochRow]:
    """Every epoch, or some at equal distances and the last, layer by layer."""
    for layer in range(dev_curve.shape[1]):
        curve = dev_curve[:, layer]
        # A probe that has ended has no further epochs.
        ended = np.isnan(curve).all(axis=1)
        last = int(ended.argmax()) if ended.any() else len(curve)
        for place in np.unique(np.linspace(0, last - 1, num=min(last, MOST_EPOCHS)).round().astype(int)):
            accuracy, loss = (_finite(float(value)) for value in curve[place])
            yield EpochRow(layer=layer, epoch=int(place) + 1, dev_accuracy=accuracy, dev_loss=loss)


def _step_size(probes: FittedProbes, step_size: float) -> float | None:
    return None if probes.config.solver == "exact" else step_size


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _supports(task: Task) -> dict[str, dict[str, int]]:
    return {
        split: dict(zip(task.labels, np.bincount(rows.labels, minlength=len(task.labels)).tolist(), strict=True))
        for split, rows in task.splits.items()
    }
