"""Depth of trees: no depth has longer sentences than another."""

from collections import Counter

import numpy as np

from probes.task.depth import choose_depths, count_level, tree_depth
from probes.types import Corpus, Sentence, Tree
from tests.parsed import only_train


def chain(name: str, length: int, depth: int) -> Sentence:
    """A sentence whose first words hang each on the one before, all others on the first."""
    heads = tuple(word if word <= depth else 1 for word in range(length))
    return Sentence(name, ("w",) * length, tree=Tree((0, *heads[1:]), ("root",) + ("dep",) * (length - 1)))


def grow(size: int) -> list[Sentence]:
    """Sentences that are deeper the longer they are."""
    stream = np.random.default_rng(0)
    lengths = stream.integers(8, 24, size=size).tolist()
    return [chain(f"c-{n}", length, min(7, length // 4 + int(stream.integers(3)))) for n, length in enumerate(lengths)]


def correlate(corpus: Corpus, split: str, labels: dict[str, list[str | None]]) -> float:
    """Pearson's correlation of depth and length over the examples."""
    pairs = [(int(label), len(one.words)) for one, label in zip(corpus[split], labels[split], strict=True) if label]
    return float(np.corrcoef(np.array(pairs).T)[0, 1])


def test_depth_is_decorrelated_from_length():
    corpus = only_train(grow(8000))
    every: dict[str, list[str | None]] = {"train": [str(max(one.tree.depths())) for one in corpus["train"] if one.tree]}
    assert correlate(corpus, "train", every) > 0.7
    labels = tree_depth(corpus, 0)
    # Exactly zero but for rounding: at every length there are as many of each depth.
    assert abs(correlate(corpus, "train", labels)) < 1e-9
    bins = {}
    for one, label in zip(corpus["train"], labels["train"], strict=True):
        if label is not None:
            assert one.tree is not None
            assert label == str(max(one.tree.depths()))
            bins.setdefault(label, Counter())[len(one.words)] += 1
    assert len(bins) == 3
    assert len({tuple(sorted(found.items())) for found in bins.values()}) == 1
    assert min(found.total() for found in bins.values()) >= 500


def test_depths_are_the_longest_run_with_enough_sentences():
    cells = {(5, 1): 800, (5, 2): 600, (5, 3): 500, (5, 4): 10, (6, 3): 2000, (6, 4): 2500}
    assert count_level(cells, range(3, 5)) == 2010
    assert choose_depths(cells) == range(1, 4)
    assert choose_depths({**cells, (5, 3): 499}) == range(3, 5)
    assert choose_depths({(5, 1): 9, (5, 2): 7, (5, 3): 8, (6, 2): 3, (6, 3): 4}) == range(2, 4)
    assert choose_depths({(1, 0): 3}) == range(0, 1)
