"""F1 of whole chunks, as the shared task of CoNLL-2000 scores them (Tjong Kim Sang and Buchholz 2000)."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int


def chunks_of(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """First word, the word behind the last, and kind of each chunk of one sentence.

    A chunk begins at B-X, and at I-X where no chunk of kind X goes on.

    >>> list(chunks_of(["B-NP", "I-NP", "B-NP", "I-VP", "O", "I-NP"]))
    [(0, 2, 'NP'), (2, 3, 'NP'), (3, 4, 'VP'), (5, 6, 'NP')]
    """
    start, kind = 0, ""
    for word, tag in enumerate([*tags, "O"]):
        mark, _, found = tag.partition("-")
        goes_on = mark == "I" and found == kind and kind
        if goes_on:
            continue
        if kind:
            yield start, word, kind
        start, kind = word, found if mark in ("B", "I") else ""


def chunk_counts(
    tags: Sequence[str],
    predicted: Sequence[str],
    sequence: Int[np.ndarray, " word"],
    groups: Int[np.ndarray, " word"],
    num_groups: int,
) -> Float[np.ndarray, "3 group"]:
    """Chunks found right, found wrongly and missed in each group; `sequence` numbers the sentence of each word."""
    counts = np.zeros((3, num_groups))
    borders = [0, *(np.flatnonzero(np.diff(sequence)) + 1).tolist(), len(sequence)]
    for start, stop in pairwise(borders):
        gold, found = set(chunks_of(tags[start:stop])), set(chunks_of(predicted[start:stop]))
        counts[:, groups[start]] += (len(gold & found), len(found - gold), len(gold - found))
    return counts


def f1(counts: Float[np.ndarray, "*curve 3"]) -> Float[np.ndarray, "*curve"]:
    """Harmonic mean of precision and recall, from right, wrong and missed; 0 where nothing is there to find.

    >>> round(float(f1(np.array([2.0, 1.0, 1.0]))), 3)
    0.667
    """
    right, errors = counts[..., 0], counts[..., 1] + counts[..., 2]
    total = 2 * right + errors
    return np.asarray(2 * right / np.where(total > 0, total, 1))
