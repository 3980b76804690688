"""One look at the texts of a corpus: what has to be known of them before a cache can be found."""

import json
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256

import numpy as np
from jaxtyping import Int, UInt64

from probes.errors import CorpusError
from probes.types import Corpus, Pair, Sentence, Unit

Text = str | Pair | tuple[str, ...]
KEY_BYTES = 16


@dataclass(frozen=True)
class Texts:
    """What identifies the texts of a corpus; sentences are numbered through all splits in order."""

    hash: str
    """Hash of the unit, and of every id and text in its split and order."""
    sizes: dict[str, int]
    """Sentences of each split."""
    first_of: Int[np.ndarray, " sentence"]
    """The first sentence with the same text; only that one is computed."""


def encoder_input(sentence: Sentence, unit: Unit) -> Text:
    """What the tokenizer is given: the words for word vectors, running text or a pair of texts for sentence vectors."""
    if unit == "word":
        return sentence.words
    text = sentence.text or " ".join(sentence.words)
    return Pair(text, sentence.pair) if sentence.pair else text


def read_texts(corpus: Corpus, unit: Unit) -> Texts:
    """Read the corpus once, without a tokenizer; 32 bytes a sentence stay in memory.

    Raises CorpusError for an empty split, a double id and a sentence with nothing to read.
    """
    if not corpus.splits:
        raise CorpusError(f"Corpus {corpus.name!r} should have a split, but has none. Give it one, such as train.")
    digest, sizes = sha256(unit.encode()), {}
    ids, texts = array("Q"), array("Q")
    for split, sentences in corpus.splits.items():
        digest.update(json.dumps(["split", split]).encode())
        before = len(ids)
        for sentence in sentences:
            text = encoder_input(sentence, unit)
            _check_text(text, sentence, unit, corpus)
            # JSON, so that no two texts are written alike, whatever characters are in them.
            name, key = (_key(json.dumps(part).encode()) for part in (sentence.id, text))
            ids.frombytes(name)
            texts.frombytes(key)
            digest.update(name + key)
        sizes[split] = (len(ids) - before) // 2
        if not sizes[split]:
            raise CorpusError(
                f"Split {split!r} of corpus {corpus.name!r} should have sentences, but is empty. "
                f"Fill it or leave it out."
            )
    _check_ids(corpus, _first_occurrence(ids))
    return Texts(digest.hexdigest(), sizes, _first_occurrence(texts))


def chunks(sentences: Sequence[Sentence], size: int) -> Iterator[list[Sentence]]:
    """Consecutive sentences, `size` at a time; reads the sequence from front to back once."""
    chunk: list[Sentence] = []
    for sentence in sentences:
        chunk.append(sentence)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _key(content: bytes) -> bytes:
    return blake2b(content, digest_size=KEY_BYTES).digest()


def _first_occurrence(keys: array) -> Int[np.ndarray, " sentence"]:
    """The first position that holds the same key."""
    pairs: UInt64[np.ndarray, "sentence half"] = np.frombuffer(keys, dtype=np.uint64).reshape(-1, 2)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))  # stable: of equal keys the first stays first
    is_new = np.concatenate([[True], (pairs[order][1:] != pairs[order][:-1]).any(axis=1)])
    first = np.empty(len(order), dtype=np.int64)
    first[order] = order[is_new][np.cumsum(is_new) - 1]
    return first


def _check_text(text: Text, sentence: Sentence, unit: Unit, corpus: Corpus) -> None:
    if not text or (isinstance(text, Pair) and not text.first):
        raise CorpusError(
            f"Every sentence of corpus {corpus.name!r} should have a {unit} to read, but sentence "
            f"{sentence.id!r} has no {'words' if unit == 'word' else 'text'}. Remove it or fill it."
        )


def _check_ids(corpus: Corpus, first: Int[np.ndarray, " sentence"]) -> None:
    again = np.flatnonzero(first != np.arange(len(first)))
    if not len(again):
        return
    number = int(again[0])
    for split, sentences in corpus.splits.items():
        for sentence in sentences:
            if number == 0:
                raise CorpusError(
                    f"Every sentence of corpus {corpus.name!r} should have an id of its own, but {sentence.id!r} "
                    f"comes again in split {split!r}. Rename one of them."
                )
            number -= 1
