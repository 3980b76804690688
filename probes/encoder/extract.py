"""A corpus through an encoder into a cache, once."""

import logging
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from probes.cache import Cache, caches_folder, clear_working, identity_hash, library_versions, open_cache
from probes.cache.identity import SCHEMA
from probes.encoder.check import check_invariance
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.make import Making, store_dtype
from probes.encoder.one_pass import Pass
from probes.encoder.plan import PLAN_VERSION
from probes.encoder.predict import fill, has_several_processes
from probes.encoder.text import Texts, encoder_input, read_texts
from probes.errors import CacheError, ConfigError, EncoderError
from probes.types import Corpus, Unit

Notify = Callable[[str], None]
LOG = logging.getLogger("probes")


def extract(
    encoder: FrozenEncoder,
    corpus: Corpus,
    unit: Unit,
    *,
    also: Iterable[FrozenEncoder] = (),
    folder: Path | None = None,
    notify: Notify = LOG.warning,
) -> Cache:
    """The cache of all hidden states of `corpus`: opened if it exists, computed and written if not.

    What an interrupted call has written is used, and only the rest is computed. If another process is making the
    same cache, this one waits for it and tells `notify`. Started by torchrun or SLURM as several processes, each
    computes a part. `also` are the same encoder with other vectors of a word or of a sentence (`EncoderConfig.word`
    and `sentence`): if states have to be computed, their caches are filled from them as well; where one of them has
    no room or no type for its states, the cache that was asked for is made alone. Raises ConfigError, CorpusError,
    EncoderError and CacheError; after an error no folder looks like a cache, and what was complete stays for the
    next call.
    """
    if unit == "sentence" and encoder.config.length == "window":
        raise ConfigError(
            "encoder.length: window reads words in windows, but the vector of a sentence has no window of its own. "
            "Set encoder.length to truncate or error."
        )
    texts = read_texts(corpus, unit)
    home = folder or caches_folder()

    def make(one: FrozenEncoder) -> Making:
        identity = describe_identity(one, texts, unit)
        place = home / f"{one.config.slug}-{identity_hash(identity)}"
        return Making(one, corpus, unit, texts, identity, place, notify)

    making = make(encoder)
    place = making.place
    # Of several processes none may stay out: the others would wait for it.
    if not place.is_dir() or has_several_processes():
        first = next(iter(corpus.splits.values()))
        check_invariance(encoder, [encoder_input(sentence, unit) for sentence in islice(first, 64)])
        # By their places: encoders that differ in the vector of the other unit have the same cache.
        others = tuple({one.place: one for one in map(make, also) if one.place != place}.values())
        try:
            fill(Pass((making, *others)))
        except (CacheError, EncoderError) as error:
            # What another vector lacks, room or a state that fits its type, is no fault of this one. Of several
            # processes each would have to know of it.
            if not others or has_several_processes():
                raise
            notify(f"{place.name}: together with other vectors it failed, so it is made alone. It said: {error}")
            for one in others:
                one.give_back()
            fill(Pass((make(encoder),)))
    clear_working(place)
    return open_cache(place).with_corpus(corpus)


def describe_identity(encoder: FrozenEncoder, texts: Texts, unit: Unit) -> dict[str, Any]:
    """Every field that can change a value of the cache, but for its last bits: these differ with the number of
    threads and the kind of processor too, which are recorded.

    The batch plan stands there by what it is made of: texts, tokenizer, limit and policy of length, budget and the
    version of the planner; so a cache is found without tokenising the corpus again.
    """
    config = encoder.config
    # Only where they are not the texts' own: caches that were written before there was a choice stay valid.
    segments = {} if config.segments == "own" else {"segments": config.segments}
    return {
        "schema": SCHEMA,
        "weights": encoder.weights_hash,
        "tokenizer": encoder.tokenizer_hash,
        "text": texts.hash,
        "unit": unit,
        "pooling": encoder.pooling(unit),
        "length": config.length,
        "max_pieces": encoder.max_pieces,
        "lost_words": config.lost_words,
        "load_dtype": config.load_dtype,
        "compute_dtype": config.compute_dtype,
        "store_dtype": store_dtype(encoder, unit),
        "attention": encoder.model.config._attn_implementation,
        "compile": config.compile,
        "plan": {"version": PLAN_VERSION, "batch_pieces": config.batch_pieces},
        "device": encoder.device.type,
        "matmul_precision": torch.get_float32_matmul_precision(),
        "libraries": library_versions(),
        **segments,
    }
