"""Writing a cache: batch by batch into a working folder, by position, journalled, renamed when whole."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType

import numpy as np

from probes.cache.batch import Batches, borders, checksum, stored_checksums
from probes.cache.home import working_folder
from probes.cache.journal import Journal, read_journal, write_journal
from probes.cache.layout import (
    Layout,
    batches_path,
    check_split_name,
    ids_path,
    index_path,
    states_path,
    vocabulary_path,
    write_tensors,
)
from probes.cache.lock import cannot_write
from probes.cache.manifest import Manifest
from probes.cache.space import check_space
from probes.cache.store import Cache, open_cache
from probes.errors import CacheError
from probes.types import RowIndex


class CacheWriter:
    """A cache in the making, by one process or by several that share its working folder.

    `prepare` is called by one process, which holds the cache's lock; then each enters the `with` block and writes
    batches of its own; then the first finishes. Whatever interrupts this, the batches in the journal stay, and the
    next writer goes on from there. Rows are written with `pwrite`: a memory map would count every written page as
    this process's memory.
    """

    def __init__(self, folder: Path, layouts: Mapping[str, Layout], batches: Batches, *, rank: int = 0) -> None:
        for split in layouts:
            check_split_name(split)
        self.folder, self.layouts, self.batches, self.rank = folder, dict(layouts), batches, rank
        self.working = working_folder(folder)
        self.target = self.working / "cache"
        self.missing: list[int] = []
        """Batches that no journal had when the `with` block was entered."""
        self._borders = borders(layouts)
        self._files: dict[str, int] = {}
        self._journal: Journal | None = None

    def prepare(self) -> None:
        """Reserve the files, or check those of an interrupted writer: a batch whose bytes changed is done again.

        Raises CacheError if the disk is too small or cannot be written.
        """
        missing = sum(
            layout.file_bytes
            for split, layout in self.layouts.items()
            if not _has_size(states_path(self.target, split), layout.file_bytes)
        )
        check_space(self.folder, missing)
        try:
            self.target.mkdir(parents=True, exist_ok=True)
            for split, layout in self.layouts.items():
                self._reserve(split, layout)
            done = {batch: sums for batch, sums in self._recorded().items() if self._is_stored(batch, sums)}
            write_journal(self.working / "journal-0.bin", done)
            for path in self.working.glob("journal-*.bin"):
                if path.name != "journal-0.bin":
                    path.unlink()
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def __enter__(self) -> "CacheWriter":
        self.missing = sorted(set(range(len(self.batches))) - self._recorded().keys())
        self._files = {split: os.open(states_path(self.target, split), os.O_WRONLY) for split in self.layouts}
        self._journal = Journal(self.working / f"journal-{self.rank}.bin")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            os.close(file)
        if self._journal is not None:
            self._journal.close()
        self._files, self._journal = {}, None

    def write(self, batch: int, states: np.ndarray) -> None:
        """Put the states [layer, row, dim] of a batch at its rows, in their order, and say so in the journal.

        Raises CacheError if the disk cannot take them.
        """
        assert self._journal is not None
        cuts = np.searchsorted(self.batches.rows(batch), self._borders)
        sums = np.zeros((len(self.layouts), len(states)), dtype=np.uint64)
        try:
            for number, (split, layout) in enumerate(self.layouts.items()):
                part = np.ascontiguousarray(states[:, cuts[number] : cuts[number + 1]], dtype=layout.dtype)
                sums[number] = [checksum(rows) for rows in part]
                ranges = [
                    (start - int(self._borders[number]), size)
                    for start, size in self.batches.ranges(batch)
                    if self._borders[number] <= start < self._borders[number + 1]
                ]
                for layer, rows in enumerate(part):
                    self._put(split, layer, ranges, rows)
            self._journal.append(batch, sums)
        except OSError as error:
            raise CacheError(
                f"Batch {batch + 1} of {len(self.batches)} was to be written in {self.working}, but: "
                f"{error.strerror}. The batches before it stay; make room and call again to go on from there."
            ) from error

    def sync(self) -> None:
        """Wait until the disk has what this process wrote: rows first, then the journal that tells of them."""
        for file in self._files.values():
            os.fsync(file)
        if self._journal is not None:
            self._journal.sync()

    def finish(self, manifest: Manifest, indexes: Mapping[str, RowIndex], vocabulary: Sequence[str]) -> Cache:
        """Write what describes the rows, then give the folder its name; from here on the cache exists.

        `manifest` needs no hashes of files: they are put in here. Raises CacheError if a batch is missing.
        """
        done = self._recorded()
        if len(done) < len(self.batches):
            raise CacheError(
                f"All {len(self.batches)} batches of {self.folder.name} should be written, but "
                f"{len(self.batches) - len(done)} are not. Call again to go on from there."
            )
        try:
            self._describe(manifest, indexes, vocabulary, np.stack([done[batch] for batch in range(len(done))]))
            self.target.rename(self.folder)
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        shutil.rmtree(self.working, ignore_errors=True)
        return open_cache(self.folder)

    def _describe(
        self, manifest: Manifest, indexes: Mapping[str, RowIndex], vocabulary: Sequence[str], sums: np.ndarray
    ) -> None:
        arrays = {"offsets": self.batches.offsets, "start": self.batches.start, "size": self.batches.size}
        write_tensors(batches_path(self.target), {**arrays, "checksums": sums})
        vocabulary_path(self.target).write_text(json.dumps(list(vocabulary), ensure_ascii=False), "utf-8")
        described = [batches_path(self.target), vocabulary_path(self.target)]
        for split, index in indexes.items():
            arrays = {"offsets": index.offsets, "word": index.word, "types": index.types}
            write_tensors(index_path(self.target, split), arrays)
            ids_path(self.target, split).write_text(json.dumps(list(index.ids), ensure_ascii=False), "utf-8")
            described += [index_path(self.target, split), ids_path(self.target, split)]
        for path in [*described, *(states_path(self.target, split) for split in self.layouts)]:
            _sync(path)
        hashes = {path.name: sha256(path.read_bytes()).hexdigest() for path in described}
        manifest.model_copy(update={"files": dict(sorted(hashes.items()))}).write(self.target)
        _sync(self.target / "manifest.json")

    def _put(self, split: str, layer: int, ranges: Sequence[tuple[int, int]], rows: np.ndarray) -> None:
        """Write consecutive rows of one layer at their ranges."""
        layout, file = self.layouts[split], self._files[split]
        data, base, row_bytes = rows.reshape(-1).view(np.uint8).data, layout.offset(layer, 0), layout.row_bytes
        taken = 0
        for start, size in ranges:
            part, place = data[taken : taken + size * row_bytes], base + start * row_bytes
            taken += len(part)
            written = os.pwrite(file, part, place)
            while written < len(part):  # cut short, by a signal or just before the disk is full
                written += os.pwrite(file, part[written:], place + written)

    def _reserve(self, split: str, layout: Layout) -> None:
        path = states_path(self.target, split)
        if _has_size(path, layout.file_bytes):
            return
        fresh = path.with_suffix(".new")
        file = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
        try:
            os.posix_fallocate(file, 0, layout.file_bytes)
            os.pwrite(file, layout.header, 0)
        finally:
            os.close(file)
        fresh.rename(path)  # only now: a file whose reservation was interrupted has no name to be found by

    def _recorded(self) -> dict[int, np.ndarray]:
        """Checksums of every batch that some process has journalled."""
        num_layers = next(iter(self.layouts.values())).num_layers
        done: dict[int, np.ndarray] = {}
        for path in sorted(self.working.glob("journal-*.bin")):
            done |= read_journal(path, len(self.layouts), num_layers)
        return {batch: sums for batch, sums in done.items() if batch < len(self.batches)}

    def _is_stored(self, batch: int, sums: np.ndarray) -> bool:
        views = {
            split: [layout.open_layer(states_path(self.target, split), layer) for layer in range(layout.num_layers)]
            for split, layout in self.layouts.items()
        }
        return np.array_equal(stored_checksums(views, self.batches.rows(batch), self._borders), sums)


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
