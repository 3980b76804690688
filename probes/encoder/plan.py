"""The batch plan: which windows of text go through the encoder together, and which rows they fill.

A value may differ in its last bits with the batch it was computed in, so the plan is a function of corpus,
tokenizer and budget alone. All of these are in a cache's identity, and so is the version of the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from probes.cache import Batches

# Raised when the same texts and budget give other batches.
PLAN_VERSION = 1


def plan_batches(num_pieces: Sequence[int] | np.ndarray, batch_pieces: int) -> tuple[np.ndarray, ...]:
    """Batches of window numbers, longest first, each within a budget of padded pieces.

    A window longer than the budget goes alone.

    >>> [batch.tolist() for batch in plan_batches([5, 9, 4], batch_pieces=10)]
    [[1], [0, 2]]
    """
    lengths = np.asarray(num_pieces, dtype=np.int64)
    ordered = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(ordered):
        size = max(1, batch_pieces // int(lengths[ordered[start]]))
        batches.append(ordered[start : start + size])
        start += size
    return tuple(batches)


@dataclass(frozen=True)
class Plan:
    """Batches of windows, and where their rows go."""

    windows: tuple[Int[np.ndarray, " _"], ...]
    """Numbers of the windows of each batch."""
    rows: Batches
    """The rows that each batch fills."""
    text: Int[np.ndarray, " range"]
    """Which text of its batch each range of rows is made from."""


def place_rows(
    batches: tuple[np.ndarray, ...],
    *,
    window_sentence: Int[np.ndarray, " window"],
    window_rows: Int[np.ndarray, " window"],
    row_offsets: Int[np.ndarray, " sentence_plus_one"],
    first_of: Int[np.ndarray, " sentence"],
) -> Plan:
    """The rows that each batch fills: those of its windows, and those of every sentence with the same text.

    Window w holds the next `window_rows[w]` rows of sentence `window_sentence[w]`; a sentence whose text came before
    has no windows of its own.
    """
    copies = np.argsort(first_of, kind="stable")
    begins, ends = (
        np.searchsorted(first_of[copies], np.arange(len(first_of)), side=side) for side in ("left", "right")
    )
    before = _rows_before(window_sentence, window_rows)
    offsets, ranges = [0], []
    for batch in batches:
        found = []
        for text, window in enumerate(batch.tolist()):
            sentence, size = int(window_sentence[window]), int(window_rows[window])
            same = copies[begins[sentence] : ends[sentence]]
            found += [(int(row_offsets[number] + before[window]), size, text) for number in same] if size else []
        ranges += sorted(found)
        offsets.append(len(ranges))
    start, size, text = np.asarray(ranges, dtype=np.int64).reshape(-1, 3).T.copy()
    return Plan(batches, Batches(np.asarray(offsets, dtype=np.int64), start, size), text)


def _rows_before(window_sentence: np.ndarray, window_rows: np.ndarray) -> np.ndarray:
    """Rows of the same sentence in the windows before each one."""
    total = np.cumsum(window_rows) - window_rows
    is_first = np.diff(window_sentence, prepend=-1) != 0
    return total - total[is_first][np.cumsum(is_first) - 1]
