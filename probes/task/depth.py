"""The task `tree_depth`: how deep is the dependency tree, among sentences of equal length?"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from probes.seed import generator
from probes.task.balance import Labels, balance
from probes.task.word import find_tree
from probes.types import Corpus, Sentence

FEWEST_EXAMPLES = 500
_NAME = "tree_depth"

Cells = Mapping[tuple[int, int], int]
"""How many sentences there are of a length and a depth."""


def tree_depth(corpus: Corpus, seed: int) -> Labels:
    """The most edges between a word and the root, decorrelated from length (Conneau et al. 2018, section 2).

    Of the sentences of one length, each depth keeps as many as the rarest of them has there, at random: all depths
    have the same distribution of lengths, in every split by itself. The depths are the longest run for which train
    keeps at least 500 sentences each; other sentences are no examples.
    """
    depths = choose_depths(Counter(_measure(one, corpus) for one in corpus["train"]))
    labels = {}
    for split, sentences in corpus.splits.items():
        cells = [_measure(one, corpus) for one in sentences]
        labels[split] = _level(cells, depths, generator(seed, f"task.{_NAME}.{split}"))
    return labels


def choose_depths(cells: Cells) -> range:
    """The longest run of depths that keeps enough sentences of each; the larger of two equally long ones.

    Without any such run, the two neighbouring depths that keep the most.
    """
    deepest = max((depth for _, depth in cells), default=0)
    runs = [range(start, end) for start in range(deepest) for end in range(start + 2, deepest + 2)]

    def worth(run: range) -> tuple[int, int]:
        size = count_level(cells, run)
        return len(run) if size >= FEWEST_EXAMPLES else 0, size

    return max(runs, key=worth, default=range(deepest, deepest + 1))


def count_level(cells: Cells, depths: range) -> int:
    """How many sentences each of these depths keeps."""
    lengths = {length for length, _ in cells}
    return sum(min(cells.get((length, depth), 0) for depth in depths) for length in lengths)


def _level(cells: Sequence[tuple[int, int]], depths: range, stream: np.random.Generator) -> list[str | None]:
    names = [str(depth) for depth in depths]
    labels: list[str | None] = [None] * len(cells)
    for length in sorted({length for length, _ in cells}):
        inside = [place for place, (other, _) in enumerate(cells) if other == length]
        kept = balance([str(cells[place][1]) for place in inside], stream, names=names)
        for place, label in zip(inside, kept, strict=True):
            labels[place] = label
    return labels


def _measure(sentence: Sentence, corpus: Corpus) -> tuple[int, int]:
    return len(sentence.words), max(find_tree(_NAME, sentence, corpus).depths())
