"""Whose the rows are of states that came from elsewhere: ids, and the words of each sentence."""

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np

from probes.cache.source import check_splits
from probes.errors import CacheError
from probes.types import Corpus, RowIndex, Unit

Ids = Corpus | Mapping[str, Sequence[str]]
Words = Mapping[str, Sequence[Sequence[str]]]


@dataclass
class Sentences:
    """What ids and words say, split by split."""

    ids: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, np.ndarray] = field(default_factory=dict)
    """Words of each sentence."""
    types: dict[str, np.ndarray] = field(default_factory=dict)
    """Code of each word in the vocabulary."""
    vocabulary: Sequence[str] = ()
    ids_hash: str = ""
    words_hash: str = ""

    def index(self, split: str, unit: Unit) -> RowIndex:
        """The rows of a split, if there is one for each word or each sentence."""
        ids, types = self.ids[split], self.types[split]
        sizes = self.sizes[split] if unit == "word" else np.ones(len(ids), dtype=np.int32)
        offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        word = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
        types = types if unit == "word" else np.full(len(ids), -1, dtype=np.int32)
        return RowIndex(unit, ids, offsets, word.astype(np.int32), types)


def read_sentences(ids: Ids, words: Words | None) -> Sentences:
    """Read ids and words once, from front to back; of the words, only codes stay."""
    if isinstance(ids, Corpus) and words is not None:
        raise CacheError(
            f"Corpus {ids.name!r} has words of its own, but `words` came too. Leave `words` out, or give the ids alone."
        )
    if words is not None and not isinstance(ids, Corpus):
        check_splits(list(ids), words, what="words")
    found, codes, known = Sentences(), {}, set()
    id_digest, word_digest = sha256(), sha256()
    for split in ids.splits if isinstance(ids, Corpus) else ids:
        names, sizes, types = [], array("i"), array("i")
        id_digest.update(json.dumps([split]).encode())
        for sentence_id, its_words in _pairs(ids, words, split):
            _check_sentence(sentence_id, its_words, split, known)
            known.add(sentence_id)
            names.append(sentence_id)
            sizes.append(len(its_words))
            types.extend(codes.setdefault(word, len(codes)) for word in its_words)
            id_digest.update(json.dumps(sentence_id).encode())
            word_digest.update(json.dumps(list(its_words)).encode())
        if not names:
            raise CacheError(f"Split {split!r} should have sentences, but has no ids. Fill it or leave it out.")
        found.ids[split] = names
        found.sizes[split], found.types[split] = (np.array(column, dtype=np.int32) for column in (sizes, types))
    found.vocabulary = list(codes)
    found.ids_hash, found.words_hash = id_digest.hexdigest(), word_digest.hexdigest()
    return found


def _pairs(ids: Ids, words: Words | None, split: str) -> Iterable[tuple[str, Sequence[str]]]:
    """Id and words of each sentence of a split; no words where none are known."""
    if isinstance(ids, Corpus):
        return ((sentence.id, sentence.words) for sentence in ids[split])
    if words is None:
        return ((sentence_id, ()) for sentence_id in ids[split])
    if len(words[split]) != len(ids[split]):
        raise CacheError(
            f"Split {split!r} should have words for each of its {len(ids[split])} ids, but has them for "
            f"{len(words[split])} sentences. Give words and ids of the same sentences."
        )
    return zip(ids[split], words[split], strict=True)


def _check_sentence(sentence_id: Any, words: Any, split: str, known: set[str]) -> None:
    if not isinstance(sentence_id, str):
        raise CacheError(f"Ids should be strings, but split {split!r} has {sentence_id!r}. Convert them with str().")
    if sentence_id in known:
        raise CacheError(
            f"Every sentence should have an id of its own, but {sentence_id!r} comes again in split {split!r}. "
            f"Rename one of them."
        )
    if isinstance(words, str):
        raise CacheError(
            f"The words of sentence {sentence_id!r} in split {split!r} should be a sequence of strings, but came the "
            f"text {words!r}. Split it into words."
        )
