"""Batches of whole sentences of all layers at once; the sentences of a batch have one length, so none is padded."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from probes.fit.batch import Batch, ahead
from probes.fit.read import Scale
from probes.seed import generator

Part = tuple[int, np.ndarray]
"""A length of sentences, and which of these sentences."""


@dataclass(frozen=True)
class SplitSentences:
    """The sentences of one split: for each length in words the first rows of its sentences.

    A sentence of n words has n neighbouring rows [row, dim] of every layer.
    """

    layers: Sequence[np.ndarray]
    starts: dict[int, Int[np.ndarray, " sentence"]]

    @property
    def num_features(self) -> int:
        return self.layers[0].shape[1]

    @property
    def num_words(self) -> int:
        return sum(length * len(starts) for length, starts in self.starts.items())

    @cached_property
    def views(self) -> list[Tensor]:
        with warnings.catch_warnings():
            # A cache is mapped read-only, and is only read here.
            warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
            return [torch.from_numpy(np.asarray(layer)) for layer in self.layers]

    @property
    def every_row(self) -> Int[np.ndarray, "word 1"]:
        """Rows of all words, as examples of one slot."""
        parts = [self.rows((length, np.arange(len(starts)))) for length, starts in self.starts.items()]
        return torch.cat(parts).sort().values.numpy()[:, None]

    def rows(self, part: Part) -> Int[Tensor, " word"]:
        """Rows of every word of some sentences of one length."""
        length, chosen = part
        return torch.from_numpy((self.starts[length][chosen, None] + np.arange(length)).ravel())


def cut_lengths(sizes: dict[int, int], batch_words: int, stream: np.random.Generator | None) -> list[Part]:
    """Batches of up to `batch_words` words, or of one longer sentence; in random order if there is a stream.

    The sentences of one length are cut into batches of equal size, up to one sentence. `sizes` count the sentences of
    each length; nothing else changes the batches, least of all the number of probes.
    """
    parts: list[Part] = []
    for length, size in sizes.items():
        order = np.arange(size) if stream is None else stream.permutation(size)
        parts += [(length, part) for part in np.array_split(order, count_batches(length, size, batch_words))]
    return parts if stream is None else [parts[number] for number in stream.permutation(len(parts))]


def count_batches(length: int, size: int, batch_words: int) -> int:
    return -(-size // max(1, batch_words // length))


class SentenceBatches:
    """The batches of one split, epoch after epoch; shuffled anew every epoch if a seed is given.

    A batch is its words' states [layer, word, dim], sentence after sentence, and the numbers of its sentences among
    those of their length. Where the arithmetic runs on another device a thread makes the next batch ready.
    """

    def __init__(
        self,
        sentences: SplitSentences,
        scale: Scale,
        *,
        batch_words: int,
        dtype: torch.dtype = torch.float32,
        seed: int | None = None,
    ) -> None:
        self.sentences, self.scale, self.batch_words, self.dtype, self.seed = sentences, scale, batch_words, dtype, seed
        self.layers, self.epoch, self.is_threaded = list(range(len(sentences.layers))), 0, False
        self.sizes = {length: len(starts) for length, starts in sentences.starts.items()}

    def __len__(self) -> int:
        return sum(count_batches(length, size, self.batch_words) for length, size in self.sizes.items())

    def __iter__(self) -> Iterator[Batch]:
        plan = self._plan()
        most = max(length * len(chosen) for length, chosen in plan) * self.sentences.num_features
        # Threaded: one batch is used, one waits, one is filled.
        buffers = [torch.empty(len(self.layers) * most, dtype=self.dtype) for _ in range(3 if self.is_threaded else 1)]
        scratch = torch.empty(most)
        reads = [(part, buffers[number % len(buffers)], scratch) for number, part in enumerate(plan)]
        if self.is_threaded:
            yield from ahead(lambda read: self._read(*read), reads)
        else:
            yield from (self._read(*read) for read in reads)

    def _plan(self) -> list[Part]:
        if self.seed is None:
            return cut_lengths(self.sizes, self.batch_words, None)
        self.epoch += 1
        return cut_lengths(self.sizes, self.batch_words, generator(self.seed, "fit.sentences", self.epoch - 1))

    def _read(self, part: Part, buffer: Tensor, scratch: Tensor) -> Batch:
        rows, dim = self.sentences.rows(part), self.sentences.num_features
        out = buffer[: len(self.layers) * len(rows) * dim].view(len(self.layers), len(rows), dim)
        # By way of float32: from float16 to bfloat16 at once takes four times as long.
        work = scratch[: len(rows) * dim].view(len(rows), dim)
        for position, layer in enumerate(self.layers):
            work.copy_(self.sentences.views[layer].index_select(0, rows))
            out[position] = work.sub_(self.scale.mean[layer]).mul_(self.scale.inverse_std[layer])
        return out, torch.from_numpy(part[1])
