"""All analyses of an experiment."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from probes.errors import ResultError, list_names
from probes.report.listing import format_analysis
from probes.result import Analysis, findings_frame, read_analysis
from probes.result.frame import shown_order
from probes.study.plan import DEFAULT_RESULTS

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Analyses:
    """What methods found in one experiment, pretrained encoders first."""

    analyses: tuple[Analysis, ...]

    def __iter__(self) -> Iterator[Analysis]:
        return iter(self.analyses)

    def __len__(self) -> int:
        return len(self.analyses)

    def to_frame(self) -> "pandas.DataFrame":
        """Every finding of every analysis as a row."""
        return findings_frame(self.analyses)

    def __str__(self) -> str:
        return "\n\n".join(map(format_analysis, self.analyses))


def read_analyses(experiment: str, results: str | Path = DEFAULT_RESULTS) -> Analyses:
    """The analyses of an experiment that were written under `results`; pretrained ones first.

    Raises ResultError if there are none, or if one is a curve or of another schema.
    """
    folder = Path(results) / "runs" / experiment
    paths = sorted(folder.glob("*.json"))
    if not paths:
        known = [path.name for path in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise ResultError(
            f"Analyses were expected in {folder}, but there are none; {folder.parent} holds "
            f"{list_names(experiment, known)}. Run the experiment first."
        )
    return Analyses(tuple(sorted(map(read_analysis, paths), key=shown_order)))


def holds_analyses(experiment: str, results: str | Path = DEFAULT_RESULTS) -> bool:
    """Whether the results of an experiment are those of methods; False where they are curves or there are none."""
    for path in sorted((Path(results) / "runs" / experiment).glob("*.json")):
        try:
            return bool(json.loads(path.read_text(encoding="utf-8")).get("method"))
        except (ValueError, AttributeError):
            continue  # damaged: whoever reads it will say so
    return False
