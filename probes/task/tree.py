"""Trees of a treebank over the rows of a word cache, sentences of one length together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from jaxtyping import Bool, Int

from probes.errors import TaskError
from probes.task.join import check_splits, join_words
from probes.task.word import find_column, find_tree
from probes.types import Corpus, RowIndex, Sentence

DISTANCE, DEPTH = "tree_distance", "word_depth"
PUNCTUATION = "PUNCT"
REASONS: tuple[str, ...] = ("one_word", "words_missing", "no_tree", "not_a_tree")


@dataclass(frozen=True, slots=True)
class TreeBlock:
    """Sentences of one length, each over neighbouring rows of the cache."""

    start: Int[np.ndarray, " sentence"]
    """First row of each sentence; the next ones are its other words."""
    heads: Int[np.ndarray, "sentence word"]
    """Place of each word's head in its sentence, counted from 0; -1 for the root."""
    is_punctuation: Bool[np.ndarray, "sentence word"]
    groups: Int[np.ndarray, " sentence"]
    """Number of the cluster that intervals resample."""

    def __len__(self) -> int:
        return len(self.start)

    @property
    def num_words(self) -> int:
        """Words of each sentence."""
        return self.heads.shape[1]

    def take(self, chosen: Int[np.ndarray, " chosen"]) -> "TreeBlock":
        """Some of the sentences."""
        return TreeBlock(self.start[chosen], self.heads[chosen], self.is_punctuation[chosen], self.groups[chosen])


@dataclass(frozen=True, slots=True)
class Trees:
    """The trees of one split, by length of their sentences."""

    blocks: tuple[TreeBlock, ...]
    left_out: Mapping[str, int]
    """Sentences that are none of these: of `one_word`, with `words_missing` in the cache, with `no_tree`, or with heads
    that are `not_a_tree` (another number of heads than of words, several roots or none, a cycle)."""
    num_groups: int

    def __len__(self) -> int:
        return sum(map(len, self.blocks))


def read_trees(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> dict[str, Trees]:
    """The trees of every split, joined to the cache by sentence id; what is no tree is left out and counted.

    Punctuation is what the column `upos` calls PUNCT. Raises TaskError for a corpus without parts of speech, for a
    split without any tree of two words or more, and for a corpus and a cache that do not hold the same sentences.
    """
    check_splits(name, corpus, indexes)
    return {split: _read_split(name, corpus, split, index) for split, index in indexes.items()}


def refuse_curve(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> NoReturn:
    """Raise TaskError: no curve of labels answers a question about pairs of words or whole sentences."""
    raise TaskError(
        f"Task {name!r} wants numbers that only whole trees have, which the method 'structure' fits, but was asked "
        f"of corpus {corpus.name!r} as a task with one label for each example. Set method.name=structure."
    )


def _read_split(name: str, corpus: Corpus, split: str, index: RowIndex) -> Trees:
    left_out = dict.fromkeys(REASONS, 0)
    kept: dict[int, list[tuple[int, Sentence]]] = {}
    for sentence, rows in join_words(name, corpus, split, index):
        reason = _find_fault(sentence, list(rows))
        if reason is None:
            kept.setdefault(len(sentence.words), []).append((rows[0], sentence))
        else:
            left_out[reason] += 1
    if not kept:
        _refuse_split(name, corpus, split, left_out)
    clusters = sorted({sentence.cluster for part in kept.values() for _, sentence in part})
    codes = {cluster: code for code, cluster in enumerate(clusters)}
    blocks = tuple(_make_block(name, corpus, kept[length], codes) for length in sorted(kept))
    return Trees(blocks, left_out, len(clusters))


def _find_fault(sentence: Sentence, words: Sequence[int]) -> str | None:
    """Why a sentence is left out, if it is; `words` are those that the cache holds."""
    if sentence.tree is None:
        return "no_tree"
    if not is_tree(sentence.tree.heads, len(sentence.words)):
        return "not_a_tree"
    if len(sentence.words) < 2:
        return "one_word"
    return None if words == list(range(len(sentence.words))) else "words_missing"


def is_tree(heads: Sequence[int], num_words: int) -> bool:
    """Whether 1-based heads, one for each word, lead from every word to one root, whose head is 0.

    >>> is_tree((2, 0, 2), 3), is_tree((2, 1, 0), 3), is_tree((0, 0), 2), is_tree((0, 1), 3)
    (True, False, False, False)
    """
    if len(heads) != num_words or heads.count(0) != 1 or not all(0 <= head <= num_words for head in heads):
        return False
    above = np.array([0, *heads])
    for _ in range(num_words.bit_length()):  # each time twice as far up
        above = above[above]
    return not above.any()


def _refuse_split(name: str, corpus: Corpus, split: str, left_out: Mapping[str, int]) -> NoReturn:
    if corpus[split] and left_out["no_tree"] == len(corpus[split]):
        find_tree(name, corpus[split][0], corpus)
    reasons = ", ".join(f"{reason} {count}" for reason, count in left_out.items())
    raise TaskError(
        f"Task {name!r} needs trees of at least two words in split {split!r} of corpus {corpus.name!r}, but there are "
        f"none (left out: {reasons}). Check the annotation there."
    )


def _make_block(name: str, corpus: Corpus, part: Sequence[tuple[int, Sentence]], codes: Mapping[str, int]) -> TreeBlock:
    sentences = [sentence for _, sentence in part]
    tags = [find_column(name, "upos", sentence, corpus) for sentence in sentences]
    return TreeBlock(
        start=np.array([row for row, _ in part], dtype=np.int64),
        heads=np.array([sentence.tree.heads for sentence in sentences if sentence.tree], dtype=np.int64) - 1,
        is_punctuation=np.array(tags) == PUNCTUATION,
        groups=np.array([codes[sentence.cluster] for sentence in sentences], dtype=np.int64),
    )
