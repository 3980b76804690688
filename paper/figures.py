"""The paper's figures of its own, drawn from results/: results/figures/layers and best_layers, .pdf and .png.

    python paper/figures.py [--results results]

Where word syntax is read and where what a sentence says; what of part of speech is memory of words; [CLS] and mean.
Then at which layer each task is read best, specification by specification.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from kept import SHOWN, Kept
from matplotlib import rc_context
from matplotlib.figure import Figure

from probes.cli.script import run_script
from probes.report.figure import BLUE, GREEN, ORANGE, PAGE_INCHES, STYLE, write_figure
from probes.result import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HERE = Path(__file__).parent
MOST_BESIDE, LEGEND_SHARE = 4, 0.55
# Above this share, in per cent, a cell is too dark for black figures.
DARK = 70
TASKS = ("pos", "dependency_label", "sentence_length", "tree_depth", "root_tense", "subject_number", "bigram_shift")


@dataclass(frozen=True)
class Curve:
    """One line of a panel: accuracy by layer, in per cent, with its interval."""

    label: str
    color: str
    style: str
    values: Float[np.ndarray, " layer"]
    low: Float[np.ndarray, " layer"]
    high: Float[np.ndarray, " layer"]


# Experiment, task, vector of the sentence, label, colour and style of each line.
SYNTAX_AND_SENSE = (
    ("ewt_suite", "pos", None, "part of speech", BLUE, "o-"),
    ("ewt_suite", "dependency_label", None, "dependency label", BLUE, "s--"),
    ("chunking", "chunk", None, "chunk", BLUE, "^:"),
    ("trec", "label", "mean", "TREC, kind of question", ORANGE, "o-"),
    ("sst2", "label", "mean", "SST-2, sentiment", ORANGE, "s--"),
    ("semeval_relations", "relation", None, "SemEval, relation", ORANGE, "^:"),
)
VECTORS = (
    ("trec", "label", "mean", "TREC, mean", BLUE, "o-"),
    ("trec", "label", "cls", "TREC, [CLS]", BLUE, "o:"),
    ("sst2", "label", "mean", "SST-2, mean", ORANGE, "s-"),
    ("sst2", "label", "cls", "SST-2, [CLS]", ORANGE, "s:"),
)
MEMORY = (("task", BLUE, "o-"), ("word_type", GREEN, "^-"), ("selectivity", ORANGE, "s-"))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=HERE.parent / "results")
    options = parser.parse_args(arguments)
    kept = Kept(options.results)
    panels, best = read_panels(kept), kept.of_encoders("multiverse")
    for suffix in (".pdf", ".png"):
        draw(panels, options.results / "figures" / f"layers{suffix}")
        draw_best_layers(best, options.results / "figures" / f"best_layers{suffix}")


def read_panels(kept: Kept) -> dict[str, list[Curve]]:
    """The lines of each panel; raises ResultError where a run is not there."""
    memory = kept.record("ewt_suite", "pos")
    return {
        "points below the best layer": [below_best(one) for one in read_curves(SYNTAX_AND_SENSE, kept)],
        "part of speech and its control": [read_curve(memory, name, name, *look) for name, *look in MEMORY],
        "vector of the sentence": list(read_curves(VECTORS, kept)),
    }


def read_curves(asked: Sequence[tuple[str, str, str | None, str, str, str]], kept: Kept) -> Iterator[Curve]:
    for experiment, task, sentence, label, color, style in asked:
        yield read_curve(kept.record(experiment, task, sentence=sentence), "task", label, color, style)


def read_curve(record: Record, variant: str, label: str, color: str, style: str) -> Curve:
    scores = [one for one in record.select(variant=variant, metric="accuracy") if one.layer is not None]
    ordered = sorted(scores, key=lambda one: one.layer or 0)
    columns = [[getattr(one, part) for one in ordered] for part in ("value", "low", "high")]
    values, low, high = (100 * np.array(column, dtype=float) for column in columns)
    return Curve(label.replace("word_type", "control"), color, style, values, low, high)


def below_best(curve: Curve) -> Curve:
    """Distances from the highest value, so that tasks of any difficulty share an axis."""
    best = curve.values.max()
    return Curve(curve.label, curve.color, curve.style, curve.values - best, curve.low - best, curve.high - best)


def draw(panels: Mapping[str, Sequence[Curve]], path: Path) -> None:
    with rc_context({**STYLE, "font.size": 7, "legend.fontsize": 6}):
        figure = Figure(figsize=(PAGE_INCHES, 2.4), layout="constrained")
        every = figure.subplots(1, len(panels))
        for axes, (title, curves) in zip(every, panels.items(), strict=True):
            draw_panel(axes, title, curves)
        every[1].set_xlabel("layer of MiniLM-L6 (emb = output of the embeddings)")
        every[0].set_ylabel("accuracy on test, points")
        write_figure(figure, path)


def draw_panel(axes: "Axes", title: str, curves: Sequence[Curve]) -> None:
    for curve in curves:
        layers = range(len(curve.values))
        axes.plot(layers, curve.values, curve.style, color=curve.color, markersize=3, linewidth=1, label=curve.label)
        axes.fill_between(layers, curve.low, curve.high, color=curve.color, alpha=0.12, linewidth=0)
    axes.set_xticks(layers, ["emb", *map(str, layers[1:])])
    axes.set_title(title, fontsize=7, loc="left")
    if len(curves) > MOST_BESIDE:  # a legend of so many lines wants a place of its own
        bottom, top = axes.get_ylim()
        axes.set_ylim(bottom - LEGEND_SHARE * (top - bottom), top)
    axes.legend(loc="lower right" if len(curves) <= MOST_BESIDE else "lower center")


def draw_best_layers(found: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """For each encoder a row a task and a column a layer: of how many specifications in a hundred it is the best."""
    with rc_context({**STYLE, "font.size": 7}):
        figure = Figure(figsize=(PAGE_INCHES, 1.9), layout="constrained")
        depths = [len(next(iter(body["best_layers"].values()))) for body in found.values()]
        every = figure.subplots(1, len(found), width_ratios=depths, squeeze=False)[0]
        for axes, (key, body) in zip(every, found.items(), strict=True):
            counts = np.array([body["best_layers"][task] for task in TASKS], dtype=float)
            shares = 100 * counts / counts.sum(axis=1, keepdims=True)
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
            for row, column in zip(*shares.round().nonzero(), strict=True):
                share = shares[row, column]
                axes.text(column, row, f"{share:.0f}", ha="center", va="center", color="w" if share > DARK else "k")
            axes.set_xticks(range(counts.shape[1]), ["emb", *map(str, range(1, counts.shape[1]))])
            axes.set_yticks(range(len(TASKS)), [task.replace("_", " ") for task in TASKS] if axes is every[0] else [])
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.set_title(SHOWN[key], fontsize=7, loc="left")
        figure.supxlabel("layer (emb = output of the embeddings)", fontsize=7)
        write_figure(figure, path)


if __name__ == "__main__":
    run_script(main)
