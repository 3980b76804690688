"""A cache of known numbers, written without an encoder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from probes.cache import Batches, Cache, CacheWriter, Layout, Manifest, SplitSize, identity_hash, open_cache
from probes.cache.manifest import hash_ids
from probes.types import RowIndex

LAYERS, DIM = ("emb", "1", "2"), 4
WORDS = {"train": {"a": 2, "b": 0, "ü": 3}, "test": {"c": 1}, "none": {"d": 0}}


def known_states(split: str, dtype: str = "float32") -> np.ndarray:
    """[layer, row, dim]: every number tells its split, layer, row and dim."""
    num_rows = sum(WORDS[split].values())
    numbers = np.arange(len(LAYERS) * num_rows * DIM).reshape(len(LAYERS), num_rows, DIM)
    return (numbers + 1000 * list(WORDS).index(split)).astype(dtype)


# Rows 0-4 are those of train, 5 is that of test. The first batch fills rows of both splits, in two ranges of train.
KNOWN_BATCHES = Batches(np.array([0, 3, 4]), np.array([0, 3, 5, 2]), np.array([2, 2, 1, 1]))


def batch_states(batch: int, dtype: str = "float32") -> np.ndarray:
    """What a batch of the known cache writes."""
    everything = np.concatenate([known_states(split, dtype) for split in WORDS], axis=1)
    return everything[:, KNOWN_BATCHES.rows(batch)]


def known_index(split: str) -> RowIndex:
    sizes = list(WORDS[split].values())
    word = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
    return RowIndex("word", list(WORDS[split]), np.cumsum([0, *sizes]), word, word % 2)


def known_manifest(identity: Mapping[str, Any], dtype: str) -> Manifest:
    splits = {
        split: SplitSize(sentences=len(ids), rows=sum(ids.values()), ids=hash_ids(list(ids)))
        for split, ids in WORDS.items()
    }
    return Manifest(
        identity=dict(identity),
        encoder={"name": "toy", "max_pieces": None},
        corpus="known",
        unit="word",
        layers=LAYERS,
        post_norm_last=True,
        dim=DIM,
        dtype=dtype,
        splits=splits,
        cut={"ü": [3, 4]},
        lost={"b": [0]},
        environment={"device": "cpu", "threads": 1},
    )


Write = Callable[..., Cache]


@pytest.fixture
def write_cache(tmp_path: Path) -> Write:
    """Write the known cache; other identities are other folders."""

    def write(parent: Path = tmp_path, dtype: str = "float32", **identity: Any) -> Cache:
        identity = {"weights": "w", "plan": "p", "dtype": dtype, **identity}
        layouts = {split: Layout(len(LAYERS), sum(ids.values()), DIM, dtype) for split, ids in WORDS.items()}
        folder = parent / f"toy-{identity_hash(identity)}"
        if folder.is_dir():
            return open_cache(folder)
        writer = CacheWriter(folder, layouts, KNOWN_BATCHES)
        writer.prepare()
        with writer:
            for batch in writer.missing:
                writer.write(batch, batch_states(batch, dtype))
            return writer.finish(
                known_manifest(identity, dtype), {split: known_index(split) for split in WORDS}, ["even", "odd"]
            )

    return write


@pytest.fixture
def cache(write_cache: Write) -> Cache:
    return write_cache()
