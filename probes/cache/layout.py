"""Where the bytes of a split's layers are: one safetensors file, layer after layer, rows in corpus order."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np

from probes.errors import CacheError

HEADER_BYTES = 8
BATCHES_NAME = "batches"
SAFETENSORS_NAMES = {"float16": "F16", "float32": "F32", "int32": "I32", "int64": "I64", "uint64": "U64"}


@dataclass(frozen=True)
class Layout:
    """Shape of the states of one split; knows its safetensors header before a byte is written."""

    num_layers: int
    num_rows: int
    dim: int
    dtype: str

    @cached_property
    def header(self) -> bytes:
        """Length-prefixed JSON header, padded so that the data starts at a multiple of 64 bytes."""
        shapes = {f"layer_{layer}": (self.num_rows, self.dim) for layer in range(self.num_layers)}
        return tensor_header({name: (self.dtype, shape) for name, shape in shapes.items()})

    @property
    def row_bytes(self) -> int:
        return self.dim * np.dtype(self.dtype).itemsize

    @property
    def layer_bytes(self) -> int:
        return self.num_rows * self.row_bytes

    @property
    def file_bytes(self) -> int:
        """Size of the whole file."""
        return len(self.header) + prod((self.num_layers, self.layer_bytes))

    def offset(self, layer: int, row: int) -> int:
        """Position in the file of a row of a layer."""
        return len(self.header) + layer * self.layer_bytes + row * self.row_bytes

    def open_layer(self, path: Path, layer: int) -> np.ndarray:
        """A read-only view [row, dim] of one layer; only rows that are read are loaded."""
        shape = (self.num_rows, self.dim)
        if self.num_rows == 0:
            return np.broadcast_to(np.zeros((), dtype=self.dtype), shape)  # read-only; no bytes cannot be mapped
        return np.memmap(path, dtype=self.dtype, mode="r", offset=self.offset(layer, 0), shape=shape)


def tensor_header(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> bytes:
    """The safetensors header of arrays (dtype, shape) that follow one another in this order."""
    described, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        start, end = end, end + prod(shape) * np.dtype(dtype).itemsize
        described[name] = {"dtype": SAFETENSORS_NAMES[dtype], "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-(HEADER_BYTES + len(text)) % 64)
    return len(text).to_bytes(HEADER_BYTES, "little") + text


def write_tensors(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """A safetensors file of arrays that may be memory maps: nothing is copied into memory."""
    with path.open("wb") as file:
        file.write(tensor_header({name: (array.dtype.name, array.shape) for name, array in arrays.items()}))
        for array in arrays.values():
            np.ascontiguousarray(array).tofile(file)


def check_split_name(split: str) -> None:
    """Raise CacheError for a split whose files would have no name of their own."""
    if not re.fullmatch(r"[\w-]+", split) or split == BATCHES_NAME:
        raise CacheError(
            f"The name of a split should be of letters, digits, - and _, and not {BATCHES_NAME!r}, but is {split!r}. "
            f"Rename the split."
        )


def states_path(folder: Path, split: str) -> Path:
    return folder / f"{split}.safetensors"


def index_path(folder: Path, split: str) -> Path:
    return folder / f"{split}.index.safetensors"


def ids_path(folder: Path, split: str) -> Path:
    return folder / f"{split}.ids.json"


def vocabulary_path(folder: Path) -> Path:
    return folder / "vocabulary.json"


def batches_path(folder: Path) -> Path:
    return folder / f"{BATCHES_NAME}.safetensors"
