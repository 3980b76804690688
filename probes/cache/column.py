"""Arrays that grow on disk: numbers are appended, and later read through a memory map."""

import os
from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

import numpy as np

# Numbers of a column that wait in memory for the next write.
BUFFERED = 2**15


class Columns:
    """Append-only files of one dtype each, named `<name>.bin`; what was there before is overwritten."""

    def __init__(self, folder: Path, dtypes: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._waiting = {name: array(np.dtype(dtype).char) for name, dtype in dtypes.items()}
        self._files = {name: (folder / f"{name}.bin").open("wb") for name in dtypes}

    def append(self, name: str, values: Iterable[int]) -> None:
        """Put numbers at the end of a column."""
        waiting = self._waiting[name]
        waiting.extend(values)
        if len(waiting) > BUFFERED:
            waiting.tofile(self._files[name])
            del waiting[:]

    def __enter__(self) -> "Columns":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, file in self._files.items():
            self._waiting[name].tofile(file)
            file.flush()
            os.fsync(file.fileno())
            file.close()


def open_column(folder: Path, name: str, dtype: str) -> np.ndarray:
    """A read-only view of a column."""
    path = folder / f"{name}.bin"
    if path.stat().st_size == 0:
        return np.zeros(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r")
