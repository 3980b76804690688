"""Scores of predicted trees (Hewitt and Manning 2019, section 4), for sentences of one length at a time.

`curve` counts what predicts: layers, or one floor. `heads` are places in the sentence, counted from 0, -1 for the root.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.stats import rankdata

# Sentences outside of these lengths are too short to have an order, or too few to have a mean.
LENGTHS = range(5, 51)


def tree_depths(heads: Int[np.ndarray, "sentence word"]) -> Int[np.ndarray, "sentence word"]:
    """Edges between each word and the root.

    >>> tree_depths(np.array([[1, -1, 1, 2]])).tolist()
    [[1, 0, 1, 2]]
    """
    return _ancestors(heads).sum(axis=2) - 1


def tree_distances(heads: Int[np.ndarray, "sentence word"]) -> Int[np.ndarray, "sentence word word"]:
    """Edges between every two words of a sentence.

    >>> tree_distances(np.array([[1, -1, 1]])).tolist()
    [[[0, 1, 2], [1, 0, 1], [2, 1, 0]]]
    """
    above = _ancestors(heads).astype(np.float32)  # products of integers are slow, these numbers exact
    shared = (above @ above.transpose(0, 2, 1)).astype(np.int64)
    own = above.sum(axis=2).astype(np.int64)
    return own[:, :, None] + own[:, None, :] - 2 * shared


def chain_distances(num_words: int) -> Float[np.ndarray, "word word"]:
    """The floor of distances: each word is attached to the next."""
    places = np.arange(num_words, dtype=np.float64)
    return np.abs(places[:, None] - places)


def count_edges(
    distances: Float[np.ndarray, "curve sentence word word"],
    heads: Int[np.ndarray, "sentence word"],
    is_scored: Bool[np.ndarray, "sentence word"],
) -> tuple[Int[np.ndarray, "curve sentence"], Int[np.ndarray, " sentence"]]:
    """(edges found, edges there): summed over sentences their ratio is UUAS.

    Found are the edges of the tree that are also in the minimum spanning tree of the predicted distances between
    scored words; there are those between scored words, whatever their direction. Of equal distances the pair further
    to the left counts as the shorter.
    """
    num_curves, num_sentences, num_words, _ = distances.shape
    first, second = np.triu_indices(num_words, k=1)
    is_pair = is_scored[:, first] & is_scored[:, second]
    is_edge = ((heads[:, first] == second) | (heads[:, second] == first)) & is_pair
    weights = distances[:, :, first, second]
    # Every sentence of every curve is a component of one graph: SciPy is called once.
    case, pair = np.nonzero(np.broadcast_to(is_pair, weights.shape).reshape(-1, len(first)))
    order = np.argsort(weights.reshape(-1, len(first))[case, pair], kind="stable")
    place = np.empty(len(order))
    place[order] = np.arange(1, len(order) + 1)  # SciPy takes a distance of 0 for no edge
    nodes = case * num_words
    size = num_curves * num_sentences * num_words
    graph = coo_array((place, (nodes + first[pair], nodes + second[pair])), shape=(size, size))
    chosen = order[minimum_spanning_tree(graph.tocsr()).data.astype(np.int64) - 1]
    is_right = is_edge[case[chosen] % num_sentences, pair[chosen]]
    found = np.bincount(case[chosen[is_right]], minlength=num_curves * num_sentences)
    return found.reshape(num_curves, num_sentences), is_edge.sum(axis=1)


def has_choice_of_root(
    heads: Int[np.ndarray, "sentence word"], is_scored: Bool[np.ndarray, "sentence word"]
) -> Bool[np.ndarray, " sentence"]:
    """Whether the root is a scored word and not the only one: else there is nothing to find."""
    return ((heads < 0) & is_scored).any(axis=1) & (is_scored.sum(axis=1) > 1)


def find_roots(
    depths: Float[np.ndarray, "curve sentence word"],
    heads: Int[np.ndarray, "sentence word"],
    is_scored: Bool[np.ndarray, "sentence word"],
) -> Bool[np.ndarray, "curve sentence"]:
    """Whether the root is the scored word of the smallest predicted depth, of equals the first."""
    masked = np.where(is_scored, depths, np.inf)
    return masked.argmin(axis=2) == (heads < 0).argmax(axis=1)


def spearman(
    predicted: Float[np.ndarray, "*case word"], wanted: Int[np.ndarray, "*case word"]
) -> Float[np.ndarray, "*case"]:
    """Rank correlation along the last axis, equals sharing their mean rank; 0 where all are equal: no order is shown.

    >>> spearman(np.array([0.1, 0.2, 0.4]), np.array([1, 2, 3])).tolist()
    1.0
    """
    one, other = (_centred_ranks(values) for values in (predicted, wanted))
    scale = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    return np.asarray((one * other).sum(axis=-1) / np.where(scale > 0, scale, 1))


def distance_spearman(
    distances: Float[np.ndarray, "curve sentence word word"], wanted: Int[np.ndarray, "sentence word word"]
) -> Float[np.ndarray, "curve sentence"]:
    """Mean over the words of each sentence of the rank correlation of their rows, the zero of the diagonal included."""
    return np.stack([spearman(one, wanted).mean(axis=1) for one in distances])


def depth_spearman(
    depths: Float[np.ndarray, "curve sentence word"], wanted: Int[np.ndarray, "sentence word"]
) -> Float[np.ndarray, "curve sentence"]:
    """Rank correlation of the depths of each sentence."""
    return np.stack([spearman(one, wanted) for one in depths])


def macro_over_lengths(
    sums: Float[np.ndarray, "*curve length"], sizes: Float[np.ndarray, "*sample length"]
) -> Float[np.ndarray, "*curve"]:
    """Mean over lengths of the mean within each, of those lengths that there are; NaN for none.

    >>> float(macro_over_lengths(np.array([1.0, 0.0, 1.0]), np.array([2.0, 0.0, 1.0])))
    0.75
    """
    is_there = sizes > 0
    means = np.where(is_there, sums / np.where(is_there, sizes, 1), 0).sum(axis=-1)
    count = is_there.sum(axis=-1)
    return np.asarray(means / np.where(count > 0, count, np.nan))


def _ancestors(heads: Int[np.ndarray, "sentence word"]) -> Bool[np.ndarray, "sentence word ancestor"]:
    """Whether one word is another, or stands above it."""
    num_sentences, num_words = heads.shape
    sentence, word = np.indices(heads.shape)
    above = np.zeros((num_sentences, num_words, num_words + 1), dtype=bool)
    parent = np.concatenate([heads % (num_words + 1), np.full((num_sentences, 1), num_words)], axis=1)
    at = np.asarray(word)
    while (at < num_words).any():
        above[sentence, word, at] = True
        at = np.asarray(np.take_along_axis(parent, at, axis=1))
    return above[:, :, :num_words]


def _centred_ranks(values: np.ndarray) -> Float[np.ndarray, "*case word"]:
    ranks = np.asarray(rankdata(values, axis=-1))
    return ranks - (values.shape[-1] + 1) / 2
