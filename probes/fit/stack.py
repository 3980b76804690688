"""All probes of a study in one Lightning fit: one batch read, one batched product, the sum of K losses.

The K problems share nothing but the batches: the optimiser is element-wise, gradients are never clipped
together, and every probe keeps its own best weights on dev.
"""

import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytorch_lightning as lightning
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.data import DataLoader

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit.batch import RowBatches
from probes.fit.feature import FeatureStatistics
from probes.fit.linear import LinearStack, StackShape
from probes.seed import stream_seed

SMALLEST_NUMBER_OF_BATCHES = 16


@dataclass(frozen=True, slots=True)
class BestWeights:
    """Each probe at its best epoch on dev."""

    weights: Float[Tensor, "layer white penalty target label"]
    """In white coordinates."""
    bias: Float[Tensor, "layer penalty target label"]
    dev_accuracy: Float[Tensor, "layer penalty target"]
    epochs: Int[Tensor, "layer penalty target"]
    """Passes over train before the best epoch ended, from 1."""


class ProbeStack(lightning.LightningModule):
    """The LightningModule that holds every probe of a fit."""

    def __init__(self, stack: LinearStack, config: FitConfig, num_steps: int) -> None:
        super().__init__()
        self.stack, self.config, self.num_steps = stack, config, num_steps
        shape = (stack.shape.num_layers, stack.shape.num_penalties, stack.shape.num_targets)
        self.best_accuracy = torch.full(shape, -1.0)
        self.best_epoch = torch.zeros(shape, dtype=torch.long)
        self.best_weights = stack.weights.detach().clone()
        self.best_bias = stack.bias.detach().clone()
        self.correct = torch.zeros(shape, dtype=torch.long)
        self.num_dev = 0

    def training_step(self, batch: Sequence[Tensor], batch_index: int) -> Tensor:
        return self.stack.losses(*batch).sum()

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.Adam(self.stack.parameters(), lr=self.config.step_size)
        decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / self.num_steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": decay, "interval": "step"}}

    def on_validation_epoch_start(self) -> None:
        self.correct.zero_()
        self.num_dev = 0

    def validation_step(self, batch: Sequence[Tensor], batch_index: int) -> None:
        states, labels = batch
        predicted = self.stack(states).argmax(dim=-1)
        self.correct += (predicted == labels.T[None, :, None, :]).sum(dim=1).cpu()
        self.num_dev += labels.shape[1]

    def on_validation_epoch_end(self) -> None:
        accuracy = self.correct / self.num_dev
        # Of equals the later: it is nearer to the optimum.
        is_better = accuracy >= self.best_accuracy
        self.best_accuracy = torch.where(is_better, accuracy, self.best_accuracy)
        self.best_epoch[is_better] = self.current_epoch + 1
        columns = is_better[..., None].expand(*is_better.shape, self.stack.shape.num_labels).flatten(1)
        columns = columns.to(self.best_weights.device)
        self.best_weights = torch.where(columns[:, None], self.stack.weights.detach(), self.best_weights)
        self.best_bias = torch.where(columns[:, None], self.stack.bias.detach(), self.best_bias)

    def best(self) -> BestWeights:
        """Each probe's weights at its best epoch; raises FitError if one is not a finite number."""
        shape = self.stack.shape
        sizes = (shape.num_penalties, shape.num_targets, shape.num_labels)
        columns = torch.isfinite(self.best_weights).all(dim=1) & torch.isfinite(self.best_bias[:, 0])
        finite = columns.view(shape.num_layers, *sizes).all(dim=-1)
        if not finite.all():
            layer, penalty, target = torch.nonzero(~finite)[0].tolist()
            raise FitError(
                f"Weights should be finite numbers, but the probe of layer {layer}, l2 {self.config.l2[penalty]:g}, "
                f"target {target} diverged. Lower fit.step_size (now {self.config.step_size:g})."
            )
        return BestWeights(
            weights=self.best_weights.unflatten(2, sizes).cpu(),
            bias=self.best_bias[:, 0].unflatten(1, sizes).cpu(),
            dev_accuracy=self.best_accuracy,
            epochs=self.best_epoch,
        )


def plan_steps(num_rows: int, config: FitConfig) -> tuple[int, int]:
    """Rows in a batch and passes over the rows, so that a small corpus is still fitted.

    >>> plan_steps(204_577, FitConfig()), plan_steps(160, FitConfig())
    ((1024, 6), (10, 32))
    """
    batch_rows = max(1, min(config.batch_rows, num_rows // SMALLEST_NUMBER_OF_BATCHES))
    batches = -(-num_rows // batch_rows)
    return batch_rows, max(config.epochs, -(-config.min_steps // batches))


def fit_stack(
    layers: Mapping[str, Sequence[np.ndarray]],
    rows: Mapping[str, Int[np.ndarray, " example"]],
    labels: Mapping[str, Int[np.ndarray, "target example"]],
    statistics: FeatureStatistics,
    config: FitConfig,
    *,
    num_labels: int,
    seed: int,
) -> tuple[BestWeights, LinearStack]:
    """Fit layer x penalty x target probes; the dictionaries are keyed by split, `train` and `dev` are read."""
    shape = StackShape(len(layers["train"]), len(config.l2), len(labels["train"]), num_labels)
    stack = LinearStack(shape, statistics, torch.tensor(config.l2))
    order_seed = stream_seed(seed, "fit")
    batch_rows, epochs = plan_steps(len(rows["train"]), config)
    loaders = []
    for split, split_seed in (("train", order_seed), ("dev", None)):
        batches = RowBatches(
            layers[split],
            rows[split],
            labels[split],
            statistics,
            batch_rows=batch_rows,
            seed=split_seed,
        )
        # A generator of its own: a loader draws a seed, and would change the caller's random state.
        loaders.append(DataLoader(batches, batch_size=None, generator=torch.Generator()))
    module = ProbeStack(stack, config, num_steps=epochs * len(loaders[0]))
    _train(module, loaders, epochs)
    return module.best(), stack


def _train(module: ProbeStack, loaders: Sequence[DataLoader], epochs: int) -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Lightning advises loader workers; rows come from a memory map, and a worker would only copy them.
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=epochs,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=sys.stderr.isatty(),
        )
        trainer.fit(module, train_dataloaders=loaders[0], val_dataloaders=loaders[1])
