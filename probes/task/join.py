"""Joining a corpus with the rows of a cache, by sentence id and never by position."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from probes.errors import TaskError
from probes.types import Corpus, RowIndex, Rows, Sentence, Task, Unit

TRAIN, DEV, TEST = "train", "dev", "test"

# Row of the cache, group that intervals resample, label.
Example = tuple[int, str, str]


def join_sentences(corpus: Corpus, split: str, index: RowIndex) -> Iterator[tuple[Sentence, slice]]:
    """Each sentence of a split with the rows that are its own, in the order of the cache.

    Raises TaskError if one of the two has a sentence that the other lacks, or the corpus an id twice.
    """
    by_id: dict[str, Sentence] = {}
    for sentence in corpus[split]:
        if sentence.id in by_id:
            raise TaskError(
                f"Every sentence of corpus {corpus.name!r} should have an id of its own, but {sentence.id!r} "
                f"comes again in split {split!r}. Rename one of them."
            )
        by_id[sentence.id] = sentence
    missing = next((sentence_id for sentence_id in index.ids if sentence_id not in by_id), None)
    if missing is not None or len(by_id) != len(index.ids):
        known = set(index.ids)
        other = next((sentence_id for sentence_id in by_id if sentence_id not in known), None)
        where, name = ("cache", missing) if missing is not None else ("corpus", other)
        lacks = "corpus" if where == "cache" else "cache"
        raise TaskError(
            f"Corpus {corpus.name!r} and the cache should hold the same sentences in split {split!r}, but "
            f"sentence {name!r} is in the {where} and not in the {lacks}. Encode this corpus again."
        )
    for position, sentence_id in enumerate(index.ids):
        yield by_id[sentence_id], slice(int(index.offsets[position]), int(index.offsets[position + 1]))


def check_splits(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> None:
    """Raise TaskError unless there are train, dev and test."""
    missing = [split for split in (TRAIN, DEV, TEST) if split not in indexes or split not in corpus.splits]
    if missing:
        raise TaskError(
            f"Task {name!r} needs the splits train, dev and test, but corpus {corpus.name!r} has "
            f"{', '.join(sorted(corpus.splits))}: {missing[0]} is missing. Settings are chosen on dev and "
            f"scores are read on test, so cut the missing one from train."
        )


def make_task(
    name: str, unit: Unit, indexes: Mapping[str, RowIndex], examples: Mapping[str, Sequence[Example]]
) -> Task:
    """A task from the examples of each split; names of labels in alphabetical order."""
    names = tuple(sorted({label for part in examples.values() for _, _, label in part}))
    codes = {label: code for code, label in enumerate(names)}
    splits = {}
    for split, part in examples.items():
        rows = np.asarray([row for row, _, _ in part], dtype=np.int64)
        groups = {group: number for number, group in enumerate(sorted({group for _, group, _ in part}))}
        splits[split] = Rows(
            index=rows[:, None],
            labels=np.asarray([codes[label] for _, _, label in part], dtype=np.int64),
            groups=np.asarray([groups[group] for _, group, _ in part], dtype=np.int64),
            words=indexes[split].types[rows].astype(np.int64),
        )
    return Task(name=name, unit=unit, labels=names, splits=splits)
