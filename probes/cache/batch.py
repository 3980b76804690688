"""Which rows a batch fills, and the checksums of what it put there: the unit of journal, resume and verification."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xxhash
from jaxtyping import Int, UInt64

from probes.cache.layout import Layout


@dataclass(frozen=True)
class Batches:
    """The ranges of rows that each batch fills, one after the other.

    Rows are numbered through all splits in their order. Batch b fills rows `start[i]` to `start[i] + size[i]`
    for i in `offsets[b]:offsets[b + 1]`; its ranges ascend, each lies in one split, and no two overlap.
    """

    offsets: Int[np.ndarray, " batch_plus_one"]
    start: Int[np.ndarray, " range"]
    size: Int[np.ndarray, " range"]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def ranges(self, batch: int) -> Iterator[tuple[int, int]]:
        """First row and number of rows of each range of a batch."""
        chosen = slice(int(self.offsets[batch]), int(self.offsets[batch + 1]))
        return zip(self.start[chosen].tolist(), self.size[chosen].tolist(), strict=True)

    def rows(self, batch: int) -> Int[np.ndarray, " row"]:
        """Every row of a batch, ascending."""
        empty = np.zeros(0, dtype=np.int64)
        return np.concatenate([empty, *(np.arange(start, start + size) for start, size in self.ranges(batch))])


def block_batches(layouts: Mapping[str, Layout], block_rows: int = 4096) -> Batches:
    """Batches of consecutive rows, for states that came from no encoder."""
    start, size, first = [], [], 0
    for layout in layouts.values():
        for row in range(0, layout.num_rows, block_rows):
            start.append(first + row)
            size.append(min(block_rows, layout.num_rows - row))
        first += layout.num_rows
    return Batches(np.arange(len(start) + 1), np.asarray(start, dtype=np.int64), np.asarray(size, dtype=np.int64))


def borders(layouts: Mapping[str, Layout]) -> Int[np.ndarray, " split_plus_one"]:
    """The first row of every split, and the number of all rows."""
    return np.cumsum([0, *(layout.num_rows for layout in layouts.values())])


def checksum(states: np.ndarray) -> int:
    """XXH3 (64 bits) of the bytes of an array."""
    return xxhash.xxh3_64_intdigest(np.ascontiguousarray(states).reshape(-1).view(np.uint8).data)


def stored_checksums(
    views: Mapping[str, list[np.ndarray]], rows: Int[np.ndarray, " row"], limits: Int[np.ndarray, " split_plus_one"]
) -> UInt64[np.ndarray, "split layer"]:
    """Checksums of what the files hold at the rows of a batch; `views[split][layer]` is [row, dim]."""
    cuts = np.searchsorted(rows, limits)
    return np.array(
        [
            [checksum(view[rows[cuts[number] : cuts[number + 1]] - limits[number]]) for view in layers]
            for number, layers in enumerate(views.values())
        ],
        dtype=np.uint64,
    )
