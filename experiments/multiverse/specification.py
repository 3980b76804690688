"""Every curve that the runs of a multiverse hold: one run has many, by penalty, criterion, split and measure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from probes.result import Record

# Settings by which runs differ, as they are called in tables; `fit` is named by FITS.
AXES = {
    "encoder.word": "word vector",
    "encoder.sentence": "sentence vector",
    "encoder.compute_dtype": "precision",
    "encoder.twin": "twin",
    "task.train_share": "share of train",
}


@dataclass(frozen=True)
class Specification:
    """One curve, and every choice that led to it."""

    task: str
    choices: Mapping[str, str]
    curve: Float[np.ndarray, " layer"]

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """Equal for the curves of two tasks that were made alike."""
        return tuple(sorted(self.choices.items()))

    @property
    def best(self) -> int:
        """The layer with the highest value; of equal ones the lowest."""
        return int(self.curve.argmax())

    @property
    def depth(self) -> float:
        """Where that is: 0 for the embeddings, 1 for the last block."""
        return self.best / (len(self.curve) - 1)


def name_fit(fit: Mapping[str, Any]) -> str:
    """The kind of probe in words."""
    kind = "linear" if fit["probe"] == "linear" else f"perceptron {fit['hidden'][0]}"
    rank = f", rank {fit['rank']}" if fit["rank"] else ""
    legacy = ", four epochs" if fit["epochs"] == 4 and fit["schedule"] == "constant" else ""
    return f"{kind}{rank}{', raw states' if fit['features'] == 'raw' else ''}{legacy}"


def choices_of(record: Record) -> dict[str, str]:
    """What sets a run apart from the others."""
    found = {"probe": name_fit(record.config["fit"])}
    for key, shown in AXES.items():
        part, name = key.split(".")
        value = record.config[part].get(name)
        if isinstance(value, Mapping):
            value = f"{value['kind']} {value['seed']}"
        found[shown] = "none" if value is None else str(value)
    return found


def specify(records: Sequence[Record]) -> Iterator[Specification]:
    """Every curve of every run: accuracy on dev for each penalty, and for the penalty that accuracy or likelihood
    chooses; accuracy on test and, with a control, selectivity for the penalty that was chosen."""
    for record in records:
        choices, task = choices_of(record), record.task
        layers = range(len(record.layers))
        rows = {(row.layer, row.l2): row for row in record.grid}
        penalties = sorted({l2 for _, l2 in rows})
        accuracy = np.array([[rows[layer, l2].dev_accuracy or 0.0 for l2 in penalties] for layer in layers])
        losses = [[rows[layer, l2].dev_loss for l2 in penalties] for layer in layers]
        loss = np.array([[np.inf if one is None else one for one in row] for row in losses])
        for number, l2 in enumerate(penalties):
            yield Specification(task, choices | _read("dev accuracy", f"{l2:g}"), accuracy[:, number])
        by_loss = accuracy[np.arange(len(accuracy)), loss.argmin(axis=1)]
        yield Specification(task, choices | _read("dev accuracy", "chosen by likelihood"), by_loss)
        yield Specification(task, choices | _read("dev accuracy", "chosen by accuracy"), accuracy.max(axis=1))
        for variant, measure in (("task", "test accuracy"), ("selectivity", "selectivity")):
            scores = sorted(record.select(variant=variant), key=lambda score: score.layer or 0)
            if len(scores) == len(layers):
                values = np.array([score.value or 0.0 for score in scores])
                yield Specification(task, choices | _read(measure, "chosen by accuracy"), values)


def _read(measure: str, penalty: str) -> dict[str, str]:
    return {"measure": measure, "penalty": penalty}
