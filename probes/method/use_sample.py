"""Which sentences and words are looked at: drawn once, the same for every edit."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from probes.encoder.sample import WordSample, read_sample
from probes.errors import TaskError
from probes.method.subject import Subject
from probes.seed import generator
from probes.task.join import TRAIN, join_words
from probes.types import Sentence

WORDS_CHOSEN = 0.15


@dataclass(frozen=True)
class Sample:
    """Sentences of a split, and those of their words that the task labels, its examples."""

    words: WordSample
    word: Int[np.ndarray, " example"]
    """Number of the example's word in the sample."""
    labels: Int[np.ndarray, " example"]
    groups: Int[np.ndarray, " example"]
    target: Int[np.ndarray, " example"]
    """Another class, for those that are patched or hidden; -1 for all others."""

    @property
    def is_chosen(self) -> Bool[np.ndarray, " example"]:
        """Some words of every sentence: few enough that their context stays what it was."""
        return self.target >= 0

    @property
    def is_hidden(self) -> Bool[np.ndarray, " example"]:
        """The chosen words that are one piece: what belongs in their place is one prediction."""
        return self.is_chosen & (self.words.num_pieces[self.word] == 1)

    def by_word(self, values: np.ndarray, fill: int) -> np.ndarray:
        """Values of examples, written to their words."""
        spread = np.full(len(self.words.num_pieces), fill, dtype=values.dtype)
        spread[self.word] = values
        return spread


def draw_sample(subject: Subject, split: str, size: int) -> Sample:
    """Up to `size` sentences, group after group in a drawn order, so that the groups that are there are whole.

    Raises TaskError where no word of them is an example.
    """
    task, index = subject.task, subject.cache.index(split)
    example_of = np.full(int(index.offsets[-1]), -1, dtype=np.int64)
    example_of[task.splits[split].index[:, 0]] = np.arange(len(task.splits[split]))
    sentences = _draw(list(join_words(task.name, subject.corpus, split, index)), size, subject.seed)
    words = read_sample(subject.encoder, [sentence.words for sentence, _ in sentences])
    places = [
        (first + word, example_of[row])
        for first, (_, rows) in zip(words.first_word, sentences, strict=True)
        for word, row in rows.items()
        if example_of[row] >= 0 and words.num_pieces[first + word] > 0
    ]
    if not places:
        raise TaskError(
            f"Method 'use' looks at words that task {task.name!r} labels, but the {len(sentences)} sentences drawn "
            f"from split {split!r} have none that the encoder reads. Draw more sentences."
        )
    word, example = np.asarray(places, dtype=np.int64).T
    labels = task.splits[split].labels[example]
    groups = np.unique(task.splits[split].groups[example], return_inverse=True)[1]
    sentence = np.searchsorted(words.first_word, word, side="right")
    target = _draw_targets(subject, labels, _choose(sentence, subject.seed))
    return Sample(words, word, labels, groups, target)


def _draw(pairs: list[tuple[Sentence, dict[int, int]]], size: int, seed: int) -> list[tuple[Sentence, dict[int, int]]]:
    groups = list(dict.fromkeys(sentence.cluster for sentence, _ in pairs))
    rank = dict(zip(groups, generator(seed, "use.sentences").permutation(len(groups)), strict=True))
    return sorted(pairs, key=lambda pair: rank[pair[0].cluster])[:size]


def _choose(sentence: Int[np.ndarray, " example"], seed: int) -> Bool[np.ndarray, " example"]:
    """A share of the examples of each sentence, one at the least."""
    stream = generator(seed, "use.words")
    is_chosen = np.zeros(len(sentence), dtype=bool)
    for members in np.split(np.arange(len(sentence)), np.flatnonzero(np.diff(sentence)) + 1):
        is_chosen[stream.choice(members, size=max(1, round(WORDS_CHOSEN * len(members))), replace=False)] = True
    return is_chosen


def _draw_targets(
    subject: Subject, labels: Int[np.ndarray, " example"], is_chosen: Bool[np.ndarray, " example"]
) -> Int[np.ndarray, " example"]:
    """For each chosen example a class that is not its own, as often as train has it."""
    shares = np.bincount(subject.task.splits[TRAIN].labels, minlength=len(subject.task.labels)).astype(np.float64)
    stream = generator(subject.seed, "use.classes")
    target = np.full(len(labels), -1, dtype=np.int64)
    for example in np.flatnonzero(is_chosen):
        others = np.where(np.arange(len(shares)) == labels[example], 0, shares)
        target[example] = stream.choice(len(shares), p=others / others.sum())
    return target
