"""Batches of rows of all layers at once, read by blocks so that reading is sequential."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import IterableDataset

from probes.fit.feature import FeatureStatistics
from probes.seed import generator

BLOCK_ROWS = 128


def order_blocks(num_rows: int, batch_rows: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Batches of one epoch: blocks of neighbouring rows in random order, cut into batches.

    A function of the number of rows, the size of a batch and the seed; never of the number of probes.
    """
    block = min(BLOCK_ROWS, max(1, batch_rows // 8))
    starts = np.arange(0, num_rows, block)
    generator(seed, "fit.order", epoch).shuffle(starts)
    order = np.concatenate([np.arange(start, min(start + block, num_rows)) for start in starts])
    return [order[start : start + batch_rows] for start in range(0, num_rows, batch_rows)]


def read_standardised(
    layers: Sequence[np.ndarray], rows: Int[np.ndarray, " row"], statistics: FeatureStatistics
) -> Float[Tensor, "layer row dim"]:
    """Rows of all layers with mean 0 and variance 1; dead dimensions are 0."""
    states = torch.empty((len(layers), len(rows), layers[0].shape[1]))
    for number, layer in enumerate(layers):
        states[number] = torch.from_numpy(layer[rows])
    return states.sub_(statistics.mean[:, None]).mul_(statistics.inverse_std[:, None])


class RowBatches(IterableDataset):
    """Standardised states [layer, row, dim] with the labels [target, row] of every target.

    Shuffled anew every epoch if a seed is given, else in corpus order.
    """

    def __init__(
        self,
        layers: Sequence[np.ndarray],
        rows: Int[np.ndarray, " example"],
        labels: Int[np.ndarray, "target example"],
        statistics: FeatureStatistics,
        *,
        batch_rows: int,
        seed: int | None = None,
    ) -> None:
        self.layers, self.rows, self.statistics = layers, rows, statistics
        self.labels = torch.from_numpy(labels)
        self.batch_rows, self.seed, self.epoch = batch_rows, seed, 0

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_rows)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.seed is None:
            starts = range(0, len(self.rows), self.batch_rows)
            batches = [np.arange(start, min(start + self.batch_rows, len(self.rows))) for start in starts]
        else:
            batches = order_blocks(len(self.rows), self.batch_rows, self.seed, self.epoch)
            self.epoch += 1
        for examples in batches:
            states = read_standardised(self.layers, self.rows[examples], self.statistics)
            yield states, self.labels[:, torch.from_numpy(examples)]
