"""Rows of all layers of one split, read where they lie and standardised on the way."""

import mmap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

Range = tuple[int, int]
"""First example and the one behind the last."""

CHUNK_ROWS = 8_192


@dataclass(frozen=True)
class Scale:
    """What turns a raw state into a feature: (state - mean) * inverse_std; 0 where a dimension is dead."""

    mean: Float[Tensor, "layer feature"]
    inverse_std: Float[Tensor, "layer feature"]


Edit = Callable[[Float[Tensor, "*row dim"]], Float[Tensor, "*row dim"]]
"""A map of states to states that takes each row by itself, such as an eraser."""


@dataclass(frozen=True)
class EditedLayer:
    """A layer as it is after an edit that is made when rows are read: the edited states are nowhere in full."""

    states: Float[np.ndarray, "row dim"]
    edit: Edit

    @property
    def shape(self) -> tuple[int, ...]:
        return self.states.shape

    def __getitem__(self, rows: Int[np.ndarray, "*some"]) -> Float[np.ndarray, "*some dim"]:
        """Some rows as they are after the edit, in float32 at the least."""
        return self.apply(torch.from_numpy(self.states[rows])).numpy()

    def apply(self, states: Float[Tensor, "*row dim"]) -> Float[Tensor, "*row dim"]:
        """The edit in the arithmetic of the states, float32 at the least: float16 keeps states and calculates badly."""
        return self.edit(states if states.dtype == torch.float64 else states.float())


@dataclass(frozen=True)
class JoinedLayer:
    """Two layers side by side, joined when rows are read."""

    first: Float[np.ndarray, "row dim"]
    second: Float[np.ndarray, "row other"]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.first), self.first.shape[1] + self.second.shape[1]

    def __getitem__(self, rows: Int[np.ndarray, "*some"]) -> Float[np.ndarray, "*some both"]:
        return np.concatenate([self.first[rows], self.second[rows]], axis=-1)


Layer = np.ndarray | EditedLayer | JoinedLayer
"""The states [row, dim] of a layer."""


def _parts(layer: Layer) -> list[np.ndarray]:
    """The arrays in which the states of a layer lie."""
    if isinstance(layer, JoinedLayer):
        return [layer.first, layer.second]
    return [layer.states if isinstance(layer, EditedLayer) else layer]


@dataclass(frozen=True)
class SplitRows:
    """The examples of one split: `index[example, slot]` are rows of every layer.

    An example of several slots (an arc) has their states side by side, and with `product` those of two slots
    multiplied behind them: features = (slots, and one if product) x dims.
    """

    layers: Sequence[Layer]
    index: Int[np.ndarray, "example slot"]
    product: bool = False

    def __len__(self) -> int:
        return len(self.index)

    @property
    def num_features(self) -> int:
        return (self.index.shape[1] + self.product) * self.layers[0].shape[1]

    def take(self, examples: Int[np.ndarray, " example"]) -> "SplitRows":
        """Some of the examples."""
        return replace(self, index=self.index[examples])

    @cached_property
    def _views(self) -> list[list[Tensor]]:
        with warnings.catch_warnings():
            # A cache is mapped read-only, and is only read here.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            return [[torch.from_numpy(np.asarray(states)) for states in _parts(layer)] for layer in self.layers]

    @cached_property
    def _breaks(self) -> Int[np.ndarray, "example slot"]:
        """How often, up to each example, its row did not follow on the row before."""
        steps = np.diff(self.index, axis=0, prepend=self.index[:1] - 1) != 1
        return np.cumsum(steps, axis=0, dtype=np.int32)

    def read(
        self,
        ranges: Sequence[Range],
        layers: Sequence[int],
        scale: Scale | None,
        *,
        out: Float[Tensor, "layer row feature"],
        scratch: Float[Tensor, "row feature"] | None = None,
    ) -> Float[Tensor, "layer row feature"]:
        """Fill `out` with the features of some ranges of examples; its dtype is that of the arithmetic.

        A reader that calls often gives a float32 `scratch`: memory that is new each time is slow to touch.
        """
        # Standardising in bfloat16 would round the difference of two large numbers.
        if out.dtype == torch.bfloat16 and scale is not None and scratch is None:
            scratch = torch.empty(out.shape[1:])
        for position, layer in enumerate(layers):
            # One layer after another: it stays in the processor's cache until it is done.
            work = scratch if scratch is not None and scale is not None else out[position]
            self._copy(ranges, layer, work)
            if scale is not None:
                work.sub_(scale.mean[layer]).mul_(scale.inverse_std[layer])
            if work is scratch:
                out[position].copy_(work)
        return out

    def chunk(
        self, start: int, layers: Sequence[int], scale: Scale | None, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "layer row feature"]:
        """The features of up to 8,192 examples from `start`."""
        stop = min(start + CHUNK_ROWS, len(self))
        out = torch.empty((len(layers), stop - start, self.num_features), dtype=dtype)
        return self.read([(start, stop)], layers, scale, out=out)

    def announce(self, ranges: Sequence[Range], layers: Sequence[int]) -> None:
        """Ask the kernel to fetch the pages of some ranges that will be read soon, without waiting for them."""
        for states in (part for layer in layers for part in _parts(self.layers[layer])):
            mapped = getattr(states, "_mmap", None)
            if mapped is None or not hasattr(mmap, "MADV_WILLNEED"):
                continue
            row_bytes, begin = states.strides[0], getattr(states, "offset", 0) % mmap.ALLOCATIONGRANULARITY
            for start, stop in ranges:
                first, last = int(self.index[start].min()), int(self.index[stop - 1].max())
                if not 0 <= last - first < 2 * (stop - start):
                    continue  # scattered rows: what lies between them would be fetched for nothing
                offset = (begin + first * row_bytes) // mmap.PAGESIZE * mmap.PAGESIZE
                length = begin + (last + 1) * row_bytes - offset
                mapped.madvise(mmap.MADV_WILLNEED, offset, min(length, len(mapped) - offset))

    def _copy(self, ranges: Sequence[Range], layer: int, out: Float[Tensor, "row feature"]) -> None:
        source, dim = self.layers[layer], self.layers[layer].shape[1]
        for slot in range(self.index.shape[1]):
            place = 0
            for rows, size in self._pick(ranges, slot):
                column = slot * dim
                for view in self._views[layer]:
                    target = out[place : place + size, column : column + view.shape[1]]
                    states = view[rows]
                    target.copy_(source.apply(states) if isinstance(source, EditedLayer) else states)
                    column += view.shape[1]
                place += size
        if self.product:
            torch.mul(out[:, :dim], out[:, dim : 2 * dim], out=out[:, 2 * dim :])

    def _pick(self, ranges: Sequence[Range], slot: int) -> list[tuple[slice | Tensor, int]]:
        """The rows of some ranges of examples, and how many: slices where rows follow each other in all ranges, else
        one list, since short ranges of scattered rows are many."""
        first, last = np.asarray(ranges).T
        if (self._breaks[first, slot] == self._breaks[last - 1, slot]).all():
            starts = self.index[first, slot].tolist()
            sizes = (last - first).tolist()
            return [(slice(start, start + size), size) for start, size in zip(starts, sizes, strict=True)]
        rows = np.concatenate([self.index[start:stop, slot] for start, stop in ranges])
        return [(torch.from_numpy(rows), len(rows))]
