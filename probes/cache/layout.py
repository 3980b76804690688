"""Where the bytes of a split's layers are: one safetensors file, layer after layer, rows in corpus order."""

import json
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np

HEADER_BYTES = 8
SAFETENSORS_NAMES = {"float16": "F16", "float32": "F32"}


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
        tensors = {
            f"layer_{layer}": {
                "dtype": SAFETENSORS_NAMES[self.dtype],
                "shape": [self.num_rows, self.dim],
                "data_offsets": [layer * self.layer_bytes, (layer + 1) * self.layer_bytes],
            }
            for layer in range(self.num_layers)
        }
        text = json.dumps(tensors, separators=(",", ":")).encode()
        text += b" " * (-(HEADER_BYTES + len(text)) % 64)
        return len(text).to_bytes(HEADER_BYTES, "little") + text

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


def states_path(folder: Path, split: str) -> Path:
    return folder / f"{split}.safetensors"


def index_path(folder: Path, split: str) -> Path:
    return folder / f"{split}.index.safetensors"


def ids_path(folder: Path, split: str) -> Path:
    return folder / f"{split}.ids.json"


def vocabulary_path(folder: Path) -> Path:
    return folder / "vocabulary.json"
