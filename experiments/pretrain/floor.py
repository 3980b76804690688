"""What counting alone says of a hidden piece: the floors under a masked-word loss."""

import numpy as np
from jaxtyping import Float, Int, UInt16
from scipy.sparse import coo_matrix

Pieces = Int[np.ndarray, " place"] | UInt16[np.ndarray, " place"]


def unigram_nll(train: Pieces, wanted: Pieces, vocabulary: int) -> Float[np.ndarray, " place"]:
    """-ln P(piece) by its share of train, every piece counted once more than it is seen; nats."""
    counts = np.bincount(train, minlength=vocabulary) + 1.0
    return -np.log(counts[wanted] / counts.sum())


def bigram_nll(train: Pieces, before: Pieces, wanted: Pieces, vocabulary: int) -> Float[np.ndarray, " place"]:
    """-ln P(piece | the piece before it), interpolated Kneser-Ney (Chen and Goodman 1999, section 3); nats.

    max(c(v, w) - D, 0) / c(v) + D N(v, .) / c(v) times the share of kinds of pieces that w follows, itself interpolated
    with the uniform distribution; D = n1 / (n1 + 2 n2), where n1 and n2 pairs are seen once and twice. N counts kinds.
    """
    pairs = np.ones(len(train) - 1), (train[:-1].astype(np.int64), train[1:].astype(np.int64))
    counts = coo_matrix(pairs, shape=(vocabulary, vocabulary)).tocsr()
    seen = np.bincount(counts.data.astype(np.int64), minlength=3)
    discount = seen[1] / (seen[1] + 2 * seen[2])
    kinds = counts.copy()
    kinds.data = np.ones_like(kinds.data)
    follows, followed = np.asarray(kinds.sum(axis=0)).ravel(), np.asarray(kinds.sum(axis=1)).ravel()
    left_over = discount * np.count_nonzero(follows) / follows.sum()
    lower = np.maximum(follows - discount, 0) / follows.sum() + left_over / vocabulary
    total = np.asarray(counts.sum(axis=1)).ravel()[before]
    own = np.asarray(counts[before.astype(np.int64), wanted.astype(np.int64)]).ravel()
    known = np.maximum(total, 1)
    weight = np.where(total > 0, discount * followed[before] / known, 1.0)
    return -np.log(np.maximum(own - discount, 0) / known + weight * lower[wanted])
