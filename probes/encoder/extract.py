"""A corpus through an encoder into a cache, once."""

from itertools import islice
from pathlib import Path
from typing import Any

import torch

from probes.cache import (
    Cache,
    CacheWriter,
    Manifest,
    SplitSize,
    caches_folder,
    identity_hash,
    library_versions,
    open_cache,
)
from probes.cache.identity import SCHEMA
from probes.cache.layout import Layout
from probes.cache.manifest import hash_ids
from probes.encoder.check import check_invariance
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.plan import plan_batches, plan_hash
from probes.encoder.predict import fill
from probes.encoder.scan import Scan, encoder_input, scan_corpus
from probes.types import Corpus, Unit


def extract(encoder: FrozenEncoder, corpus: Corpus, unit: Unit, *, folder: Path | None = None) -> Cache:
    """The cache of all hidden states of `corpus`: opened if it exists, computed and written if not.

    Raises CorpusError, EncoderError and CacheError; after an error no part of a new cache stays.
    """
    scan = scan_corpus(encoder, corpus, unit)
    batches = plan_batches(scan.num_pieces, scan.first_of, encoder.config.batch_pieces)
    identity = describe_identity(encoder, scan, plan_hash(batches))
    place = (folder or caches_folder()) / f"{encoder.config.slug}-{identity_hash(identity)}"
    if place.is_dir():
        return open_cache(place).with_corpus(corpus)
    first = next(iter(corpus.splits.values()))
    check_invariance(encoder, [encoder_input(sentence, unit) for sentence in islice(first, 64)])
    sizes = {split: _size(scan, split) for split in scan.ids}
    layouts = {
        split: Layout(len(encoder.layers), size.rows, encoder.dim, store_dtype(encoder, unit))
        for split, size in sizes.items()
    }
    with CacheWriter(place, layouts) as writer:
        fill(writer, encoder, corpus, scan, batches)
        manifest = _describe(encoder, corpus, scan, identity, sizes)
        indexes = {split: scan.index(split) for split in scan.ids}
        return writer.finish(manifest, indexes, list(scan.vocabulary)).with_corpus(corpus)


def store_dtype(encoder: FrozenEncoder, unit: Unit) -> str:
    """Precision on disk: float16 for words, float32 for sentence vectors unless the config says otherwise."""
    return encoder.config.store_dtype or ("float16" if unit == "word" else "float32")


def describe_identity(encoder: FrozenEncoder, scan: Scan, plan: str) -> dict[str, Any]:
    """Every field that can change a value of the cache."""
    config = encoder.config
    return {
        "schema": SCHEMA,
        "weights": encoder.weights_hash,
        "tokenizer": encoder.tokenizer_hash,
        "text": scan.text_hash,
        "unit": scan.unit,
        "pooling": config.word if scan.unit == "word" else config.sentence,
        "length": config.length,
        "max_pieces": encoder.max_pieces,
        "lost_words": config.lost_words,
        "load_dtype": config.load_dtype,
        "compute_dtype": config.compute_dtype,
        "store_dtype": store_dtype(encoder, scan.unit),
        "attention": encoder.model.config._attn_implementation,
        "plan": plan,
        "device": encoder.device.type,
        "libraries": library_versions(),
    }


def _describe(
    encoder: FrozenEncoder, corpus: Corpus, scan: Scan, identity: dict[str, Any], sizes: dict[str, SplitSize]
) -> Manifest:
    return Manifest(
        identity=identity,
        encoder=encoder.config.model_dump(mode="json", exclude={"device"}),
        corpus=corpus.name,
        unit=scan.unit,
        layers=encoder.layers,
        post_norm_last=encoder.is_post_norm,
        dim=encoder.dim,
        dtype=store_dtype(encoder, scan.unit),
        splits=sizes,
        cut=scan.cut,
        lost=scan.lost,
        environment={"device": str(encoder.device), "threads": torch.get_num_threads()},
    )


def _size(scan: Scan, split: str) -> SplitSize:
    ids = scan.ids[split]
    return SplitSize(sentences=len(ids), rows=int(scan.index(split).offsets[-1]), ids=hash_ids(ids))
