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
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from pytorch_lightning.callbacks import BasePredictionWriter
from torch.utils.data import DataLoader, Dataset

from probes.encoder.make import Making, store_dtype
from probes.encoder.pool import find_pieces, pool_rows
from probes.errors import EncoderError
from probes.progress import Progress

LARGEST_FLOAT16 = 65504.0
# Batches that may wait for the disk while the next is computed; each holds its states once.
WAITING = 2


def fill(making: Making) -> None:
    """Send every batch that is missing through the encoder, write its rows, and finish the cache.

    Raises EncoderError for a state that cannot be stored, CorpusError and CacheError.
    """
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    encoder, writer = making.encoder, RowWriter(making)
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
            trainer.predict(Extraction(making), datamodule=PlannedData(making), return_predictions=False)
        writer.drain()
        making.sync()
        trainer.strategy.barrier("written")
        if trainer.is_global_zero:
            making.finish()
        trainer.strategy.barrier("finished")
    finally:
        writer.stop()
        making.close()
        # Lightning leaves the model on the CPU.
        encoder.model.to(device)  # type: ignore[arg-type] - its stub takes no device


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

    def __init__(self, making: Making) -> None:
        super().__init__()
        self.making = making
        self.prepare_data_per_node = False

    def prepare_data(self) -> None:
        self.making.prepare()

    def setup(self, stage: str) -> None:
        assert self.trainer is not None
        self.making.join(self.trainer.global_rank, self.trainer.world_size)

    def predict_dataloader(self) -> DataLoader:
        # A loader without a generator of its own draws from the global one: a call that finds the cache would then
        # leave other random numbers to the caller than the call that wrote it.
        return DataLoader(
            PlannedBatches(self.making),
            batch_size=None,
            shuffle=False,
            pin_memory=self.making.encoder.device.type == "cuda",
            generator=torch.Generator(),
        )


class PlannedBatches(Dataset):
    """Padded pieces of each batch, and the pieces that its rows are made from."""

    def __init__(self, making: Making) -> None:
        self.making = making

    def __len__(self) -> int:
        return len(self.making.mine)

    def __getitem__(self, position: int) -> dict[str, Any]:
        making, number = self.making, self.making.mine[position]
        scan, plan = making.scan, making.plan
        pieces, segments = (
            [scan.columns[name][scan.piece_offsets[w] : scan.piece_offsets[w + 1]] for w in plan.windows[number]]
            for name in ("piece", "segment")
        )
        rows = plan.rows.rows(number)
        ranges = slice(int(plan.rows.offsets[number]), int(plan.rows.offsets[number + 1]))
        texts = np.repeat(plan.text[ranges], plan.rows.size[ranges])
        first, last = (scan.columns[name][rows].astype(np.int64) for name in ("first", "last"))
        return {
            "number": number,
            "inputs": making.encoder.pad_pieces(pieces, segments),
            "rows": tuple(torch.from_numpy(part) for part in (texts, first, last)),
        }


