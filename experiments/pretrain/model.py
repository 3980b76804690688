"""A standard `BertForMaskedLM`, its training step, and what is kept along the way."""

import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from jaxtyping import Float
from schedule import UNMASKED, Plan, Stage
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

from probes.progress import Progress

WEIGHT_DECAY, BETAS = 0.01, (0.9, 0.98)
LARGEST_NORM = 1.0
# Steps whose mean loss is a row in W&B.
LOGGED_EVERY = 20
Log = Callable[[dict[str, float]], Any]
# BERT-base draws weights with this deviation; a narrower block draws larger ones, so that its sums are as large.
INIT_AT_768 = 0.02


def make_model(*, layers: int, dim: int, vocabulary: int, seed: int) -> BertForMaskedLM:
    """Random weights of a BERT whose heads have 32 dims, without dropout: no piece is seen masked twice alike."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=dim,
        num_hidden_layers=layers,
        num_attention_heads=max(1, dim // 32),
        intermediate_size=4 * dim,
        initializer_range=INIT_AT_768 * math.sqrt(768 / dim),
        max_position_embeddings=512,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = BertForMaskedLM(config)
    with torch.no_grad():
        model.bert.embeddings.position_embeddings.weight.copy_(wave_positions(config))
    return model


def wave_positions(config: BertConfig) -> Float[Tensor, "position dim"]:
    """Where positions begin: waves (Vaswani et al. 2017, section 3.5) as large as drawn weights; they are trained on.

    How far apart two positions are is then one linear map for all of them, which a head would otherwise have to learn
    for each: without it the loss stays for long where neighbours are not yet looked at.
    """
    positions = torch.arange(config.max_position_embeddings)[:, None]
    rates = 10_000.0 ** (-torch.arange(0, config.hidden_size, 2) / config.hidden_size)
    waves = torch.stack([(positions * rates).sin(), (positions * rates).cos()], dim=-1).flatten(1)
    return waves * config.initializer_range * 2**0.5


def grow(small: BertForMaskedLM, *, layers: int, seed: int) -> BertForMaskedLM:
    """An encoder of more blocks: behind each of those of a trained one come new ones that add nothing yet.

    The last maps of a new block's attention and perceptron are zero, so that it only normalises again what is
    normalised already, and training goes on from about the loss it had.
    """
    config, has = small.config, small.config.num_hidden_layers
    if layers == has:
        return small
    whole = make_model(layers=layers, dim=config.hidden_size, vocabulary=config.vocab_size, seed=seed)
    old, weights = small.state_dict(), whole.state_dict()
    for name in weights:
        head, inner, tail = name.partition("encoder.layer.")
        number, dot, rest = tail.partition(".")
        place, is_new = divmod(int(number or 0), layers // has)
        if not is_new:
            weights[name] = old[f"{head}{inner}{place}{dot}{rest}" if inner else name]
        elif rest.startswith(("attention.output.dense.", "output.dense.")):
            weights[name] = torch.zeros_like(weights[name])
    whole.load_state_dict(weights)
    return whole


class Pretraining(lightning.LightningModule):
    """Masked-word training; the head reads masked places only."""

    def __init__(self, model: BertForMaskedLM, plan: Plan, first: int = 0) -> None:
        super().__init__()
        self.model, self.plan, self.first = model, plan, first

    def training_step(self, batch: dict[str, Tensor], number: int) -> Tensor:
        return masked_loss(self.model, batch)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        # Lightning refuses to clip for a fused optimizer under autocast, though bfloat16 scales no gradient.
        torch.nn.utils.clip_grad_norm_(self.parameters(), LARGEST_NORM)

    def configure_optimizers(self) -> Any:
        decayed = [value for value in self.parameters() if value.dim() > 1]
        others = [value for value in self.parameters() if value.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.plan.step_size, betas=BETAS, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.plan.factor(self.first + step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def masked_loss(model: BertForMaskedLM, batch: dict[str, Tensor]) -> Tensor:
    """Mean negative log-likelihood of the masked pieces, in nats."""
    states = model.bert(input_ids=batch["pieces"]).last_hidden_state
    is_wanted = batch["wanted"] != UNMASKED
    scores = model.cls(states[is_wanted])
    return torch.nn.functional.cross_entropy(scores.float(), batch["wanted"][is_wanted])


class Keeper(lightning.Callback):
    """Writes the loss of every step, weights at powers of two and at the end of a stage, and says how far it is."""

    def __init__(self, folder: Path, stage: Stage, tokenizer: BertTokenizerFast, record: Log) -> None:
        self.folder, self.stage, self.tokenizer, self.record = folder, stage, tokenizer, record
        self._recent: list[float] = []
        self._start = time.perf_counter()
        self._progress: Progress | None = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        done = self.stage.first + trainer.global_step
        rows = _read_rows(self.folder / "loss.csv")[: 1 + done]
        with (self.folder / "loss.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows or [("step", "pieces", "loss", "seconds")])
        plan = pl_module.plan
        left = (plan.steps - done) * plan.pieces_in_step
        self._progress = Progress("pretrain", total=left, unit="pieces")
        self._progress.start()
        self._start = time.perf_counter() - (float(rows[-1][3]) if len(rows) > 1 else 0.0)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step, loss = self.stage.first + trainer.global_step, float(outputs["loss"])
        seconds = time.perf_counter() - self._start
        plan = pl_module.plan
        with (self.folder / "loss.csv").open("a", newline="") as file:
            csv.writer(file).writerow((step, step * plan.pieces_in_step, f"{loss:.6g}", f"{seconds:.1f}"))
        if self._progress is not None:
            self._progress.advance(plan.pieces_in_step)
            self._progress.note(f"loss {loss:.2f}")
        self._recent.append(loss)
        if step % LOGGED_EVERY == 0:
            mean = sum(self._recent) / len(self._recent)
            self.record({"step": step, "pieces": step * plan.pieces_in_step, "loss": mean, "seconds": seconds})
            self._recent.clear()
        if (step >= 64 and math.log2(step).is_integer()) or step == self.stage.end:
            self.save(pl_module.model, self.folder / "checkpoints" / f"step-{step}")

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._progress is not None:
            self._progress.stop()

    def save(self, model: BertForMaskedLM, folder: Path) -> None:
        """Weights in float16 with their tokenizer, as plain transformers reads them."""
        weights = {name: value.detach().half() for name, value in model.state_dict().items()}
        copy = BertForMaskedLM(model.config).half()
        copy.load_state_dict(weights)
        copy.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def _read_rows(path: Path) -> list[tuple[str, ...]]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [tuple(row) for row in csv.reader(file)]
