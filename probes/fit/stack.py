"""All probes of a study in one Lightning fit: one batch read, one batched product a bank, the sum of K losses.

The K problems share nothing but the batches: the optimiser is element-wise, gradients are never clipped
together, and every probe keeps its own best weights on dev.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pytorch_lightning as lightning
import torch
from torch import Tensor

from probes.config import FitConfig
from probes.fit.batch import Batch
from probes.fit.family import Drop
from probes.progress import Progress
from probes.seed import stream_seed

SMALLEST_NUMBER_OF_BATCHES = 16


@runtime_checkable
class ProbeBank(Protocol):
    """Probes that are fitted on the same batches: a torch module that takes its own steps."""

    layers: Tensor
    """Layers that it still reads, in ascending order; none when all its probes have ended."""

    def place(self, device: torch.device) -> None: ...

    def train_step(self, states: Tensor, examples: Tensor, drop: Drop) -> None: ...

    def start_dev(self) -> None: ...

    def read_dev(self, states: Tensor, examples: Tensor) -> None: ...

    def end_epoch(self) -> None: ...


@runtime_checkable
class Batches(Protocol):
    """The batches of one split, epoch after epoch, of the layers that are read."""

    layers: list[int]
    is_threaded: bool

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Batch]: ...


class ProbeStack(lightning.LightningModule):
    """The LightningModule that holds every probe of a fit, in banks of one shape each."""

    def __init__(
        self, banks: Sequence[ProbeBank], train: Batches, dev: Batches, seed: int, progress: Progress | None = None
    ) -> None:
        super().__init__()
        # Every bank takes its own step: no optimiser is shared, so none is Lightning's.
        self.automatic_optimization = False
        self.banks = torch.nn.ModuleList(banks)  # type: ignore[arg-type]
        self.train_batches, self.dev_batches, self.seed = train, dev, seed
        self.num_steps = 0
        self.progress = progress or Progress("", total=0, unit="")

    def configure_optimizers(self) -> None:
        return None

    def on_fit_start(self) -> None:
        self.train_batches.is_threaded = self.dev_batches.is_threaded = self.device.type != "cpu"
        for bank in self._all():
            bank.place(self.device)

    def training_step(self, batch: Batch, batch_index: int) -> None:
        states, examples = batch
        seed = stream_seed(self.seed, "fit.dropout", self.num_steps)
        self.num_steps += 1
        for bank in self._running():
            bank.train_step(self._of(bank, states, self.train_batches), examples, SharedDropout(seed))
        self.progress.advance(1)

    def on_validation_epoch_start(self) -> None:
        for bank in self._running():
            bank.start_dev()

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        states, examples = batch
        for bank in self._running():
            bank.read_dev(self._of(bank, states, self.dev_batches), examples)

    def on_validation_epoch_end(self) -> None:
        for bank in self._running():
            bank.end_epoch()
        layers = sorted({layer for bank in self._running() for layer in bank.layers.tolist()})
        if not layers:
            self.trainer.should_stop = True
        elif layers != self.train_batches.layers:
            # Layers whose probes have all ended are not read any more.
            self.train_batches.layers = self.dev_batches.layers = layers
            self.progress.note(f"({len(layers)} left)")

    def _all(self) -> list[ProbeBank]:
        return list(self.banks)  # type: ignore[arg-type]

    def _running(self) -> list[ProbeBank]:
        return [bank for bank in self._all() if len(bank.layers)]

    def _of(self, bank: ProbeBank, states: Tensor, batches: Batches) -> Tensor:
        layers = bank.layers.tolist()
        return states if layers == batches.layers else states[[batches.layers.index(layer) for layer in layers]]


@dataclass
class SharedDropout:
    """Masks of one step of a bank, each shared by every probe and layer: they depend on the seed, the step and how
    many masks came before, so another probe in the stack changes nothing (and paired probes differ by less)."""

    seed: int
    num_masks: int = 0

    def __call__(self, values: Tensor, share: float) -> Tensor:
        if share == 0:
            return values
        num_features, num_rows = values.shape[-2:]
        # Numbered: two hidden layers of one size would else lose the same units.
        stream = torch.Generator().manual_seed(stream_seed(self.seed, "mask", self.num_masks))
        self.num_masks += 1
        mask = torch.rand((num_features, num_rows), generator=stream) >= share
        return values * (mask.to(device=values.device, dtype=values.dtype) / (1 - share))


def plan_steps(num_rows: int, config: FitConfig) -> tuple[int, int]:
    """Rows in a batch and passes over the rows, so that a small corpus is still fitted.

    >>> plan_steps(204_577, FitConfig()), plan_steps(160, FitConfig())
    ((1024, 4), (10, 32))
    """
    batch_rows = max(1, min(config.batch_rows, num_rows // SMALLEST_NUMBER_OF_BATCHES))
    batches = -(-num_rows // batch_rows)
    return batch_rows, max(config.epochs, -(-config.min_steps // batches))


def fit_stack(banks: Sequence[ProbeBank], train: Batches, dev: Batches, *, epochs: int, seed: int) -> None:
    """Fit every probe of every bank, until all have ended or `epochs` are over."""
    progress = Progress(f"fit {len(train.layers)} layers", total=epochs * len(train), unit="steps")
    module = ProbeStack(banks, train, dev, seed, progress)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Lightning advises loader workers, which would only copy what a memory map already gives, and an
        # optimiser of its own, which every bank has.
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=epochs,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=False,
        )
        progress.start()
        try:
            trainer.fit(module, train_dataloaders=train, val_dataloaders=dev)
        finally:
            progress.stop()
