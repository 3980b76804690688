"""How well encoders predict hidden pieces of text that no training saw, beside what counting says of them.

    PROBES_DATA=... python experiments/pretrain/held_out.py [ENCODER...] [--out FILE]

An encoder is a folder or a name such as pkg:probes/weights/bert-12x128; all must have the same tokenizer.
"""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from floor import bigram_nll, unigram_nll
from jaxtyping import Bool, Float, Int
from pretrain import TREEBANK
from text import SPECIAL, Text, blocks_of, pack, read_text
from transformers import AutoModelForMaskedLM, AutoTokenizer, BertTokenizerFast

from probes.cli.script import run_script
from probes.encoder.place import PACKAGE_PREFIX, locate_encoder
from probes.errors import ConfigError
from probes.metric.interval import percentile_interval, resample_means
from probes.seed import generator

OWN = "pkg:probes/weights/bert-12x128"
LENGTH, HIDDEN_SHARE, BATCH = 128, 0.15, 32


@dataclass(frozen=True)
class Places:
    """Hidden pieces of held-out text."""

    blocks: Int[np.ndarray, "block piece"]
    is_hidden: Bool[np.ndarray, "block piece"]

    @property
    def groups(self) -> Int[np.ndarray, " place"]:
        """The block of each hidden piece: intervals resample these."""
        return np.nonzero(self.is_hidden)[0]

    @property
    def wanted(self) -> Int[np.ndarray, " place"]:
        return self.blocks[self.is_hidden]

    @property
    def before(self) -> Int[np.ndarray, " place"]:
        """The piece before each hidden one, in view: more than an encoder sees where that is hidden too."""
        return np.roll(self.blocks, 1, axis=1)[self.is_hidden]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoders", nargs="*", default=[OWN])
    parser.add_argument("--text", type=Path, default=Path(os.environ.get("PROBES_DATA", ""), "text"))
    parser.add_argument("--treebank", default=TREEBANK)
    parser.add_argument("--out", type=Path, default=Path("results/pretrain/held_out.json"))
    options = parser.parse_args(arguments)
    text = read_text(options.text, options.treebank or None)
    rows = measure(options.encoders, text)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"text": text.hash, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(f"{row['name']}: {row['nats']:.3f} [{row['low']:.3f}, {row['high']:.3f}] nats, n = {row['n']}")


def measure(encoders: Sequence[str], text: Text) -> list[dict[str, Any]]:
    """A row for both floors and for each encoder: mean negative log-likelihood of the same hidden pieces, in nats."""
    tokenizer = _shared_tokenizer(encoders)
    train, places = pack(tokenizer, text.train), hide(pack(tokenizer, text.held_out), tokenizer)
    size = len(tokenizer)
    losses = {
        "unigram": unigram_nll(train, places.wanted, size),
        "bigram": bigram_nll(train, places.before, places.wanted, size),
    }
    rows = [_row(name, nll, places) for name, nll in losses.items()]
    for name in encoders:
        nll, is_right = score(name, places, tokenizer.mask_token_id)
        # A folder by its own name: where it lies is nobody's business.
        shown = name if name.startswith(PACKAGE_PREFIX) else Path(name).name
        rows.append(_row(shown, nll, places) | {"accuracy": round(float(is_right.mean()), 4)})
    return rows


def hide(stream: np.ndarray, tokenizer: BertTokenizerFast) -> Places:
    """A drawn share of the pieces of packed text; all of them are [MASK], unlike in training."""
    blocks = blocks_of(stream, LENGTH, tokenizer).astype(np.int64)
    drawn = generator(0, "pretrain.held_out").random(blocks.shape) < HIDDEN_SHARE
    return Places(blocks, drawn & (blocks >= len(SPECIAL)))


def score(encoder: str, places: Places, mask: int) -> tuple[Float[np.ndarray, " place"], Bool[np.ndarray, " place"]]:
    """Negative log-likelihood of each hidden piece, and whether it is the likeliest."""
    model = AutoModelForMaskedLM.from_pretrained(locate_encoder(encoder), dtype=torch.float32).eval()
    found = list(_score_batches(model, places, mask))
    return np.concatenate([nll for nll, _ in found]), np.concatenate([right for _, right in found])


def _score_batches(model: Any, places: Places, mask: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, len(places.blocks), BATCH):
        part = slice(start, start + BATCH)
        blocks, hidden = torch.from_numpy(places.blocks[part]), torch.from_numpy(places.is_hidden[part])
        with torch.inference_mode():
            states = model.bert(input_ids=blocks.masked_fill(hidden, mask)).last_hidden_state
            scores = model.cls(states[hidden]).log_softmax(dim=-1)
        wanted = blocks[hidden]
        yield -scores.gather(1, wanted[:, None])[:, 0].numpy(), (scores.argmax(dim=1) == wanted).numpy()


def _row(name: str, nll: Float[np.ndarray, " place"], places: Places) -> dict[str, Any]:
    values = nll.astype(np.float64)[None]
    interval = percentile_interval(float(values.mean()), resample_means(values, places.groups, seed=0)[0])
    numbers = {"nats": interval.value, "low": interval.low, "high": interval.high}
    return {"name": name, **{key: round(value, 5) for key, value in numbers.items()}, "n": values.size}


def _shared_tokenizer(encoders: Sequence[str]) -> BertTokenizerFast:
    tokenizers = {name: AutoTokenizer.from_pretrained(locate_encoder(name)) for name in encoders}
    first, *others = tokenizers
    for name in others:
        if tokenizers[name].get_vocab() != tokenizers[first].get_vocab():
            raise ConfigError(
                f"Encoders whose losses are compared should have one tokenizer, but {name!r} has another vocabulary "
                f"than {first!r}. Measure them apart."
            )
    return tokenizers[first]


if __name__ == "__main__":
    run_script(main)
