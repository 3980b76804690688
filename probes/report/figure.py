"""The figure of an experiment: curves with intervals, the control below, floors as lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes.result import Record, Score
from probes.result.frame import panels, tested_controls, twin_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6b6b6b"
COLUMN_INCHES = 3.35
MOST_COLUMNS = 5
STYLE: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
    "svg.hashsalt": "probes",
}
DASHES: dict[str, Any] = {
    "majority": ":",
    "word_majority": "--",
    "length": "-.",
    "distance": (0, (5, 5)),
    "bag_of_words": "-",
    "bigrams": (0, (3, 1, 1, 1, 1, 1)),
}
# Without dates, the same results give the same bytes.
METADATA: dict[str, dict[str, Any]] = {
    ".pdf": {"CreationDate": None},
    ".png": {"Software": None},
    ".svg": {"Date": None},
}


def draw_curves(records: Sequence[Record], path: Path) -> Path:
    """Draw the curves of an experiment, one panel for each question, and write them to `path` (.pdf, .png or .svg)."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    asked = panels(records)
    num_columns = min(MOST_COLUMNS, len(asked))
    num_rows = -(-len(asked) // num_columns)
    width = COLUMN_INCHES * (1.5 if len(asked) == 1 else 0.62 * num_columns + 0.5)
    with rc_context(STYLE if len(asked) == 1 else {**STYLE, "font.size": 7}):
        figure = Figure(
            figsize=(width, COLUMN_INCHES * (1.0 if len(asked) == 1 else 0.6 * num_rows)), layout="constrained"
        )
        every = figure.subplots(num_rows, num_columns, squeeze=False).ravel().tolist()
        for axes, (name, part) in zip(every, asked.items(), strict=False):
            _draw_panel(axes, part, name if len(asked) > 1 else f"{name}: {part[0].config['encoder']['name']}")
        for axes in every[len(asked) :]:
            axes.set_axis_off()
        _name_axes(figure, every)
        named = [axes.get_legend_handles_labels() for axes in every]
        handles = {label: handle for pair in named for handle, label in zip(*pair, strict=True)}
        figure.legend(handles.values(), handles.keys(), loc="outside right center")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata=METADATA.get(path.suffix))
    return path


def _name_axes(figure: "Figure", every: Sequence["Axes"]) -> None:
    x, y = "layer (emb = output of the embeddings)", "accuracy on test, per cent"
    if len(every) == 1:
        every[0].set_xlabel(x)
        every[0].set_ylabel(y)
    else:
        figure.supxlabel(x, fontsize=8)
        figure.supylabel(y, fontsize=8)


def _draw_panel(axes: "Axes", records: Sequence[Record], title: str) -> None:
    _draw_tasks(axes, records)
    main = next((record for record in records if twin_label(record) == "pretrained"), records[0])
    _draw_controls(axes, main)
    _draw_floors(axes, main)
    longest = max(records, key=lambda record: len(record.layers))
    axes.set_xticks(range(len(longest.layers)), longest.layers)
    axes.set_title(title, fontsize=8, loc="left")


def _draw_tasks(axes: "Axes", records: Sequence[Record]) -> None:
    named: set[str] = set()
    for record in records:
        label = twin_label(record)
        is_twin = label != "pretrained"
        name = label.split()[0].replace("_", " ") if is_twin else label
        color, marker = (ORANGE, "s") if is_twin else (BLUE, "o")
        scores = record.select(variant="task")
        _draw_scores(axes, scores, color, marker, label="" if name in named else name)
        named.add(name)


def _draw_controls(axes: "Axes", record: Record) -> None:
    for control in tested_controls(record):
        scores = [score for score in record.select(variant=control) if score.layer is not None]
        _draw_scores(axes, scores, GREEN, "^", label=f"control: {control.replace('_', ' ')}")


def _draw_scores(axes: "Axes", scores: Sequence[Score], color: str, marker: str, label: str) -> None:
    layers = [score.layer or 0 for score in scores]
    values, low, high = ([100 * (part or 0) for part in parts] for parts in _columns(scores))
    axes.fill_between(layers, low, high, color=color, alpha=0.2, linewidth=0)
    axes.plot(layers, values, color=color, marker=marker, markersize=3, linewidth=1, label=label or None)


def _columns(scores: Sequence[Score]) -> tuple[list, list, list]:
    return (
        [score.value for score in scores],
        [score.value if score.low is None else score.low for score in scores],
        [score.value if score.high is None else score.high for score in scores],
    )


def _draw_floors(axes: "Axes", record: Record) -> None:
    for score in record.select(layer=None):
        if score.variant in DASHES:
            label = f"floor: {score.variant.replace('_', ' ')}"
            value = 100 * (score.value or 0)
            axes.axhline(value, color=GREY, linewidth=0.8, linestyle=DASHES[score.variant], label=label)
