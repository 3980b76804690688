"""What tokenising a corpus told, in flat arrays on disk: pieces, rows, and what will be missing."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from probes.cache.column import open_column
from probes.types import RowIndex, Unit

SUMMARY_NAME = "scan.json"
COLUMNS = {
    "piece": "int32",
    "segment": "int32",
    "window_pieces": "int32",
    "window_rows": "int32",
    "window_sentence": "int32",
    "sentence_rows": "int32",
    "word": "int32",
    "types": "int32",
    "first": "int32",
    "last": "int32",
}


@dataclass(frozen=True)
class Scan:
    """What tokenising told. Sentences, rows and windows are numbered through all splits, in corpus order.

    Only the first of sentences with one text has windows; all have rows. Row r is the mean of pieces `first[r]` to
    `last[r]` of the window that it is taken from.
    """

    unit: Unit
    ids: dict[str, list[str]]
    vocabulary: list[str]
    cut: dict[str, list[int]]
    """Words beyond the length limit by sentence id; for sentence vectors an empty list marks a cut text."""
    lost: dict[str, list[int]]
    """Words without a piece, by sentence id."""
    columns: dict[str, np.ndarray] = field(repr=False)
    row_offsets: np.ndarray = field(repr=False)
    """First row of each sentence, and the number of all rows."""
    piece_offsets: np.ndarray = field(repr=False)
    """First piece of each window, and the number of all pieces."""

    def index(self, split: str) -> RowIndex:
        """Rows of a split in corpus order."""
        names = list(self.ids)
        start = sum(len(self.ids[name]) for name in names[: names.index(split)])
        offsets = self.row_offsets[start : start + len(self.ids[split]) + 1]
        rows = slice(int(offsets[0]), int(offsets[-1]))
        word, types = (self.columns[name][rows] for name in ("word", "types"))
        return RowIndex(unit=self.unit, ids=self.ids[split], offsets=offsets - rows.start, word=word, types=types)


def read_scan(folder: Path, unit: Unit) -> Scan | None:
    """The scan that was written to a folder, read through memory maps; None if there is no whole one."""
    try:
        summary = json.loads((folder / SUMMARY_NAME).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    columns = {name: open_column(folder, name, dtype) for name, dtype in COLUMNS.items()}
    row_offsets, piece_offsets = (
        np.concatenate([[0], np.cumsum(columns[name], dtype=np.int64)]) for name in ("sentence_rows", "window_pieces")
    )
    return Scan(unit, columns=columns, row_offsets=row_offsets, piece_offsets=piece_offsets, **summary)
