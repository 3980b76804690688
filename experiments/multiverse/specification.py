"""Every curve that the runs of a multiverse hold: one run has many, by penalty, criterion, split and measure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from probes.errors import ResultError
from probes.result import Record

# Settings by which runs differ, as they are called in tables; the fit is named by `name_fit`.
AXES = {
    "encoder.word": "word vector",
    "encoder.sentence": "sentence vector",
    "encoder.compute_dtype": "precision of the encoder",
    "encoder.twin": "twin",
    "task.train_share": "share of train",
}
NONE = "none"


class Origin(NamedTuple):
    """The run that a curve is of."""

    run_id: str = ""
    package: str = ""
    weights: str = ""
    """Hash of the encoder."""


UNKNOWN = Origin()


@dataclass(frozen=True)
class Specification:
    """One curve, and every choice that led to it."""

    task: str
    choices: Mapping[str, str]
    curve: Float[np.ndarray, " layer"]
    origin: Origin = UNKNOWN

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Equal for the curves of two tasks that were made alike."""
        return tuple(sorted(self.choices.items()))

    def key_without(self, axis: str) -> tuple[tuple[str, str], ...]:
        """Equal for curves that differ in this choice alone."""
        return tuple(pair for pair in self.key if pair[0] != axis)

    @property
    def best(self) -> int:
        """The layer at which the curve is highest; of equal ones the lowest."""
        return int(self.curve.argmax())

    @property
    def depth(self) -> float:
        """Where that is: 0 for the embeddings, 1 for the last block."""
        return self.best / (len(self.curve) - 1)


def name_fit(fit: Mapping[str, Any]) -> str:
    """The kind of probe in words."""
    kind = "linear" if fit["probe"] == "linear" else f"perceptron {fit['hidden'][0]}"
    rank = f", rank {fit['rank']}" if fit["rank"] else ""
    raw = ", raw states" if fit["features"] == "raw" else ""
    return f"{kind}{rank}{raw}{' as Jawahar et al.' if fit['activation'] == 'sigmoid' else ''}"


def choices_of(record: Record) -> dict[str, str]:
    """What sets a run apart from the others."""
    found = {"probe": name_fit(record.config["fit"])}
    for key, shown in AXES.items():
        part, name = key.split(".")
        value = record.config[part].get(name)
        if isinstance(value, Mapping):
            value = f"{value['kind']} {value['seed']}"
        found[shown] = NONE if value is None else str(value)
    return found


def specify_all(records: Sequence[Record]) -> list[Specification]:
    """Every curve of every run; raises ResultError for runs that differ in something that is no axis here.

    Controls are none: of a run without and one with them, all else alike, the latter counts, which has selectivity too.
    """
    bare: dict[Any, Specification] = {}
    controlled: dict[Any, Specification] = {}
    for record in records:
        found = controlled if record.config["task"]["controls"] else bare
        for one in specify(record):
            if (one.task, one.key) in found:
                raise ResultError(
                    f"Runs of {record.experiment} should differ in what a multiverse turns, but two are {one.task} "
                    f"with {', '.join(f'{axis} {value}' for axis, value in one.key)}. Remove the files of old trials."
                )
            found[one.task, one.key] = one
    return list((bare | controlled).values())


def specify(record: Record) -> Iterator[Specification]:
    """Every curve of a run, by what is read from it, and whether that is accuracy or selectivity.

    Accuracy on dev for each penalty from the smallest, and for that which accuracy or likelihood chooses at each layer;
    then, for the penalty that accuracy chose, accuracy on test and, where there is a control, selectivity there.
    """
    choices, layers = choices_of(record), range(len(record.layers))
    rows = {(row.layer, row.l2): row for row in record.grid}
    penalties = sorted({l2 for _, l2 in rows})
    accuracy = np.array([[rows[layer, l2].dev_accuracy or 0.0 for l2 in penalties] for layer in layers])
    losses = [[rows[layer, l2].dev_loss for l2 in penalties] for layer in layers]
    loss = np.array([[np.inf if one is None else one for one in row] for row in losses])
    of_dev = {f"dev, penalty {number + 1}": accuracy[:, number] for number in range(len(penalties))}
    of_dev["dev, penalty by likelihood"] = accuracy[np.arange(len(accuracy)), loss.argmin(axis=1)]
    of_dev["dev, penalty by accuracy"] = accuracy.max(axis=1)
    curves = {(name, "accuracy"): curve for name, curve in of_dev.items()}
    for variant, measure in (("task", "accuracy"), ("selectivity", "selectivity")):
        scores = sorted(record.select(variant=variant), key=lambda score: score.layer or 0)
        if len(scores) == len(layers):
            curves["test", measure] = np.array([score.value or 0.0 for score in scores])
    origin = Origin(record.run_id, record.package, record.fingerprints.encoder)
    for (name, measure), curve in curves.items():
        made = {**choices, "curve": name, "measure": measure}
        yield Specification(record.task, dict(sorted(made.items())), curve, origin)
