"""The one place where text goes through the encoder: Lightning's predict loop over planned batches.

One process or many, one GPU or a cluster: that is Lightning's part. Ours are the batches of each process.
"""

import atexit
import logging
import os
import signal
import sys
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytorch_lightning as lightning
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.callbacks import BasePredictionWriter
from torch.utils.data import DataLoader

from probes.encoder.batch import PlannedBatches, pool_batch
from probes.encoder.one_pass import Pass
from probes.encoder.storable import check_states
from probes.progress import Progress

# Batches that may wait for the disk while the next is computed; each holds its states once.
WAITING = 2


def fill(one_pass: Pass) -> None:
    """Send every batch that is missing through the encoder, write its rows, and finish the caches.

    Raises EncoderError for a state that cannot be stored, CorpusError and CacheError.
    """
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    encoder, writer = one_pass.makings[0].encoder, RowWriter(one_pass)
    device = encoder.device
    try:
        with warnings.catch_warnings():
            # Lightning advises workers (there is nothing left for them to do: the loader pads pieces that are on
            # disk), misses batch indices (batches carry their own) and batches (another process may have made all).
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            warnings.filterwarnings("ignore", message=".*across ranks is zero.*")
            trainer = lightning.Trainer(
                accelerator="gpu" if device.type == "cuda" else "cpu",
                logger=False,
                enable_checkpointing=False,
                enable_model_summary=False,
                enable_progress_bar=False,
                callbacks=[writer],
                inference_mode=True,
                use_distributed_sampler=False,
                **started_processes(),
            )
            if trainer.world_size > 1:
                # Lightning leaves the group only where it is NCCL's; one of gloo that is still there when the
                # interpreter ends may abort a process that has done its work.
                atexit.register(_leave_group)
            trainer.predict(Extraction(one_pass), datamodule=PlannedData(one_pass), return_predictions=False)
        writer.drain()
        one_pass.sync()
        trainer.strategy.barrier("written")
        if trainer.is_global_zero:
            one_pass.finish()
        trainer.strategy.barrier("finished")
    finally:
        with ExitStack() as stack:  # each of them, whatever became of those before it
            # Lightning leaves the model on the CPU.
            stack.callback(encoder.model.to, device)  # type: ignore[arg-type] - its stub takes no device
            stack.callback(one_pass.close)
            stack.callback(writer.stop)


def _leave_group() -> None:
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def started_processes() -> dict[str, Any]:
    """Devices and nodes as torchrun or SLURM started them; else one process."""
    if TorchElasticEnvironment.detect():
        total, local = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    elif SLURMEnvironment.detect():
        # Of this step: in a batch script without srun there is one process, whatever the job asked for.
        total = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))
        local = total // int(os.environ.get("SLURM_STEP_NUM_NODES", 1))
    else:
        total = local = 1
    return {"devices": local, "num_nodes": total // local, "strategy": "ddp" if total > 1 else "auto"}


def has_several_processes() -> bool:
    return started_processes()["strategy"] != "auto"


class PlannedData(lightning.LightningDataModule):
    """The batches of this process; the first of all processes prepares them for all."""

    allow_zero_length_dataloader_with_multiple_devices = True

    def __init__(self, one_pass: Pass) -> None:
        super().__init__()
        self.one_pass = one_pass
        self.prepare_data_per_node = False

    def prepare_data(self) -> None:
        self.one_pass.prepare()

    def setup(self, stage: str) -> None:
        assert self.trainer is not None
        self.one_pass.join(self.trainer.global_rank, self.trainer.world_size)

    def predict_dataloader(self) -> DataLoader:
        # A loader without a generator of its own draws from the global one: a call that finds the cache would then
        # leave other random numbers to the caller than the call that wrote it.
        return DataLoader(
            PlannedBatches(self.one_pass),
            batch_size=None,
            shuffle=False,
            pin_memory=self.one_pass.makings[0].encoder.device.type == "cuda",
            generator=torch.Generator(),
        )


class Extraction(lightning.LightningModule):
    """Forward pass of one planned batch, and its pooling for every cache that lacks it."""

    def __init__(self, one_pass: Pass) -> None:
        super().__init__()
        self.encoder, self.one_pass = one_pass.makings[0].encoder, one_pass
        self.model = self.encoder.model

    def predict_step(self, batch: dict[str, Any], batch_index: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """For each cache states [layer, row, dim] as they are stored, and the largest size in each layer."""
        hidden = self.encoder.forward(batch["inputs"]).hidden_states
        lacking = self.one_pass.lacking(batch["number"])
        return [pool_batch(making, hidden, rows) for making, rows in zip(lacking, batch["rows"], strict=True)]


class RowWriter(BasePredictionWriter):
    """Hands the rows of each batch to a thread that writes them while the next batch is computed."""

    def __init__(self, one_pass: Pass) -> None:
        super().__init__(write_interval="batch")
        self.one_pass = one_pass
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._waiting: list[Future[None]] = []
        self._progress: Progress | None = None

    def on_predict_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        numbers = self.one_pass.mine
        if trainer.is_global_zero and numbers:
            total, first = sum(map(self.one_pass.num_rows, numbers)), self.one_pass.lacking(numbers[0])[0]
            self._progress = Progress(f"encode {first.place.name}", total=total, unit=f"{first.unit}s")
            self._progress.start()

    def write_on_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        prediction: Any,
        batch_indices: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        is_copied = None
        if prediction[0][0].device.type == "cuda":
            prediction = [tuple(map(_copy_out, made)) for made in prediction]
            is_copied = torch.cuda.Event()
            is_copied.record()
        self.drain(leave=WAITING - 1)
        self._waiting.append(self._pool.submit(self._write, batch["number"], prediction, is_copied))
        if trainer.received_sigterm:  # Lightning takes note of it, and would go on to the last batch
            sys.exit(128 + signal.SIGTERM)
        if self._progress is not None:
            self._progress.advance(self.one_pass.num_rows(batch["number"]))

    def drain(self, leave: int = 0) -> None:
        """Wait until at most `leave` batches are not yet written; raises what the thread raised."""
        while len(self._waiting) > leave:
            self._waiting.pop(0).result()

    def stop(self) -> None:
        """End the thread, after it has written what it was given."""
        if self._progress is not None:
            self._progress.stop()
        self._pool.shutdown(wait=True)

    def _write(self, number: int, made: list[tuple[torch.Tensor, torch.Tensor]], is_copied: Any) -> None:
        if is_copied is not None:
            is_copied.synchronize()
        for making, (states, largest) in zip(self.one_pass.lacking(number), made, strict=True):
            check_states(making, number, states, largest)
            assert making.writer is not None
            making.writer.write(number, states.numpy())


def _copy_out(tensor: torch.Tensor) -> torch.Tensor:
    """A copy in pinned memory that the GPU makes while it computes on."""
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)
