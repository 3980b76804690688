"""Vectors from anywhere become a cache that probes like any other."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from probes.cache.batch import block_batches, borders
from probes.cache.home import caches_folder
from probes.cache.identity import SCHEMA, identity_hash
from probes.cache.lock import clear_working, lock_cache, sign
from probes.cache.manifest import Manifest, SplitSize, hash_ids
from probes.cache.sentence import Ids, Sentences, Words, read_sentences
from probes.cache.source import Source, hash_states, open_sources
from probes.cache.store import Cache, open_cache
from probes.cache.write import CacheWriter
from probes.errors import CacheError
from probes.types import Corpus, RowIndex, Unit

Notify = Callable[[str], None]

WARN: Notify = logging.getLogger("probes").warning


def adopt(
    arrays: Mapping[str, Any],
    ids: Ids,
    *,
    name: str,
    words: Words | None = None,
    post_norm_last: bool = True,
    folder: Path | None = None,
    notify: Notify = WARN,
) -> Cache:
    """The cache of states that were computed elsewhere: written once, only opened when the same states come again.

    The states of a split are an array [layer, row, dim], layer 0 the output of the embeddings, or the path of a
    file: `.npy` with such an array; `.safetensors` with tensors [row, dim] named `layer_0`, `layer_1` and so on;
    `.hdf5` as structural-probes and NeuroX write it, with a data set [layer, word, dim] for each sentence. float64
    is stored as float32. `ids` name the sentences in the order of the states, which have one row for each of their
    `words` (a corpus brings its own), or one for each sentence. `post_norm_last` is false where the last state is
    not of the same kind as the others. Raises CacheError.

    >>> words = {"train": [["the", "dog"], ["runs"]]}
    >>> cache = adopt({"train": np.zeros((2, 3, 4))}, {"train": ["a", "b"]}, name="mine", words=words)
    >>> cache.layers, cache.index("train").word.tolist()
    (('emb', '1'), [0, 1, 0])
    """
    slug = _slug(name)
    sentences = read_sentences(ids, words)
    sources = open_sources(arrays, list(sentences.ids))
    unit = _choose_unit(sources, sentences)
    indexes = {split: sentences.index(split, unit) for split in sources}
    _check_sizes(sources, indexes)
    identity = _identify(name, sources, indexes=indexes, sentences=sentences, post_norm_last=post_norm_last)
    place = (folder or caches_folder()) / f"{slug}-{identity_hash(identity)}"
    if place.is_dir():
        cache = open_cache(place)
    else:
        manifest = _describe(identity, sources, indexes, corpus=ids.name if isinstance(ids, Corpus) else name)
        vocabulary = sentences.vocabulary if unit == "word" else []
        cache = _write(place, sources, indexes=indexes, manifest=manifest, vocabulary=vocabulary, notify=notify)
    clear_working(place)
    return cache.with_corpus(ids) if isinstance(ids, Corpus) else cache


def _choose_unit(sources: Mapping[str, Source], sentences: Sentences) -> Unit:
    """What a row stands for: a word where that fits all splits, else a sentence."""
    by_word, by_sentence = set(), set()
    for split, source in sources.items():
        rows, num_words, num_sentences = source.layout.num_rows, len(sentences.types[split]), len(sentences.ids[split])
        if rows not in (num_words, num_sentences):
            raise CacheError(
                f"The states of split {split!r} should have {num_words} rows, one for each word, or "
                f"{num_sentences}, one for each sentence, but have {rows}. Give the ids and words of these states."
            )
        by_word |= {split} if rows == num_words else set()
        by_sentence |= {split} if rows == num_sentences else set()
    if len(by_word) == len(sources):
        return "word"
    if len(by_sentence) == len(sources):
        return "sentence"
    raise CacheError(
        f"All splits should have one row for each word, or all one for each sentence, but split "
        f"{min(by_word - by_sentence)!r} has one for each word and split {min(by_sentence - by_word)!r} one for each "
        f"sentence. Adopt them as two caches."
    )


def _check_sizes(sources: Mapping[str, Source], indexes: Mapping[str, RowIndex]) -> None:
    """Raise CacheError where a source tells its sentences apart, and they are not those of the ids."""
    for split, source in sources.items():
        found, expected, ids = source.sizes, np.diff(indexes[split].offsets), indexes[split].ids
        if found is None or np.array_equal(found, expected):
            continue
        if len(found) != len(expected):
            raise CacheError(
                f"The states of split {split!r} should be of {len(expected)} sentences, as many as there are ids, but "
                f"are of {len(found)}. Give the ids of these states."
            )
        number = int(np.flatnonzero(found != expected)[0])
        raise CacheError(
            f"Sentence {ids[number]!r} of split {split!r} should have {expected[number]} rows, but the states at its "
            f"place, {number}, have {found[number]}. Give ids and words in the order of the states."
        )


def _identify(
    name: str,
    sources: Mapping[str, Source],
    *,
    indexes: Mapping[str, RowIndex],
    sentences: Sentences,
    post_norm_last: bool,
) -> dict[str, Any]:
    """Every field that can change a value of the cache; reads all states."""
    unit = next(iter(indexes.values())).unit
    return {
        "schema": SCHEMA,
        "adopted": name,
        # A list: with the splits in another order, the batches are others.
        "states": [[split, hash_states(split, source, indexes[split])] for split, source in sources.items()],
        "ids": sentences.ids_hash,
        "words": sentences.words_hash if unit == "word" else None,
        "unit": unit,
        "dtype": next(iter(sources.values())).layout.dtype,
        "post_norm_last": post_norm_last,
    }


def _write(
    place: Path,
    sources: Mapping[str, Source],
    *,
    indexes: Mapping[str, RowIndex],
    manifest: Manifest,
    vocabulary: Sequence[str],
    notify: Notify,
) -> Cache:
    """Write the cache, or what an interrupted adoption has left of it; open it if another process was first."""
    lock = lock_cache(place, notify)
    try:
        if place.is_dir():
            return open_cache(place)
        sign(place)
        layouts = {split: source.layout for split, source in sources.items()}
        limits, batches = borders(layouts), block_batches(layouts)
        writer = CacheWriter(place, layouts, batches)
        writer.prepare()
        with writer:
            for batch in writer.missing:
                [(start, size)] = batches.ranges(batch)
                number = int(np.searchsorted(limits, start, side="right")) - 1
                first = start - int(limits[number])
                writer.write(batch, list(sources.values())[number].read(first, first + size))
        return writer.finish(manifest, indexes, vocabulary)
    finally:
        lock.release()


def _describe(
    identity: dict[str, Any], sources: Mapping[str, Source], indexes: Mapping[str, RowIndex], *, corpus: str
) -> Manifest:
    layout = next(iter(sources.values())).layout
    return Manifest(
        identity=identity,
        encoder={"name": identity["adopted"]},
        corpus=corpus,
        unit=identity["unit"],
        layers=("emb", *map(str, range(1, layout.num_layers))),
        post_norm_last=identity["post_norm_last"],
        dim=layout.dim,
        dtype=layout.dtype,
        splits={
            split: SplitSize(sentences=len(index.ids), rows=len(index.word), ids=hash_ids(index.ids))
            for split, index in indexes.items()
        },
        cut={},
        lost={},
        environment={},
    )


def _slug(name: str) -> str:
    """A name as it stands in the names of folders."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug:
        raise CacheError(
            f"The name of states should have a letter from a to z or a digit, but is {name!r}. Choose another."
        )
    return slug
