"""Reading a cache: one layer of one split is a NumPy view in one line."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from safetensors.numpy import load

from probes.cache.batch import Batches
from probes.cache.home import mark_used
from probes.cache.layout import Layout, batches_path, ids_path, index_path, states_path, vocabulary_path
from probes.cache.manifest import Manifest, read_manifest
from probes.errors import CacheError, list_names
from probes.types import Corpus, RowIndex


@dataclass(frozen=True)
class Cache:
    """All hidden states of a corpus on disk, and the corpus they were read from where it is at hand."""

    folder: Path
    manifest: Manifest
    corpus: Corpus | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers: `emb` (hidden state 0), then the blocks from `1`."""
        return self.manifest.layers

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self.manifest.splits)

    @property
    def dim(self) -> int:
        return self.manifest.dim

    @property
    def num_bytes(self) -> int:
        """Size on disk."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def layer(self, layer: int | np.integer, split: str) -> np.ndarray:
        """Hidden state `layer` of a split: a read-only view [row, dim], rows in corpus order.

        0 is the output of the embeddings, k the output of block k. Raises CacheError for a layer or split
        that is not there.
        """
        if isinstance(layer, bool) or not isinstance(layer, (int, np.integer)) or not 0 <= layer < len(self.layers):
            raise CacheError(
                f"A layer from 0 (the embeddings) to {len(self.layers) - 1} was expected, but came {layer!r}; "
                f"{self.folder.name} holds {', '.join(self.layers)}. Ask for one of these."
            )
        return self.layout(split).open_layer(states_path(self.folder, split), int(layer))

    def index(self, split: str) -> RowIndex:
        """Which sentence and word each row of a split stands for; raises CacheError if a byte of it was changed."""
        self.layout(split)
        arrays = load(self.read_file(index_path(self.folder, split)))
        ids = json.loads(self.read_file(ids_path(self.folder, split)))
        return RowIndex(
            unit=self.manifest.unit,
            ids=ids,
            offsets=arrays["offsets"],
            word=arrays["word"],
            types=arrays["types"],
        )

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The word types that `RowIndex.types` number."""
        return tuple(json.loads(self.read_file(vocabulary_path(self.folder))))

    def batches(self) -> tuple[Batches, np.ndarray]:
        """Which rows each batch filled, and the checksums [batch, split, layer] of what it wrote."""
        arrays = load(self.read_file(batches_path(self.folder)))
        return Batches(arrays["offsets"], arrays["start"], arrays["size"]), arrays["checksums"]

    def with_corpus(self, corpus: Corpus) -> "Cache":
        """The same cache with the corpus whose annotations tasks will read."""
        return replace(self, corpus=corpus)

    def layout(self, split: str) -> Layout:
        """Where the bytes of a split are; raises CacheError for a split that is not there."""
        if split not in self.manifest.splits:
            raise CacheError(
                f"{self.folder.name} has no split {split!r}; it holds {list_names(split, self.splits)}. "
                f"Ask for one of these."
            )
        rows = self.manifest.splits[split].rows
        return Layout(len(self.layers), rows, self.manifest.dim, self.manifest.dtype)

    def read_file(self, path: Path) -> bytes:
        """The bytes of a small file; raises CacheError if they are not those that were written."""
        content = path.read_bytes()
        if sha256(content).hexdigest() != self.manifest.files.get(path.name):
            raise CacheError(
                f"{path} should be as it was written, but was changed. Remove the folder and encode again."
            )
        return content


def open_cache(folder: Path | str) -> Cache:
    """A cache by its folder; raises CacheError if it is not one, was changed, or is not whole.

    Sizes are checked here, small files when they are read; `probes cache verify` checks every byte.
    """
    cache = inspect_cache(Path(folder))
    mark_used(cache.folder)
    return cache


def inspect_cache(folder: Path) -> Cache:
    """The same for one who only looks: a cache that is listed or verified has not been used."""
    cache = Cache(folder, read_manifest(folder))
    for split in cache.splits:
        path, expected = states_path(folder, split), cache.layout(split).file_bytes
        found = path.stat().st_size if path.is_file() else 0
        if found != expected:
            raise CacheError(
                f"{path} should have {expected} bytes, but has {found}. Remove the folder and encode again."
            )
    for name in cache.manifest.files:
        if not (folder / name).is_file():
            raise CacheError(f"{folder / name} should be there, but is not. Remove the folder and encode again.")
    return cache
