"""A cache in the making: what one process prepares, what every process computes, and what one process finishes."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from probes.cache import CacheWriter, Layout, Manifest, SplitSize, lock_cache
from probes.cache.home import working_folder
from probes.cache.lock import cannot_write, clear_working, sign
from probes.cache.manifest import hash_ids
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.plan import Plan, place_rows, plan_batches
from probes.encoder.scan import Scan, read_scan
from probes.encoder.scanner import scan_corpus
from probes.encoder.text import Texts
from probes.errors import CorpusError
from probes.types import Corpus, RowIndex, Unit


@dataclass
class Making:
    """The steps from a corpus to its cache at `place`.

    One process prepares and finishes; it holds the cache's lock in between. Each of one or several processes joins,
    and then writes batches that are missing.
    """

    encoder: FrozenEncoder
    corpus: Corpus
    unit: Unit
    texts: Texts
    identity: dict[str, Any]
    place: Path
    notify: Callable[[str], None]
    missing: frozenset[int] = field(default=frozenset(), init=False)
    """Batches that no process had written when this one joined."""
    scan: Scan = field(init=False)
    plan: Plan = field(init=False)
    writer: CacheWriter | None = field(default=None, init=False)
    _prepared: CacheWriter | None = field(default=None, init=False)
    _lock: Any = field(default=None, init=False)
    _is_new: bool = field(default=False, init=False)

    @property
    def scratch(self) -> Path:
        return working_folder(self.place) / "scratch"

    def prepare(self) -> None:
        """Wait for the lock; then, unless another process has made the cache, tokenise and reserve the files.

        Raises CorpusError for a text that cannot be read, CacheError where there is no room.
        """
        self._lock = lock_cache(self.place, self.notify)
        if self.place.is_dir():
            return
        self._is_new = not working_folder(self.place).is_dir()
        sign(self.place)
        try:
            scan = read_scan(self.scratch, self.unit)
            if scan is None:
                scan = scan_corpus(self.encoder, self.corpus, self.unit, self.texts, self.scratch)
        except CorpusError:
            shutil.rmtree(working_folder(self.place))  # a mistake of the caller; there is nothing to go on from
            raise
        except OSError as error:
            raise cannot_write(self.place, error) from error
        self._prepared = self._read(scan)
        self._prepared.prepare()

    def join(self, rank: int) -> None:
        """Open what was prepared; nothing if another process has made the cache."""
        if self.place.is_dir():
            return
        if self._prepared is None:
            scan = read_scan(self.scratch, self.unit)
            assert scan is not None
            self._prepared = self._read(scan, rank)
        self.writer = self._prepared.__enter__()
        total, self.missing = len(self.writer.batches), frozenset(self.writer.missing)
        if rank == 0 and len(self.missing) < total:
            self.notify(f"{self.place.name}: {total - len(self.missing)} of {total} batches are there already")

    def sync(self) -> None:
        """Send what this process wrote to the disk, where the process that finishes may be on another node."""
        if self.writer is not None:
            self.writer.sync()

    def finish(self) -> None:
        """Give the cache its name, once all processes have written their batches; nothing if it was there already."""
        if self.writer is None:
            return
        indexes = {split: self.scan.index(split) for split in self.scan.ids}
        self.writer.finish(self._describe(indexes), indexes, self.scan.vocabulary)

    def close(self) -> None:
        """Let go of files and lock, whatever happened."""
        try:
            if self.writer is not None:
                self.writer.__exit__(None, None, None)
        finally:
            if self._lock is not None:
                self._lock.release()

    def give_back(self) -> None:
        """After `close`: free the room that was reserved, unless batches were or may have been written there."""
        if self._is_new and self.writer is None:
            clear_working(self.place)

    def _read(self, scan: Scan, rank: int = 0) -> CacheWriter:
        columns, budget = scan.columns, self.encoder.config.batch_pieces
        self.scan = scan
        self.plan = place_rows(
            plan_batches(columns["window_pieces"], budget),
            window_sentence=columns["window_sentence"],
            window_rows=columns["window_rows"],
            row_offsets=scan.row_offsets,
            first_of=self.texts.first_of,
        )
        dtype = store_dtype(self.encoder, self.unit)
        layouts = {
            split: Layout(len(self.encoder.layers), len(scan.index(split).word), self.encoder.dim, dtype)
            for split in scan.ids
        }
        return CacheWriter(self.place, layouts, self.plan.rows, rank=rank)

    def _describe(self, indexes: dict[str, RowIndex]) -> Manifest:
        encoder, scan = self.encoder, self.scan
        commit = getattr(encoder.model.config, "_commit_hash", None)
        return Manifest(
            identity=self.identity,
            encoder=encoder.config.model_dump(mode="json", exclude={"device"}),
            commit=commit,
            corpus=self.corpus.name,
            unit=self.unit,
            layers=encoder.layers,
            post_norm_last=encoder.is_post_norm,
            dim=encoder.dim,
            dtype=store_dtype(encoder, self.unit),
            splits={
                split: SplitSize(sentences=len(index.ids), rows=len(index.word), ids=hash_ids(index.ids))
                for split, index in indexes.items()
            },
            cut=scan.cut,
            lost=scan.lost,
            environment={"device": str(encoder.device), "threads": torch.get_num_threads()},
        )


def store_dtype(encoder: FrozenEncoder, unit: Unit) -> str:
    """Precision on disk: float16 for words, float32 for sentence vectors unless the config says otherwise."""
    return encoder.config.store_dtype or ("float16" if unit == "word" else "float32")
