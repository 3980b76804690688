"""Corpora and cache indexes made by hand: every row says which word it is."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from probes.types import Corpus, RowIndex, Sentence
from tests.toy import make_corpus


def index_words(
    corpus: Corpus, *, order: dict[str, Sequence[int]] | None = None, key: Callable[[str], str] = str.lower
) -> dict[str, RowIndex]:
    """Index of a word cache that holds the sentences of each split in the given order.

    Words get the code of their type, which is what `key` makes of them, in the order they are met.
    """
    codes: dict[str, int] = {}
    indexes = {}
    for split, sentences in corpus.splits.items():
        kept = [sentences[position] for position in (order or {}).get(split, range(len(sentences)))]
        words = [word for sentence in kept for word in sentence.words]
        indexes[split] = RowIndex(
            unit="word",
            ids=[sentence.id for sentence in kept],
            offsets=np.cumsum([0, *(len(sentence.words) for sentence in kept)]),
            word=np.array([word for sentence in kept for word in range(len(sentence.words))], dtype=np.int32),
            types=np.array([codes.setdefault(key(word), len(codes)) for word in words], dtype=np.int32),
        )
    return indexes


def index_sentences(corpus: Corpus) -> dict[str, RowIndex]:
    """Index of a sentence cache: one row a sentence, nothing recurs."""
    return {
        split: RowIndex(
            unit="sentence",
            ids=[sentence.id for sentence in sentences],
            offsets=np.arange(len(sentences) + 1),
            word=np.zeros(len(sentences), dtype=np.int32),
            types=np.full(len(sentences), -1, dtype=np.int32),
        )
        for split, sentences in corpus.splits.items()
    }


def replace_split(corpus: Corpus, split: str, sentences: Sequence[Sentence]) -> Corpus:
    return Corpus(corpus.name, {**corpus.splits, split: tuple(sentences)})


@pytest.fixture
def corpus() -> Corpus:
    return make_corpus()


@pytest.fixture
def labelled() -> Corpus:
    """Sentences with one label each; every third has none."""
    splits = {}
    for split in ("train", "dev", "test"):
        splits[split] = tuple(
            Sentence(
                f"{split}-{number}",
                text=f"text {number}",
                group=f"{split}-doc{number // 5}",
                attributes={} if number % 3 == 2 else {"label": "even" if number % 2 == 0 else "odd"},
            )
            for number in range(12)
        )
    return Corpus("texts", splits)
