"""The frozen values that travel between the stages; every stage may import them, they import none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Shaped

from probes.errors import CorpusError, TaskError, list_names

Unit = Literal["word", "sentence"]
Answer = Literal["class", "labels", "number"]
"""One class, several labels at once, or numbers."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A dependency tree over the words of a sentence, numbered as in CoNLL-U.

    `heads[i]` is the 1-based position of the head of word i, 0 for the root; `relations[i]` its label.
    """

    heads: tuple[int, ...]
    relations: tuple[str, ...]

    @property
    def root(self) -> int:
        """The root's place, counted from 0."""
        return self.heads.index(0)

    def children(self, word: int) -> list[int]:
        """Places of the words whose head is the word at this place, all counted from 0.

        >>> Tree(heads=(2, 0, 2), relations=("nsubj", "root", "obj")).children(1)
        [0, 2]
        """
        return [place for place, head in enumerate(self.heads) if head == word + 1]

    def depths(self) -> tuple[int, ...]:
        """Edges between each word and the root, which has depth 0.

        >>> Tree(heads=(2, 0, 2), relations=("nsubj", "root", "obj")).depths()
        (1, 0, 1)
        """
        known: dict[int, int] = {0: -1}
        for word in range(1, len(self.heads) + 1):
            path = []
            while word not in known:
                path.append(word)
                word = self.heads[word - 1]
            for position in reversed(path):
                known[position] = known[self.heads[position - 1]] + 1
        return tuple(known[word] for word in range(1, len(self.heads) + 1))


class Pair(NamedTuple):
    """Two texts that an encoder reads as one input, with its separator between them and segments told apart."""

    first: str
    second: str


Range = tuple[int, int]
"""First word, counted from 0, and the one behind the last."""


@dataclass(frozen=True, slots=True)
class Span:
    """A label over some words of a sentence, or over two spans of it and how they are related."""

    label: str
    first: Range
    second: Range | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One unit of text that the encoder reads by itself.

    A sentence has words, or it is one running `text` that the encoder's tokenizer splits alone, or two texts
    (`text` and `pair`) that are read together.
    `columns` hold one annotation a word (`columns["upos"]`), `attributes` one for the whole sentence, `spans` those
    of some words.
    `group` is the cluster that intervals resample: the document where it is known, else the sentence.
    """

    id: str
    words: tuple[str, ...] = ()
    text: str = ""
    group: str = ""
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    tree: Tree | None = None
    pair: str = ""
    spans: tuple[Span, ...] = ()

    @property
    def cluster(self) -> str:
        """The group, or the sentence itself where there is none."""
        return self.group or self.id

    @property
    def plain(self) -> str:
        """The words with spaces between them, or the text; behind it the second text of a pair."""
        text = " ".join(self.words) or self.text
        return f"{text} {self.pair}" if self.pair else text

    def __post_init__(self) -> None:
        for name, values in self.columns.items():
            if len(values) != len(self.words):
                raise CorpusError(
                    f"Sentence {self.id!r} needs one value of {name!r} for each of its {len(self.words)} words, "
                    f"but has {len(values)}. Give as many values as words."
                )
        for start, stop in (part for span in self.spans for part in (span.first, span.second) if part):
            if not 0 <= start < stop <= len(self.words):
                raise CorpusError(
                    f"A span of sentence {self.id!r} should hold some of its {len(self.words)} words, but is "
                    f"[{start}, {stop}]. Count words from 0; the second number is the one behind the last word."
                )


@dataclass(frozen=True, slots=True)
class Corpus:
    """Named splits of sentences. A split is any sequence, also one that makes its sentences when asked."""

    name: str
    splits: Mapping[str, Sequence[Sentence]]

    def __getitem__(self, split: str) -> Sequence[Sentence]:
        if split not in self.splits:
            raise CorpusError(
                f"Corpus {self.name!r} has no split {split!r}; its splits are {list_names(split, self.splits)}. "
                f"Ask for one of these."
            )
        return self.splits[split]


@dataclass(frozen=True, slots=True)
class RowIndex:
    """What each row of one split of a cache stands for.

    Rows `offsets[i]:offsets[i + 1]` belong to sentence `ids[i]`; `word` is the 0-based word (0 where the unit
    is the sentence); `types` is the code of the row's recurring unit in the cache's vocabulary: the word as
    the encoder's own normaliser writes it (-1 where nothing recurs).
    """

    unit: Unit
    ids: Sequence[str]
    offsets: Int[np.ndarray, " sentence_plus_one"]
    word: Int[np.ndarray, " row"]
    types: Int[np.ndarray, " row"]


@dataclass(frozen=True, slots=True)
class Rows:
    """The examples of one split of a task.

    `index[example, slot]` are rows of the cache: one slot for words and sentences, two for arcs (dependent, head) and
    spans (first word, last word), four for pairs of spans. `labels` are codes into the task's label names, [example];
    where an example has several labels, 0 or 1 for each name, and where it has numbers, these, [example, output].
    `groups` number the clusters that intervals resample, `words` are the codes of the unit that recurs (-1 where
    nothing does).
    """

    index: Int[np.ndarray, "example slot"]
    labels: Shaped[np.ndarray, "example *output"]
    groups: Int[np.ndarray, " example"]
    words: Int[np.ndarray, " example"]
    surface: Mapping[str, Int[np.ndarray, " example"]] = field(default_factory=dict)
    """What can be seen of an example without any vector, each of which makes a floor: `length` of a sentence in
    words, signed `distance` of an arc."""
    texts: Sequence[str] | None = None
    """The words of each example with spaces between them, for the floors that read them."""
    sequence: Int[np.ndarray, " example"] | None = None
    """Number of the sentence of each example, where a score is made of whole sentences (chunks)."""
    ends: Int[np.ndarray, "example 2"] | None = None
    """Rows of the first and the last word of the sentence of each arc."""
    partner: Int[np.ndarray, " example"] | None = None
    """The other example of a minimal pair: the two are told apart, not judged one by one."""
    subsets: Mapping[str, Bool[np.ndarray, " example"]] = field(default_factory=dict)
    """Examples that are scored by themselves too, such as those of one genre."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Task:
    """A question with its answer for every example: names of labels (or of numbers) and, for each split, rows."""

    name: str
    unit: Unit
    labels: tuple[str, ...]
    splits: Mapping[str, Rows]
    answer: Answer = "class"
    product: bool = False
    """Whether a probe reads, besides the states of two slots, their product (Liu et al. 2019, section 3)."""
    scorer: str | None = None
    """The official score of the data set, beside accuracy: `chunk_f1` or `relation_f1`."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Examples of each split that are none, because train shows their label too rarely."""

    def with_labels(self, name: str, labels: Mapping[str, np.ndarray]) -> "Task":
        """The same rows under other labels; this is how a control is made of a task."""
        for split, rows in self.splits.items():
            if len(labels[split]) != len(rows):
                raise TaskError(
                    f"Task {name!r} needs {len(rows)} labels for split {split!r}, but got {len(labels[split])}. "
                    f"Give one label for each example of task {self.name!r}."
                )
        splits = {split: replace(rows, labels=labels[split]) for split, rows in self.splits.items()}
        return replace(self, name=name, splits=splits)
