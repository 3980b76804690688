"""Phrases of one sentence, grouped: treebanks of sentiment list a sentence and then its parts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from probes.types import Corpus, Sentence


def group_phrases(corpus: Corpus) -> Corpus:
    """The same corpus, in each split a text grouped with a longer one that contains it word for word.

    Of several the longest counts, and of equally long ones the first. In the training rows of SST-2 a sentence stands
    beside its own phrases: cut by row, dev would be read in train.
    """
    return Corpus(corpus.name, {split: tuple(_group(part)) for split, part in corpus.splits.items()})


def _group(sentences: Sequence[Sentence]) -> Iterator[Sentence]:
    words = [tuple(one.words or one.text.split()) for one in sentences]
    owners: dict[int, str] = {}
    groups: dict[tuple[str, ...], str] = {}
    for number in sorted(range(len(words)), key=lambda number: (-len(words[number]), number)):
        phrase = words[number]
        if phrase in groups:
            continue
        owner = owners.get(hash(phrase))
        groups[phrase] = owner or sentences[number].cluster
        if owner is None:
            # What is inside a longer text has all its parts there already.
            for part in _parts(phrase):
                owners.setdefault(hash(part), groups[phrase])
    return (replace(one, group=groups[phrase]) for one, phrase in zip(sentences, words, strict=True))


def _parts(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(len(words)):
        for stop in range(start + 1, len(words) + 1):
            yield words[start:stop]
