"""Which pieces make which row: words, or the whole sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from probes.config import EncoderConfig
from probes.types import Unit


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces of a batch that rows are made of, row by row: piece `position[i]` of text `sentence[i]`
    belongs to row `row[i]`."""

    sentence: Int[np.ndarray, " piece"]
    position: Int[np.ndarray, " piece"]
    row: Int[np.ndarray, " piece"]


def word_spans(word_ids: Sequence[int | None]) -> dict[int, tuple[int, int]]:
    """First and last piece of every word that has a piece.

    >>> word_spans([None, 0, 0, 2, None])
    {0: (1, 2), 2: (3, 3)}
    """
    spans: dict[int, tuple[int, int]] = {}
    for position, word in enumerate(word_ids):
        if word is not None:
            spans[word] = (spans[word][0] if word in spans else position, position)
    return spans


def select_pieces(
    word_ids: Sequence[Sequence[int | None]], kept: Sequence[np.ndarray], unit: Unit, config: EncoderConfig
) -> Pieces:
    """The pieces that make the rows of a batch.

    `word_ids[i]` are the words of the pieces of text i (None for special pieces), `kept[i]` the words of
    text i that have a row. Special pieces count only for the mean over a sentence.
    """
    sentence, position, row = [], [], []
    num_rows = 0
    for text, (words, rows) in enumerate(zip(word_ids, kept, strict=True)):
        for pieces in _pieces_of_rows(words, rows, unit, config):
            sentence.extend([text] * len(pieces))
            position.extend(pieces)
            row.extend([num_rows] * len(pieces))
            num_rows += 1
    return Pieces(
        np.asarray(sentence, dtype=np.int64),
        np.asarray(position, dtype=np.int64),
        np.asarray(row, dtype=np.int64),
    )


def _pieces_of_rows(
    word_ids: Sequence[int | None], kept: np.ndarray, unit: Unit, config: EncoderConfig
) -> list[Sequence[int]]:
    if unit == "sentence":
        return [range(len(word_ids)) if config.sentence == "mean" else (0,)]
    spans = word_spans(word_ids)
    if config.word == "mean":
        return [range(spans[word][0], spans[word][1] + 1) for word in kept.tolist()]
    end = 0 if config.word == "first" else 1
    return [(spans[word][end],) for word in kept.tolist()]
