"""Joining a corpus with the rows of a cache, by sentence id and never by position."""

from collections.abc import Iterator, Mapping

from probes.errors import TaskError
from probes.types import Corpus, RowIndex, Sentence, Unit

TRAIN, DEV, TEST = "train", "dev", "test"


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


def join_words(name: str, corpus: Corpus, split: str, index: RowIndex) -> Iterator[tuple[Sentence, dict[int, int]]]:
    """Each sentence of a split with the row of every word that the cache holds, words counted from 0.

    Raises TaskError for a cache of sentence vectors, and for a sentence that is shorter than in the cache.
    """
    check_unit(name, "word", index)
    for sentence, span in join_sentences(corpus, split, index):
        words = index.word[span].tolist()
        if words and max(words) >= len(sentence.words):
            raise TaskError(
                f"The cache holds word {max(words) + 1} of sentence {sentence.id!r}, but the sentence has "
                f"{len(sentence.words)} words in corpus {corpus.name!r}. Encode this corpus again."
            )
        yield sentence, dict(zip(words, range(span.start, span.stop), strict=True))


def check_unit(name: str, unit: Unit, index: RowIndex) -> None:
    """Raise TaskError for a cache of the other unit."""
    if index.unit != unit:
        raise TaskError(
            f"Task {name!r} reads {unit} vectors, but the cache holds {index.unit} vectors. Encode with unit={unit!r}."
        )


def check_splits(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> None:
    """Raise TaskError unless there are train, dev and test."""
    missing = [split for split in (TRAIN, DEV, TEST) if split not in indexes or split not in corpus.splits]
    if missing:
        raise TaskError(
            f"Task {name!r} needs the splits train, dev and test, but corpus {corpus.name!r} has "
            f"{', '.join(sorted(corpus.splits))}: {missing[0]} is missing. Settings are chosen on dev and "
            f"scores are read on test, so cut the missing one from train."
        )
