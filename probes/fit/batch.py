"""Batches of rows of all layers at once: blocks of neighbours in random order, the next one ready in time."""

import math
import resource
from collections.abc import Callable, Iterator, Sequence
from queue import Queue
from threading import Event, Thread

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.fit.read import CHUNK_ROWS, Range, Scale, SplitRows
from probes.seed import generator

BLOCK_ROWS = 128
# Features of a split that need no more than this stay in memory: small splits are read many times.
HELD_BYTES = 192 << 20
THREAD_NAME = "probes-batches"

Batch = tuple[Float[Tensor, "layer row feature"], Int[Tensor, " example"]]
"""Features of every layer that is read, and the numbers of the examples: one row each, unless an example has several
words."""


def order_blocks(num_rows: int, batch_rows: int, seed: int, epoch: int) -> list[list[Range]]:
    """Batches of one epoch: blocks of neighbouring rows in random order, cut into batches.

    A function of the number of rows, the size of a batch and the seed; never of the number of probes.
    """
    block = min(BLOCK_ROWS, max(1, batch_rows // 8))
    starts = np.arange(0, num_rows, block)
    generator(seed, "fit.order", epoch).shuffle(starts)
    batches: list[list[Range]] = [[]]
    room = batch_rows
    for start in starts.tolist():
        stop = min(start + block, num_rows)
        while start < stop:
            if room == 0:
                batches.append([])
                room = batch_rows
            taken = min(room, stop - start)
            batches[-1].append((start, start + taken))
            start, room = start + taken, room - taken
    return batches


def cut_in_order(num_rows: int, batch_rows: int) -> list[list[Range]]:
    """Batches in corpus order."""
    return [[(start, min(start + batch_rows, num_rows))] for start in range(0, num_rows, batch_rows)]


class RowBatches:
    """The batches of one split, epoch after epoch; shuffled anew every epoch if a seed is given.

    `layers` are the layers that are read; layers whose probes have all finished are taken out between epochs.
    The next batch is made ready while this one is computed: with `is_threaded` it is made by a thread, which pays
    where the arithmetic runs on another device; else a thread would only take a core from the products, and the
    kernel is asked to fetch the pages if those of this batch had to come from the disk. Memory holds three batches
    whatever the number of rows, and all features where they are few.
    """

    def __init__(
        self,
        rows: SplitRows,
        scale: Scale,
        *,
        batch_rows: int,
        dtype: torch.dtype = torch.float32,
        seed: int | None = None,
    ) -> None:
        self.rows, self.scale, self.batch_rows, self.dtype, self.seed = rows, scale, batch_rows, dtype, seed
        self.layers, self.epoch, self.is_threaded = list(range(len(rows.layers))), 0, False
        self._scratch: Tensor | None = None
        self._held: Tensor | None = None

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_rows)

    def __iter__(self) -> Iterator[Batch]:
        if self.seed is None:
            plan = cut_in_order(len(self.rows), self.batch_rows)
        else:
            plan = order_blocks(len(self.rows), self.batch_rows, self.seed, self.epoch)
            self.epoch += 1
        size = min(self.batch_rows, len(self.rows))
        # Threaded: one batch is used, one waits, one is filled.
        buffers = [self._buffer(size) for _ in range(3 if self.is_threaded else 1)]
        self._scratch = torch.empty((size, self.rows.num_features)) if self.dtype == torch.bfloat16 else None
        reads = [(ranges, buffers[number % len(buffers)]) for number, ranges in enumerate(plan)]
        if self.is_threaded:
            yield from ahead(lambda read: self._read(*read), reads)
            return
        for number, read in enumerate(reads):
            waits = _count_waits()
            batch = self._read(*read)
            if number + 1 < len(reads) and _count_waits() > waits:
                self.rows.announce(reads[number + 1][0], self.layers)
            yield batch

    def _buffer(self, size: int) -> Tensor:
        return torch.empty((len(self.layers), size, self.rows.num_features), dtype=self.dtype)

    def _read(self, ranges: Sequence[Range], buffer: Tensor) -> Batch:
        examples = torch.cat([torch.arange(start, stop) for start, stop in ranges])
        out = buffer[:, : len(examples)]
        if (held := self._hold()) is not None:
            for position, layer in enumerate(self.layers):
                torch.index_select(held[layer], 0, examples, out=out[position])
            return out, examples
        scratch = None if self._scratch is None else self._scratch[: len(examples)]
        return self.rows.read(ranges, self.layers, self.scale, out=out, scratch=scratch), examples

    def _hold(self) -> Tensor | None:
        """The features of every example, read once; none where there are too many."""
        shape = (len(self.rows.layers), len(self.rows), self.rows.num_features)
        if self._held is None and math.prod(shape) * self.dtype.itemsize <= HELD_BYTES:
            self._held = torch.empty(shape, dtype=self.dtype)
            for start in range(0, shape[1], CHUNK_ROWS):
                chunk = self.rows.chunk(start, range(shape[0]), self.scale, self.dtype)
                self._held[:, start : start + chunk.shape[1]] = chunk
        return self._held


def _count_waits() -> int:
    """How often this process has waited for the disk to bring a page."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


def ahead(make: Callable, wanted: Sequence) -> Iterator:
    """What `make` gives for each, the next one made in a thread while this one is used.

    An error in the thread is raised where the value was asked for; a consumer that stops early stops it.
    """
    ready: Queue = Queue(maxsize=1)
    stopped = Event()

    def work() -> None:
        try:
            for one in wanted:
                if stopped.is_set():
                    return
                ready.put((make(one), None))
        except BaseException as error:
            ready.put((None, error))

    thread = Thread(target=work, name=THREAD_NAME, daemon=True)
    thread.start()
    try:
        for _ in wanted:
            value, error = ready.get()
            if error is not None:
                raise error
            yield value
    finally:
        stopped.set()
        while thread.is_alive():
            while not ready.empty():
                ready.get()
            thread.join(timeout=0.01)
