"""Which pieces make which row: of a word, or of the whole sentence."""

from collections.abc import Sequence
from typing import Literal

How = Literal["first", "last", "mean", "cls", "pooler"]


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


def pooled_span(span: tuple[int, int], how: How) -> tuple[int, int]:
    """First and last of the pieces whose mean is the row; `span` is that of the word or of the whole text.

    >>> [pooled_span((3, 5), how) for how in ("first", "last", "mean")]
    [(3, 3), (5, 5), (3, 5)]
    """
    first, last = span
    return (first, last) if how == "mean" else (last, last) if how == "last" else (first, first)
