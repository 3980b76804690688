"""The journal of a cache in the making: one record a finished batch, appended after its rows are written."""

import errno
import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt64


class Journal:
    """Appends records [batch, checksums…] as little-endian 64-bit numbers, each by one call of the system."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)

    def append(self, batch: int, checksums: UInt64[np.ndarray, "split layer"]) -> None:
        """Say that a batch is whole; its rows have to be written before."""
        record = np.concatenate([np.array([batch], dtype="<u8"), checksums.reshape(-1).astype("<u8")])
        if os.write(self._file, record.tobytes()) < record.nbytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


def read_journal(path: Path, num_splits: int, num_layers: int) -> dict[int, np.ndarray]:
    """Checksums [split, layer] of each finished batch; a record that was cut short at the end is not one."""
    width = 1 + num_splits * num_layers
    numbers = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    whole = len(numbers) // (8 * width) * 8 * width
    records = numbers[:whole].view("<u8").reshape(-1, width)
    return {int(record[0]): record[1:].reshape(num_splits, num_layers).astype(np.uint64) for record in records}


def write_journal(path: Path, done: dict[int, np.ndarray]) -> None:
    """A journal of exactly these batches, put in place of an old one in one step."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    journal = Journal(fresh)
    for batch, checksums in sorted(done.items()):
        journal.append(batch, checksums)
    journal.close()
    fresh.rename(path)
