"""Rows of all layers of one split, read where they lie and standardised on the way."""

import mmap
import warnings
from collections.abc import Sequence
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


@dataclass(frozen=True)
class SplitRows:
    """The examples of one split: `index[example, slot]` are rows of every layer.

    An example of several slots (an arc) has their states side by side, and with `product` those of two slots
    multiplied behind them: features = (slots, and one if product) x dims.
    """

    layers: Sequence[np.ndarray]
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
    def _views(self) -> list[Tensor]:
        with warnings.catch_warnings():
            # A cache is mapped read-only, and is only read here.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            return [torch.from_numpy(np.asarray(layer)) for layer in self.layers]

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
        for layer in layers:
            mapped = getattr(self.layers[layer], "_mmap", None)
            if mapped is None or not hasattr(mmap, "MADV_WILLNEED"):
                continue
            values = self.layers[layer]
            row_bytes, begin = values.strides[0], getattr(values, "offset", 0) % mmap.ALLOCATIONGRANULARITY
            for start, stop in ranges:
                first, last = int(self.index[start].min()), int(self.index[stop - 1].max())
                if not 0 <= last - first < 2 * (stop - start):
                    continue  # scattered rows: what lies between them would be fetched for nothing
                offset = (begin + first * row_bytes) // mmap.PAGESIZE * mmap.PAGESIZE
                length = begin + (last + 1) * row_bytes - offset
                mapped.madvise(mmap.MADV_WILLNEED, offset, min(length, len(mapped) - offset))

    def _copy(self, ranges: Sequence[Range], layer: int, out: Float[Tensor, "row feature"]) -> None:
        view, place = self._views[layer], 0
        dim = view.shape[1]
        for start, stop in ranges:
            for slot in range(self.index.shape[1]):
                target = out[place : place + stop - start, slot * dim : (slot + 1) * dim]
                if self._breaks[start, slot] == self._breaks[stop - 1, slot]:
                    first = int(self.index[start, slot])
                    target.copy_(view[first : first + stop - start])
                else:
                    target.copy_(view[torch.from_numpy(self.index[start:stop, slot].copy())])
            place += stop - start
        if self.product:
            torch.mul(out[:place, :dim], out[:place, dim : 2 * dim], out=out[:place, 2 * dim :])
