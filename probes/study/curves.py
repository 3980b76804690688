"""All curves of an experiment, found by what sets them apart."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from probes.config import Run, parse
from probes.errors import ResultError, list_names
from probes.report.figure import draw_curves
from probes.result import read_record, to_frame
from probes.result.frame import shown_order
from probes.study.curve import Curve, CurveGroup
from probes.study.plan import DEFAULT_RESULTS
from probes.study.predict import predictor_of

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Curves:
    """The curves of one experiment, pretrained encoders first.

    `curves["pretrained"]` is the curve of the pretrained encoder, `curves["untrained"]` the group of its
    untrained twins; a curve is also found by the first digits of its run id.
    """

    curves: tuple[Curve, ...]

    def __getitem__(self, key: str) -> Curve | CurveGroup:
        found = tuple(curve for curve in self.curves if key == _kind(curve))
        found = found or tuple(curve for curve in self.curves if curve.record.run_id.startswith(key))
        if not found:
            names = [
                *dict.fromkeys(map(_kind, self.curves)),
                *(curve.record.run_id[:6] for curve in self.curves),
            ]
            raise ResultError(f"No curve is called {key!r}; there are {list_names(key, names)}. Ask for one of these.")
        if len({_without_seed(curve) for curve in found}) > 1:
            runs = ", ".join(curve.record.run_id[:6] for curve in found)
            raise ResultError(
                f"{key!r} should name one curve or twins that differ in their seed, but the runs {runs} differ in "
                f"other settings. Ask by run id, or remove the files of old trials."
            )
        return found[0] if len(found) == 1 else CurveGroup(found)

    def __iter__(self) -> Iterator[Curve]:
        return iter(self.curves)

    def __len__(self) -> int:
        return len(self.curves)

    def plot(self, path: str | Path, *, columns: Literal[1, 2] | None = None) -> Path:
        """Write the figure of all curves, a panel for each question; `columns` as for one curve."""
        return draw_curves([curve.record for curve in self.curves], Path(path), columns=columns)

    def to_frame(self) -> "pandas.DataFrame":
        """Every score of every curve as a row."""
        return to_frame([curve.record for curve in self.curves])


def read_results(experiment: str, results: str | Path = DEFAULT_RESULTS) -> Curves:
    """The curves of an experiment that were written under `results`; pretrained ones first.

    Raises ResultError if there are none or if one is of another schema.
    """
    folder = Path(results) / "runs" / experiment
    paths = sorted(folder.glob("*.json"))
    if not paths:
        known = [path.name for path in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise ResultError(
            f"Curves were expected in {folder}, but there are none; {folder.parent} holds "
            f"{list_names(experiment, known)}. Run the experiment first."
        )
    curves = sorted(map(read_curve, paths), key=lambda curve: shown_order(curve.record))
    return Curves(tuple(curves))


def read_curve(path: str | Path) -> Curve:
    """One curve from its JSON file; its outcomes are read when they are needed."""
    path = Path(path)
    record = read_record(path)
    outcomes = path.resolve().parents[2] / "outcomes" / f"{record.run_id}.safetensors"
    return Curve(record, outcomes, predictor_of(parse(Run, record.config, where=str(path))))


def _kind(curve: Curve) -> str:
    twin = curve.record.config["encoder"].get("twin")
    return twin["kind"] if twin else "pretrained"


def _without_seed(curve: Curve) -> str:
    config = curve.record.config
    twin = {**(config["encoder"].get("twin") or {}), "seed": None}
    return json.dumps({**config, "encoder": {**config["encoder"], "twin": twin}}, sort_keys=True)