class Extraction(lightning.LightningModule):
    """Forward pass and pooling of one planned batch."""

    def __init__(self, making: Making) -> None:
        super().__init__()
        self.model = making.encoder.model
        self.making = making
        self.dtype_on_disk = getattr(torch, store_dtype(making.encoder, making.unit))

    def predict_step(self, batch: dict[str, Any], batch_index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """States [layer, row, dim] in the precision that they are stored in, and the largest size in each layer."""
        hidden = self.making.encoder.forward(batch["inputs"]).hidden_states
        shape = (len(hidden), len(batch["rows"][0]), self.making.encoder.dim)
        states = torch.empty(shape, dtype=self.dtype_on_disk, device=hidden[0].device)
        largest = torch.zeros(len(hidden), device=hidden[0].device)
        found = find_pieces(*batch["rows"], num_pieces=hidden[0].shape[1])
        for layer, state in enumerate(hidden):
            rows = self.making.encoder.finish(pool_rows(state, found), self.making.unit)
            states[layer] = rows
            # NaN stays NaN here. On a CPU this is ten times as fast as a norm, or as looking for finite numbers.
            largest[layer] = torch.stack(torch.aminmax(rows)).abs().max() if len(rows) else 0.0
        return states, largest


class RowWriter(BasePredictionWriter):
    """Hands the rows of each batch to a thread that writes them while the next batch is computed."""

    def __init__(self, making: Making) -> None:
        super().__init__(write_interval="batch")
        self.making = making
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._waiting: list[Future[None]] = []
        self._progress: Progress | None = None

    def on_predict_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        making = self.making
        if trainer.is_global_zero and making.mine:
            total = sum(len(making.plan.rows.rows(number)) for number in making.mine)
            self._progress = Progress(f"encode {making.place.name}", total=total, unit=f"{making.unit}s")
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
        states, largest = prediction
        is_copied = None
        if states.device.type == "cuda":
            states, largest = (_copy_out(tensor) for tensor in prediction)
            is_copied = torch.cuda.Event()
            is_copied.record()
        self.drain(leave=WAITING - 1)
        self._waiting.append(self._pool.submit(self._write, batch["number"], states, largest, is_copied))
        if trainer.received_sigterm:  # Lightning takes note of it, and would go on to the last batch
            sys.exit(128 + signal.SIGTERM)
        if self._progress is not None:
            self._progress.advance(len(self.making.plan.rows.rows(batch["number"])))

    def drain(self, leave: int = 0) -> None:
        """Wait until at most `leave` batches are not yet written; raises what the thread raised."""
        while len(self._waiting) > leave:
            self._waiting.pop(0).result()

    def stop(self) -> None:
        """End the thread, after it has written what it was given."""
        if self._progress is not None:
            self._progress.stop()
        self._pool.shutdown(wait=True)

    def _write(self, number: int, states: torch.Tensor, largest: torch.Tensor, is_copied: Any) -> None:
        if is_copied is not None:
            is_copied.synchronize()
        self._check(number, states, largest)
        assert self.making.writer is not None
        self.making.writer.write(number, states.numpy())

    def _check(self, number: int, states: torch.Tensor, largest: torch.Tensor) -> None:
        is_number = torch.isfinite(largest)
        limit = LARGEST_FLOAT16 if states.dtype == torch.float16 else float("inf")
        if bool(is_number.all()) and float(largest.max()) <= limit:
            return
        layer = int((~is_number | (largest > limit)).nonzero()[0])
        # Not below the limit: NaN is not, and 65510 is stored as 65504.
        bad = (~(states[layer].abs() < limit)).any(dim=1).nonzero()
        sentence_id, split = self._sentence_of(int(self.making.plan.rows.rows(number)[int(bad[0])]))
        if not bool(is_number[layer]):
            raise EncoderError(
                f"States should be finite numbers, but sentence {sentence_id!r} of split {split!r} has NaN or "
                f"infinity at layer {layer}. Look at this sentence, or compute in float32. "
                f"What was computed before stays for the next call."
            )
        raise EncoderError(
            f"States stored as float16 should stay within 65504, but sentence {sentence_id!r} of split "
            f"{split!r} has {float(largest[layer]):.0f} at layer {layer}. Set encoder.store_dtype to float32."
        )

    def _sentence_of(self, row: int) -> tuple[str, str]:
        scan = self.making.scan
        sentence = int(np.searchsorted(scan.row_offsets, row, side="right")) - 1
        for split, ids in scan.ids.items():
            if sentence < len(ids):
                return ids[sentence], split
            sentence -= len(ids)
        raise IndexError(row)


def _copy_out(tensor: torch.Tensor) -> torch.Tensor:
    """A copy in pinned memory that the GPU makes while it computes on."""
    host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return host.copy_(tensor, non_blocking=True)
