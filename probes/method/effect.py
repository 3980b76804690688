"""What an erasure did to probes: accuracy before and after, and the difference, over the same examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from probes.metric.compare import flip_signs, max_t
from probes.metric.interval import detectable_difference, percentile_interval, resample_means, sum_by_group
from probes.result import Finding
from probes.types import Rows


@dataclass(frozen=True, slots=True)
class Answers:
    """Where the probes of one task are right on test: on the states, after LEACE, after random erasures."""

    task: str
    rows: Rows
    """The examples of test."""
    before: Bool[np.ndarray, "layer example"]
    leace: Bool[np.ndarray, "layer example"]
    random: Bool[np.ndarray, "draw layer example"]
    majority: Bool[np.ndarray, " example"]


def accuracy_rows(answers: Answers, seed: int) -> Iterator[Finding]:
    """Accuracy of every variant at every layer, and by how much each erasure lowers it.

    Every row is resampled by the same groups; the smallest detectable difference is the one to the states as they
    were, for these the one to LEACE.
    """
    draws = answers.random.astype(np.float64)
    curves = {"before": answers.before, "leace": answers.leace, "random": draws.mean(axis=0)}
    found = {name: _resample(values, answers.rows, seed) for name, values in curves.items()}
    for name, (means, resampled) in found.items():
        other = found["leace" if name == "before" else "before"][1]
        yield from _by_layer(answers, means, resampled, resampled - other, variant=name, metric="accuracy")
    for draw, values in enumerate(draws):
        means, resampled = _resample(values, answers.rows, seed)
        lost = resampled - found["before"][1]
        yield from _by_layer(answers, means, resampled, lost, variant="random", metric="accuracy", draw=draw)
    for name in ("leace", "random"):
        means, resampled = (before - after for before, after in zip(found["before"], found[name], strict=True))
        yield from _by_layer(answers, means, resampled, resampled, variant=name, metric="accuracy_drop")
    means, resampled = _resample(answers.majority[None], answers.rows, seed)
    floor = _by_layer(answers, means, resampled, resampled * np.nan, variant="majority", metric="accuracy")
    yield from (one.model_copy(update={"layer": None}) for one in floor)


def compare_with_random(answers: Answers, seed: int) -> Float[np.ndarray, " layer"]:
    """Two-sided p-values of LEACE against the mean over random erasures; sign flips by group, max-T over layers."""
    num_groups = int(answers.rows.groups.max()) + 1
    differences = answers.leace - answers.random.mean(axis=0)
    _, adjusted = max_t(sum_by_group(differences, answers.rows.groups, num_groups), flip_signs(num_groups, seed))
    return adjusted


def _resample(
    values: Float[np.ndarray, "layer example"] | Bool[np.ndarray, "layer example"], rows: Rows, seed: int
) -> tuple[Float[np.ndarray, " layer"], Float[np.ndarray, "layer resample"]]:
    """The mean over examples, and the same in each bootstrap resample of groups."""
    return values.mean(axis=1), resample_means(values, rows.groups, seed)


def _by_layer(
    answers: Answers,
    means: Float[np.ndarray, " layer"],
    resampled: Float[np.ndarray, "layer resample"],
    difference: Float[np.ndarray, "layer resample"],
    **fields: Any,
) -> Iterator[Finding]:
    for layer, value in enumerate(means.tolist()):
        interval = percentile_interval(value, resampled[layer])
        yield Finding(
            layer=layer,
            at={"probed": answers.task},
            **interval.fields,
            n=len(answers.rows),
            groups=len(np.unique(answers.rows.groups)),
            detectable=detectable_difference(difference[layer]),
            **fields,
        )
