"""Writing a cache: into a working folder, by position, renamed when whole."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from uuid import uuid4

import numpy as np
from safetensors.numpy import save_file

from probes.cache.home import WORKING_PREFIX
from probes.cache.layout import Layout, ids_path, index_path, states_path, vocabulary_path
from probes.cache.manifest import Manifest
from probes.cache.store import Cache, open_cache
from probes.errors import CacheError
from probes.types import RowIndex


class CacheWriter:
    """A cache in the making; leave the `with` block by an error and nothing of it stays.

    Rows are written with `pwrite`: a memory map would count every written page as this process's memory.
    """

    def __init__(self, folder: Path, layouts: Mapping[str, Layout]) -> None:
        self.folder = folder
        self.layouts = dict(layouts)
        self.working = folder.parent / f"{WORKING_PREFIX}{folder.name}-{uuid4().hex[:12]}"
        self._files: dict[str, int] = {}

    def __enter__(self) -> "CacheWriter":
        self._check_space()
        try:
            self.working.mkdir(parents=True)
            for split, layout in self.layouts.items():
                self._files[split] = self._create(split, layout)
        except OSError as error:
            self.__exit__(type(error), error, None)
            raise CacheError(
                f"A cache was to be written in {self.folder.parent}, but: {error.strerror}. "
                f"Free space there, or set PROBES_HOME to a folder that can be written."
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            os.close(file)
        self._files = {}
        if kind is not None:
            shutil.rmtree(self.working, ignore_errors=True)

    def write(self, split: str, layer: int, row: int, states: np.ndarray) -> None:
        """Put `states` [row, dim] at consecutive rows of a layer."""
        layout = self.layouts[split]
        data = np.ascontiguousarray(states, dtype=layout.dtype)
        # Not data.data.cast("B"): a view of no rows (every word of a sentence was dropped) cannot be cast.
        os.pwrite(self._files[split], data.reshape(-1).view(np.uint8).data, layout.offset(layer, row))

    def finish(self, manifest: Manifest, indexes: Mapping[str, RowIndex], vocabulary: Sequence[str]) -> Cache:
        """Write what describes the rows, then give the folder its name; from here on the cache exists."""
        for split, index in indexes.items():
            arrays = {"offsets": index.offsets, "word": index.word, "types": index.types}
            save_file(arrays, index_path(self.working, split))
            ids_path(self.working, split).write_text(json.dumps(list(index.ids), ensure_ascii=False), "utf-8")
        vocabulary_path(self.working).write_text(json.dumps(list(vocabulary), ensure_ascii=False), "utf-8")
        for file in self._files.values():
            os.fsync(file)
        manifest.write(self.working)
        try:
            self.working.rename(self.folder)
        except OSError:
            if not self.folder.is_dir():
                raise
            # Another process finished the same cache first; both hold the same values, so theirs is used.
            shutil.rmtree(self.working, ignore_errors=True)
        return open_cache(self.folder)

    def _create(self, split: str, layout: Layout) -> int:
        file = os.open(states_path(self.working, split), os.O_CREAT | os.O_WRONLY, 0o644)
        os.posix_fallocate(file, 0, layout.file_bytes)
        os.pwrite(file, layout.header, 0)
        return file

    def _check_space(self) -> None:
        needed = sum(layout.file_bytes for layout in self.layouts.values())
        place = next(parent for parent in (self.folder, *self.folder.parents) if parent.exists())
        free = shutil.disk_usage(place).free
        if needed > free:
            raise CacheError(
                f"This cache needs {needed / 1e9:.2f} GB, but {place} has {free / 1e9:.2f} GB free. "
                f"Free space there, or set PROBES_HOME to another disk."
            )
