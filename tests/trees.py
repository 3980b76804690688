"""Treebanks of random trees, and states in which a linear map finds them: answers known by construction."""

from pathlib import Path

import numpy as np

from probes.cache import Cache, adopt
from probes.types import Corpus, Sentence, Tree

SIZES = {"train": 240, "dev": 60, "test": 60}
LONGEST = 9


def random_heads(stream: np.random.Generator, num_words: int) -> list[int]:
    """1-based heads of a tree in which every word, in random order, hangs on one that came before."""
    order, heads = stream.permutation(num_words), [0] * num_words
    for place in range(1, num_words):
        heads[order[place]] = int(order[stream.integers(place)]) + 1
    return heads


def random_sentence(stream: np.random.Generator, name: str, num_words: int, group: str = "") -> Sentence:
    """A sentence with a random tree; about one word in six is a punctuation mark."""
    heads = random_heads(stream, num_words)
    tags = tuple("PUNCT" if draw < 1 / 6 else "X" for draw in stream.random(num_words))
    words = tuple(f"w{word}" for word in range(num_words))
    tree = Tree(tuple(heads), ("dep",) * num_words)
    return Sentence(name, words, group=group or name, columns={"upos": tags}, tree=tree)


def random_corpus(seed: int = 0, sizes: dict[str, int] = SIZES) -> Corpus:
    """Sentences of two to nine words, three a document."""
    stream = np.random.default_rng(seed)
    return Corpus(
        "trees",
        {
            split: tuple(
                random_sentence(
                    stream, f"{split}-{one}", int(stream.integers(2, LONGEST + 1)), f"{split}-doc{one // 3}"
                )
                for one in range(size)
            )
            for split, size in sizes.items()
        },
    )


def plant(sentence: Sentence) -> np.ndarray:
    """Vectors [word, place]: every word has a direction of its own, and the sum of those on its way to the root.

    Squared distances are then the edges between words, squared lengths the edges to the root.
    """
    assert sentence.tree is not None
    vectors = np.zeros((len(sentence.words), LONGEST))
    for word in range(len(sentence.words)):
        place = word
        while sentence.tree.heads[place]:
            vectors[word, place] = 1
            place = sentence.tree.heads[place] - 1
    return vectors


def planted_states(corpus: Corpus, seed: int = 0, *, offset: float = 0.0) -> dict[str, np.ndarray]:
    """States [layer, row, dim]: layer 0 holds noise, layer 1 the planted vectors mixed by a random matrix."""
    stream = np.random.default_rng(seed)
    mixing = np.linalg.qr(stream.normal(size=(LONGEST + 3, LONGEST + 3)))[0][:LONGEST] * stream.uniform(
        0.5, 2, size=(LONGEST, 1)
    )
    states = {}
    for split, sentences in corpus.splits.items():
        planted = np.concatenate([plant(one) for one in sentences]) @ mixing + offset
        states[split] = np.stack([stream.normal(size=planted.shape), planted]).astype(np.float32)
    return states


def planted_cache(folder: Path, corpus: Corpus, *, offset: float = 0.0) -> Cache:
    return adopt(planted_states(corpus, offset=offset), corpus, name="planted", folder=folder)
