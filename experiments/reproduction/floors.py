"""What a treebank alone gives: accuracy of words without context, trees that are chains, heads at a fixed distance."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from probes.method.heads import LARGEST_OFFSET
from probes.metric.head import choose_offset
from probes.metric.tree import chain_distances, count_edges
from probes.types import Corpus, Sentence

# scikit-learn's C: the penalty that dev chooses among these.
STRENGTHS = (0.1, 1.0, 10.0)


def one_hot_accuracy(corpus: Corpus, task: str, ends: Sequence[str]) -> float:
    """Accuracy on test of the logistic regression whose penalty dev chooses; a word that train lacks is no feature."""
    examples = {split: list(_examples(corpus[split], task, ends)) for split in ("train", "dev", "test")}
    words = OneHotEncoder(handle_unknown="ignore").fit([one[:-1] for one in examples["train"]])
    data = {
        split: (words.transform([one[:-1] for one in part]), [one[-1] for one in part])
        for split, part in examples.items()
    }
    fits = [LogisticRegression(C=strength, max_iter=300, tol=1e-5).fit(*data["train"]) for strength in STRENGTHS]
    best = max(fits, key=lambda fit: fit.score(*data["dev"]))
    return float(best.score(*data["test"]))


def _examples(sentences: Sequence[Sentence], task: str, ends: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for one in sentences:
        assert one.tree is not None
        for place, head in enumerate(one.tree.heads):
            if task == "pos":
                yield one.words[place], one.columns["upos"][place]
            elif head > 0:
                known = {"word": one.words[place], "head": one.words[head - 1]}
                yield *(known[end] for end in ends), one.tree.relations[place]


def chain_edges(sentences: Sequence[Sentence], has_punctuation: bool) -> tuple[int, int]:
    """Edges that chains find, and all that there are; one word has none."""
    by_length: dict[int, list[Sentence]] = {}
    for one in sentences:
        by_length.setdefault(len(one.words), []).append(one)
    by_length.pop(1, None)
    found = there = 0
    for length, part in by_length.items():
        heads = np.array([one.tree.heads for one in part if one.tree is not None]) - 1
        tags = np.array([one.columns["upos"] for one in part])
        chains = np.broadcast_to(chain_distances(length), (1, len(part), length, length))
        hits, edges = count_edges(chains, heads, has_punctuation | (tags != "PUNCT"))
        found, there = found + int(hits.sum()), there + int(edges.sum())
    return found, there


def offset_accuracy(corpus: Corpus, relation: str) -> tuple[int, float]:
    """The distance at which heads of a relation stand most often on dev, in words, and how often they do on test."""
    dev, test = (_distances(corpus[split], relation) for split in ("dev", "test"))
    offset = choose_offset(dev, LARGEST_OFFSET)
    return offset, float((test == offset).mean())


def _distances(sentences: Sequence[Sentence], relation: str) -> Int[np.ndarray, " word"]:
    """How far behind the dependent its head stands."""
    trees = [one.tree for one in sentences if one.tree is not None]
    return np.array(
        [
            head - place
            for tree in trees
            for place, (head, name) in enumerate(zip(tree.heads, tree.relations, strict=True), start=1)
            if head and name == relation
        ]
    )
