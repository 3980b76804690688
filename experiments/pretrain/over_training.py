"""What probes read at every layer while an encoder is trained: all its checkpoints.

PROBES_DATA=... python experiments/pretrain/over_training.py FOLDER     # of a training; writes JSON and figure
python experiments/pretrain/over_training.py --draw                     # the figure again, from the JSON
"""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure

import probes
from probes.cache import remove_cache
from probes.cli.script import run_script
from probes.report.figure import GREY, PAGE_INCHES, STYLE, write_figure

TREEBANK = "ud-english-ewt/en_ewt-ud-*.conllu"
TASKS = ("pos", "dependency_label")
OUT = Path("results/pretrain/over_training.json")
FIGURE = Path("results/figures/pretrain.pdf")
MEAN_OVER = 100


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="folder of a training, with checkpoints/ and loss.csv")
    parser.add_argument("--treebank", default=TREEBANK)
    parser.add_argument("--out", type=Path, default=OUT, help="JSON; that of held_out.py lies beside it")
    parser.add_argument("--figure", type=Path, default=FIGURE)
    parser.add_argument("--draw", action="store_true", help="only the figure, from what is written")
    options = parser.parse_args(arguments)
    if not options.draw:
        if options.folder is None:
            parser.error("the folder of a training was expected, but none was given")
        options.out.parent.mkdir(parents=True, exist_ok=True)
        found = measure(options.folder, options.treebank)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    paths = options.out, options.out.with_name("held_out.json")
    found, held_out = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    for suffix in (".pdf", ".png"):
        draw(found, held_out, options.figure.with_suffix(suffix))


def measure(folder: Path, treebank: str) -> dict[str, Any]:
    """The loss of every hundred steps, and the accuracy of linear probes at every layer of every checkpoint."""
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    corpus = probes.read_corpus(treebank)
    steps = sorted(int(path.name.removeprefix("step-")) for path in (folder / "checkpoints").iterdir())
    # The last of them are the weights with which the training ended.
    rows = [row for step in steps for row in probe_layers(folder / "checkpoints" / f"step-{step}", corpus, step=step)]
    corpus_pieces = len(np.load(folder / "pieces.npy", mmap_mode="r"))
    return {"plan": plan, "corpus_pieces": corpus_pieces, "loss": mean_losses(folder / "loss.csv"), "rows": rows}


def probe_layers(encoder: Path, corpus: Any, *, step: int) -> list[dict[str, Any]]:
    """A row for each task and layer; the cache goes when it has been read."""
    cache = probes.encode(str(encoder), corpus)
    rows = []
    for curve in probes.probe(cache, list(TASKS), l2=[1e-5]):
        for score in curve.record.select(variant="task"):
            numbers = {"accuracy": score.value, "low": score.low, "high": score.high}
            rows.append({"step": step, "task": curve.record.task, "layer": score.layer, **numbers})
    remove_cache(cache.folder)
    return rows


def mean_losses(path: Path) -> list[dict[str, float]]:
    """Mean training loss of every hundred steps, with the pieces and seconds at their end."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    parts = [rows[start : start + MEAN_OVER] for start in range(0, len(rows), MEAN_OVER)]
    return [
        {
            **{name: float(part[-1][name]) for name in ("step", "pieces", "seconds")},
            "loss": round(float(np.mean([float(row["loss"]) for row in part])), 4),
        }
        for part in parts
    ]


def draw(found: dict[str, Any], held_out: dict[str, Any], path: Path) -> None:
    """Loss by pieces over its floors, then accuracy by layer with a line for each checkpoint."""
    with rc_context({**STYLE, "font.size": 7}):
        figure = Figure(figsize=(PAGE_INCHES, 0.36 * PAGE_INCHES), layout="constrained")
        loss, *panels = figure.subplots(1, 1 + len(TASKS))
        pieces, losses = zip(*((row["pieces"] / 1e6, row["loss"]) for row in found["loss"]), strict=True)
        loss.plot(pieces, losses, linewidth=0.8, color="#0072B2")
        loss.set(xlabel="pieces read, millions", ylabel="loss in training, nats")
        for row, dash in zip(held_out["rows"], ("--", ":"), strict=False):
            loss.axhline(row["nats"], linestyle=dash, linewidth=0.8, color=GREY)
            loss.annotate(row["name"], (pieces[-1], row["nats"]), fontsize=6, color=GREY, ha="right", va="bottom")
        for axes, task in zip(panels, TASKS, strict=True):
            _draw_task(axes, [row for row in found["rows"] if row["task"] == task])
            axes.set_title(task.replace("_", " "), fontsize=8, loc="left")
        panels[0].set_ylabel("accuracy on test, per cent")
        panels[-1].legend(title="steps", fontsize=5.5, title_fontsize=6, loc="lower right", ncols=2)
        write_figure(figure, path)


def _draw_task(axes: Any, rows: Sequence[dict[str, Any]]) -> None:
    steps = sorted({row["step"] for row in rows})
    for number, step in enumerate(steps):
        own = [row for row in rows if row["step"] == step]
        color = colormaps["viridis"](0.95 * (1 - number / max(1, len(steps) - 1)))
        layers, values = [row["layer"] for row in own], [100 * row["accuracy"] for row in own]
        axes.plot(layers, values, color=color, linewidth=1, marker=".", markersize=3, label=f"{step:,}")
    most = max(row["layer"] for row in rows)
    axes.set_xticks(range(most + 1), ["emb", *(str(layer) for layer in range(1, most + 1))], fontsize=6)
    axes.set_xlabel("layer")


if __name__ == "__main__":
    run_script(main)
