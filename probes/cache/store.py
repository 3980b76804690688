"""Reading a cache: one layer of one split is a NumPy view in one line."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from probes.cache.layout import Layout, ids_path, index_path, states_path, vocabulary_path
from probes.cache.manifest import Manifest, hash_ids, read_manifest
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
        return self._layout(split).open_layer(states_path(self.folder, split), int(layer))

    def index(self, split: str) -> RowIndex:
        """Which sentence and word each row of a split stands for."""
        self._layout(split)
        arrays = load_file(index_path(self.folder, split))
        ids = json.loads(ids_path(self.folder, split).read_text("utf-8"))
        if hash_ids(ids) != self.manifest.splits[split].ids:
            raise CacheError(
                f"{ids_path(self.folder, split)} should hold the ids that the states were written for, but was "
                f"changed. Remove the folder and encode again."
            )
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
        return tuple(json.loads(vocabulary_path(self.folder).read_text("utf-8")))

    def with_corpus(self, corpus: Corpus) -> "Cache":
        """The same cache with the corpus whose annotations tasks will read."""
        return replace(self, corpus=corpus)

    def _layout(self, split: str) -> Layout:
        if split not in self.manifest.splits:
            raise CacheError(
                f"{self.folder.name} has no split {split!r}; it holds {list_names(split, self.splits)}. "
                f"Ask for one of these."
            )
        rows = self.manifest.splits[split].rows
        return Layout(len(self.layers), rows, self.manifest.dim, self.manifest.dtype)


def open_cache(folder: Path | str) -> Cache:
    """A cache by its folder; raises CacheError if it is not one, was changed, or is not whole."""
    folder = Path(folder)
    cache = Cache(folder, read_manifest(folder))
    for split in cache.splits:
        path, expected = states_path(folder, split), cache._layout(split).file_bytes
        found = path.stat().st_size if path.is_file() else 0
        if found != expected:
            raise CacheError(
                f"{path} should have {expected} bytes, but has {found}. Remove the folder and encode again."
            )
    described = [path(folder, split) for split in cache.splits for path in (index_path, ids_path)]
    for path in [*described, vocabulary_path(folder)]:
        if not path.is_file():
            raise CacheError(f"{path} should be there, but is not. Remove the folder and encode again.")
    return cache
