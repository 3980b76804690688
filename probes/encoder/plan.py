"""The batch plan: which sentences go through the encoder together.

A value may differ in its last bits with the batch it was computed in, so the plan is a function of corpus,
tokenizer and budget alone, and its hash is part of a cache's identity.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np


def plan_batches(num_pieces: Sequence[int], first_of: Sequence[int], batch_pieces: int) -> tuple[np.ndarray, ...]:
    """Batches of sentence numbers, longest first, each within a budget of padded pieces.

    Only the first of equal sentences is planned. A sentence longer than the budget goes alone.

    >>> [batch.tolist() for batch in plan_batches([5, 9, 5, 4], [0, 1, 0, 3], batch_pieces=10)]
    [[1], [0, 3]]
    """
    lengths = np.asarray(num_pieces, dtype=np.int64)
    unique = np.flatnonzero(np.asarray(first_of) == np.arange(len(lengths)))
    ordered = unique[np.argsort(-lengths[unique], kind="stable")]
    batches, start = [], 0
    while start < len(ordered):
        size = max(1, batch_pieces // int(lengths[ordered[start]]))
        batches.append(ordered[start : start + size])
        start += size
    return tuple(batches)


def plan_hash(batches: Sequence[np.ndarray]) -> str:
    """Hash of the sentences of every batch, in order."""
    digest = sha256()
    for batch in batches:
        digest.update(len(batch).to_bytes(8, "little") + np.asarray(batch, dtype="<i8").tobytes())
    return digest.hexdigest()
