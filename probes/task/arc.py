"""Tasks over arcs of dependency trees: is there one between two words, and which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from probes.seed import generator
from probes.task.example import Example, make_task
from probes.task.join import check_splits, join_words
from probes.task.word import find_tree
from probes.types import Corpus, RowIndex, Sentence, Task

ARC, NO_ARC = "arc", "none"
PUNCTUATION = "punct"


@dataclass(frozen=True, slots=True)
class Words:
    """Every word of a split in one line, sentence after sentence."""

    sentences: Sequence[Sentence]
    owner: Int[np.ndarray, " word"]
    """Number of the sentence."""
    row: Int[np.ndarray, " word"]
    """Row of the cache; -1 where the cache lacks the word."""
    head: Int[np.ndarray, " word"]
    """Position in this line; -1 for the root."""
    is_punctuation: Bool[np.ndarray, " word"]

    def pairs_at(self, distance: int) -> tuple[Int[np.ndarray, " pair"], Int[np.ndarray, " pair"]]:
        """All pairs of words of one sentence in which the second stands `distance` to the right of the first,
        neither a punctuation mark nor missing in the cache."""
        first = np.arange(max(0, -distance), len(self.row) - max(0, distance))
        second = first + distance
        is_usable = ~self.is_punctuation & (self.row >= 0)
        kept = (self.owner[first] == self.owner[second]) & is_usable[first] & is_usable[second]
        return first[kept], second[kept]

    def ends_of(self, rows: Int[np.ndarray, " example"]) -> Int[np.ndarray, "example 2"]:
        """Rows of the first and the last word that the cache holds of the sentence of each row."""
        kept = self.row >= 0
        held, owner = self.row[kept], self.owner[kept]
        owners = owner[np.searchsorted(held, rows)]
        borders = [np.searchsorted(owner, owners, side="left"), np.searchsorted(owner, owners, side="right") - 1]
        return np.stack([held[border] for border in borders], axis=1)


def find_edges(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex], *, seed: int) -> Task:
    """Whether the second word is the head of the first (Hewitt and Liang 2019, section 2.2, as two classes).

    For every signed distance there are as many pairs without an arc in either direction as with one, drawn from
    `seed`: the distance alone then says nothing. Punctuation marks are left out. The labels are `arc` and `none`.
    """
    check_splits(name, corpus, indexes)
    examples, lines = {}, {}
    for split, index in indexes.items():
        lines[split] = words = _line_up(name, corpus, split, index)
        stream = generator(seed, f"task.{name}.{split}")
        examples[split] = [
            _example(words, dependent, head, label) for dependent, head, label in sorted(_balanced_pairs(words, stream))
        ]
    task = make_task(name, "word", indexes, examples, product=True)
    splits = {split: replace(rows, ends=lines[split].ends_of(rows.index[:, 0])) for split, rows in task.splits.items()}
    return replace(task, splits=splits)


def label_arcs(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex], *, min_support: int) -> Task:
    """The relation of each arc, from the states of the dependent and of its head (Liu et al. 2019, section 3)."""
    check_splits(name, corpus, indexes)
    examples = {}
    for split, index in indexes.items():
        words = _line_up(name, corpus, split, index)
        relations = [relation for one in words.sentences for relation in find_tree(name, one, corpus).relations]
        is_arc = (words.head >= 0) & (words.row >= 0) & (words.row[words.head] >= 0)
        examples[split] = [
            _example(words, dependent, int(words.head[dependent]), relations[dependent])
            for dependent in np.flatnonzero(is_arc).tolist()
        ]
    return make_task(name, "word", indexes, examples, min_support=min_support, product=True)


def _line_up(name: str, corpus: Corpus, split: str, index: RowIndex) -> Words:
    sentences, owner, row, head, marks = [], [], [], [], []
    for sentence, rows in join_words(name, corpus, split, index):
        tree, start = find_tree(name, sentence, corpus), len(head)
        owner += [len(sentences)] * len(sentence.words)
        row += [rows.get(word, -1) for word in range(len(sentence.words))]
        head += [start + one - 1 if one else -1 for one in tree.heads]
        marks += [relation.partition(":")[0] == PUNCTUATION for relation in tree.relations]
        sentences.append(sentence)
    return Words(sentences, np.asarray(owner), np.asarray(row), np.asarray(head), np.asarray(marks, dtype=bool))


def _balanced_pairs(words: Words, stream: np.random.Generator) -> Iterator[tuple[int, int, str]]:
    longest = max((len(sentence.words) for sentence in words.sentences), default=0)
    distances = [distance for size in range(1, longest) for distance in (-size, size)]
    for distance in distances:
        first, second = words.pairs_at(distance)
        is_arc = words.head[first] == second
        is_turned = words.head[second] == first
        with_arc, without = np.flatnonzero(is_arc), np.flatnonzero(~is_arc & ~is_turned)
        size = min(len(with_arc), len(without))
        for label, pool in ((ARC, with_arc), (NO_ARC, without)):
            for chosen in stream.choice(pool, size=size, replace=False).tolist() if size else ():
                yield int(first[chosen]), int(second[chosen]), label


def _example(words: Words, dependent: int, head: int, label: str) -> Example:
    return Example(
        rows=(int(words.row[dependent]), int(words.row[head])),
        sentence=words.sentences[words.owner[dependent]],
        label=label,
        word=int(words.row[dependent]),
        surface={"distance": head - dependent},
    )
