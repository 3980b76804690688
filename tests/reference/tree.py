"""Scores of trees word by word and pair by pair, as one would first write them."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr


def walk_distances(heads: Sequence[int]) -> np.ndarray:
    """Edges between words by walking from each of them over the tree; heads are places, -1 for the root."""
    size = len(heads)
    near = [
        {head for head in [heads[word]] if head >= 0} | {w for w in range(size) if heads[w] == word}
        for word in range(size)
    ]
    found = np.full((size, size), -1)
    for start in range(size):
        queue, found[start, start] = [start], 0
        while queue:
            word = queue.pop(0)
            for other in near[word]:
                if found[start, other] < 0:
                    found[start, other] = found[start, word] + 1
                    queue.append(other)
    return found


def grow_tree(distances: np.ndarray, places: Sequence[int]) -> set[tuple[int, int]]:
    """Kruskal's minimum spanning tree over some words; equal distances from the left."""
    part = {place: {place} for place in places}
    edges = set()
    pairs = [(distances[i, j], i, j) for i in places for j in places if i < j]
    for _, i, j in sorted(pairs):
        if part[i] is not part[j]:
            edges.add((i, j))
            joined = part[i] | part[j]
            for place in joined:
                part[place] = joined
    return edges


def find_edges(distances: np.ndarray, heads: Sequence[int], is_scored: Sequence[bool]) -> tuple[int, int]:
    """(edges found, edges there) of one sentence."""
    places = [place for place, scored in enumerate(is_scored) if scored]
    gold = {(min(w, h), max(w, h)) for w, h in enumerate(heads) if h >= 0 and is_scored[w] and is_scored[h]}
    return len(gold & grow_tree(distances, places)), len(gold)


def mean_by_length(values: Sequence[tuple[int, Sequence[float]]]) -> float:
    """Of (length of the sentence, its correlations): mean within each length from 5 to 50, then over these lengths."""
    by_length: dict[int, list[float]] = {}
    for length, found in values:
        if 5 <= length <= 50:
            by_length.setdefault(length, []).extend(found)
    return float(np.mean([np.mean(found) for found in by_length.values()]))


def row_correlations(predicted: np.ndarray, wanted: np.ndarray) -> list[float]:
    return [float(spearmanr(one, other).statistic) for one, other in zip(predicted, wanted, strict=True)]
