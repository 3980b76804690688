"""The one place where text goes through the encoder: Lightning's predict loop over planned batches."""

import logging
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from jaxtyping import Float
from pytorch_lightning.callbacks import BasePredictionWriter
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from probes.cache import CacheWriter
from probes.encoder.align import select_pieces
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.pool import pool_rows
from probes.encoder.scan import Scan, encoder_input
from probes.errors import EncoderError
from probes.types import Corpus, Sentence

LARGEST_FLOAT16 = 65504.0


def fill(
    writer: CacheWriter, encoder: FrozenEncoder, corpus: Corpus, scan: Scan, batches: Sequence[np.ndarray]
) -> None:
    """Send every planned batch through the encoder and write its rows, and those of equal sentences."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    # A loader without a generator of its own draws from the global one: a call that finds the cache would then
    # leave other random numbers to the caller than the call that wrote it.
    loader = DataLoader(
        PlannedBatches(encoder, corpus, scan, batches), batch_size=None, shuffle=False, generator=torch.Generator()
    )
    device = encoder.device
    with warnings.catch_warnings():
        # Lightning advises workers (the loader tokenises in this process on purpose: a worker would load the
        # corpus again) and misses batch indices (the batches carry their own).
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        trainer = lightning.Trainer(
            accelerator="gpu" if encoder.device.type == "cuda" else "cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=sys.stderr.isatty(),
            callbacks=[RowWriter(writer, scan)],
            inference_mode=True,
        )
        trainer.predict(Extraction(encoder, scan), dataloaders=loader, return_predictions=False)
    # Lightning leaves the model on the CPU.
    encoder.model.to(device)  # type: ignore[arg-type] - its stub takes no device


class PlannedBatches(Dataset):
    """Tokenised batches in the order of the plan."""

    def __init__(self, encoder: FrozenEncoder, corpus: Corpus, scan: Scan, batches: Sequence[np.ndarray]) -> None:
        self.encoder, self.corpus, self.scan, self.batches = encoder, corpus, scan, batches
        self.starts = np.cumsum([0, *(len(ids) for ids in scan.ids.values())])

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> dict[str, Any]:
        sentences = self.batches[number]
        texts = [encoder_input(self._sentence(int(sentence)), self.scan.unit) for sentence in sentences]
        encoding = self.encoder.tokenize(texts, max_pieces=self.encoder.max_pieces)
        word_ids = [encoding.word_ids(position) for position in range(len(texts))]
        pieces = select_pieces(
            word_ids,
            [self.scan.kept[sentence] for sentence in sentences],
            self.scan.unit,
            self.encoder.config,
        )
        return {
            "sentences": torch.from_numpy(np.asarray(sentences)),
            "inputs": self.encoder.pad(encoding),
            "sentence": torch.from_numpy(pieces.sentence),
            "position": torch.from_numpy(pieces.position),
            "row": torch.from_numpy(pieces.row),
        }

    def _sentence(self, number: int) -> Sentence:
        split = int(np.searchsorted(self.starts, number, side="right")) - 1
        return self.corpus[list(self.scan.ids)[split]][number - int(self.starts[split])]


class Extraction(lightning.LightningModule):
    """Forward pass and pooling of one planned batch."""

    def __init__(self, encoder: FrozenEncoder, scan: Scan) -> None:
        super().__init__()
        self.model = encoder.model
        self.encoder, self.unit = encoder, scan.unit

    def predict_step(self, batch: dict[str, Any], batch_index: int) -> Float[Tensor, "layer row dim"]:
        states = self.encoder.forward(batch["inputs"]).hidden_states
        how = self.encoder.config.word if self.unit == "word" else self.encoder.config.sentence
        return pool_rows(states, batch["sentence"], batch["position"], batch["row"], how)


class RowWriter(BasePredictionWriter):
    """Puts the rows of a batch where they belong, and again for every sentence with the same text."""

    def __init__(self, writer: CacheWriter, scan: Scan) -> None:
        super().__init__(write_interval="batch")
        self.writer = writer
        self.places = [
            (split, row, sentence_id)
            for split, ids in scan.ids.items()
            for sentence_id, row in zip(ids, scan.index(split).offsets[:-1].tolist(), strict=True)
        ]
        self.sizes = [len(kept) for kept in scan.kept]
        self.same: dict[int, list[int]] = {}
        for number, first in enumerate(scan.first_of):
            self.same.setdefault(first, []).append(number)

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
        states = prediction.cpu().numpy()
        start = 0
        for first in batch["sentences"].tolist():
            rows = states[:, start : start + self.sizes[first]]
            start += self.sizes[first]
            self._check(rows, first)
            for number in self.same[first]:
                split, row, _ = self.places[number]
                for layer, layer_rows in enumerate(rows):
                    self.writer.write(split, layer, row, layer_rows)

    def _check(self, rows: np.ndarray, number: int) -> None:
        split, _, sentence_id = self.places[number]
        largest = np.abs(rows).max(axis=(1, 2)) if rows.size else np.zeros(len(rows))
        if not np.isfinite(largest).all():
            layer = int(np.flatnonzero(~np.isfinite(largest))[0])
            raise EncoderError(
                f"States should be finite numbers, but sentence {sentence_id!r} of split {split!r} has NaN or "
                f"infinity at layer {layer}. Look at this sentence, or compute in float32; nothing was kept."
            )
        is_float16 = self.writer.layouts[split].dtype == "float16"
        if is_float16 and largest.max(initial=0) > LARGEST_FLOAT16:
            raise EncoderError(
                f"States stored as float16 should stay within 65504, but sentence {sentence_id!r} of split "
                f"{split!r} has {largest.max():.0f} at layer {int(largest.argmax())}. "
                f"Set encoder.store_dtype to float32; nothing was kept."
            )
