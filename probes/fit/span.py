"""Batches of examples that are spans of words: an example has as many rows as its spans have words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from probes.fit.batch import Batch, ahead, cut_in_order, order_blocks
from probes.fit.read import Range, Scale, SplitRows


@dataclass(frozen=True)
class SpanRows:
    """The words of the spans of one split. Every example has as many spans, its slots.

    `words` has one example a word: those of slot 0 of all examples, then those of slot 1. The words of example i in
    slot s are `starts[s, i]` to `starts[s, i + 1]`.
    """

    words: SplitRows
    starts: Int[np.ndarray, "slot example_plus_one"]

    def __len__(self) -> int:
        return self.starts.shape[1] - 1

    @property
    def layers(self) -> Sequence:
        return self.words.layers

    @property
    def lengths(self) -> Int[np.ndarray, "example slot"]:
        """Words of each span."""
        return np.diff(self.starts, axis=1).T

    def words_of(self, ranges: Sequence[Range]) -> list[Range]:
        """Ranges of words of some ranges of examples, slot by slot."""
        return [(int(starts[first]), int(starts[stop])) for starts in self.starts for first, stop in ranges]


def make_span_rows(
    layers: Sequence[np.ndarray], first: Int[np.ndarray, "example slot"], last: Int[np.ndarray, "example slot"]
) -> SpanRows:
    """The spans between a first and a last row of the cache: rows lie in the order of the corpus, so a span is a run.

    A word of the span that the cache lacks is not in it.
    """
    num_examples, num_slots = first.shape
    # Slot by slot, and one running count through all of them.
    lengths = (last - first + 1).T.reshape(-1)
    ends = np.cumsum(lengths)
    within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
    rows = np.repeat(first.T.reshape(-1), lengths) + within
    starts = np.concatenate([[0], ends])
    places = np.arange(num_slots)[:, None] * num_examples + np.arange(num_examples + 1)
    return SpanRows(SplitRows(layers, rows[:, None]), starts[places])


class SpanBatches:
    """Batches of the examples of one split, shuffled anew every epoch if a seed is given; see RowBatches.

    A batch has the states of its words, slot by slot, and the numbers of its examples.
    """

    def __init__(
        self,
        rows: SpanRows,
        scale: Scale,
        *,
        batch_rows: int,
        dtype: torch.dtype = torch.float32,
        seed: int | None = None,
    ) -> None:
        self.rows, self.scale, self.batch_rows, self.dtype, self.seed = rows, scale, batch_rows, dtype, seed
        self.layers, self.epoch, self.is_threaded = list(range(len(rows.layers))), 0, False

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_rows)

    def __iter__(self) -> Iterator[Batch]:
        if self.seed is None:
            plan = cut_in_order(len(self.rows), self.batch_rows)
        else:
            plan = order_blocks(len(self.rows), self.batch_rows, self.seed, self.epoch)
            self.epoch += 1
        yield from ahead(self._read, plan) if self.is_threaded else map(self._read, plan)

    def _read(self, ranges: Sequence[Range]) -> Batch:
        examples = torch.cat([torch.arange(start, stop) for start, stop in ranges])
        words = self.rows.words_of(ranges)
        num_words = sum(stop - start for start, stop in words)
        out: Tensor = torch.empty((len(self.layers), num_words, self.rows.words.num_features), dtype=self.dtype)
        return self.rows.words.read(words, self.layers, self.scale, out=out), examples
