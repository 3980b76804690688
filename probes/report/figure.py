"""The figure of an experiment: curves with intervals, the control below, floors as lines."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

from probes.result import Record, Score
from probes.result.frame import panels, tested_controls, twin_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any colour vision can tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6b6b6b"
COLUMN_INCHES = 3.35
# Over both columns of a page, with the gap between them.
PAGE_INCHES = 6.95
LEGEND_INCHES = 0.75
MOST_COLUMNS = 5
# With 64, colours of lines were taken for each other.
PALETTE = 128
# Programs refuse a larger PNG: one of very many panels has fewer dots to the inch.
MOST_PIXELS = 40_000_000
# Below one of several panels as many layers are all named; of more, every second.
MOST_NAMED = 10
# A longer title of one of several panels is broken.
TITLE_WIDTH = 32
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


def draw_curves(records: Sequence[Record], path: Path, *, columns: Literal[1, 2] | None = None) -> Path:
    """Draw the curves of an experiment, one panel for each question, and write them to `path` (.pdf, .png or .svg).

    `columns` makes the figure as wide as one or both columns of a paper, its legend above and its text at 8 points or
    little less; without, it is as wide as its panels want.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    asked = panels(records)
    most = MOST_COLUMNS if columns is None else 2 * columns
    num_columns = min(most, len(asked))
    num_rows = -(-len(asked) // num_columns)
    with rc_context(STYLE if len(asked) == 1 else {**STYLE, "font.size": 7}):
        figure = Figure(figsize=_size(num_columns, num_rows, columns), layout="constrained")
        every = figure.subplots(num_rows, num_columns, squeeze=False).ravel().tolist()
        for axes, (name, part) in zip(every, asked.items(), strict=False):
            title = fill(name, TITLE_WIDTH) if len(asked) > 1 else f"{name}: {part[0].config['encoder']['name']}"
            _draw_panel(axes, part, title, is_narrow=len(asked) > 1)
        _share_heights(every, [part[0].task for part in asked.values()])
        for axes in every[len(asked) :]:
            axes.set_axis_off()
        _name_axes(figure, every)
        named = [axes.get_legend_handles_labels() for axes in every]
        handles = {label: handle for pair in named for handle, label in zip(*pair, strict=True)}
        if columns is None:
            figure.legend(handles.values(), handles.keys(), loc="outside right center")
        else:
            figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=2 * columns)
        write_figure(figure, path)
    return path


def write_figure(figure: "Figure", path: Path) -> None:
    """Write a figure as its suffix says; the same figure gives the same bytes.

    Lines and bands have few colours: a PNG with a palette is a quarter as large.
    """
    from matplotlib import rcParams

    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = figure.get_size_inches()
    dots = min(float(rcParams["savefig.dpi"]), (MOST_PIXELS / (width * height)) ** 0.5)
    figure.savefig(path, metadata=METADATA.get(path.suffix), dpi=dots)
    if path.suffix == ".png":
        from PIL import Image

        with Image.open(path) as image:
            few = image.convert("RGB").quantize(PALETTE, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
            few.save(path, optimize=True, dpi=image.info["dpi"])


def _size(num_columns: int, num_rows: int, columns: int | None) -> tuple[float, float]:
    """Width and height in inches."""
    is_one = num_columns * num_rows == 1
    if columns is None:
        width, height = (1.5, 1.0) if is_one else (0.62 * num_columns + 0.5, 0.6 * num_rows)
        return COLUMN_INCHES * width, COLUMN_INCHES * height
    width = COLUMN_INCHES if columns == 1 else PAGE_INCHES
    panels_height = 0.62 * COLUMN_INCHES if is_one else 0.78 * width / num_columns * num_rows
    return width, LEGEND_INCHES + panels_height


def _name_axes(figure: "Figure", every: Sequence["Axes"]) -> None:
    x, y = "layer (emb = output of the embeddings)", "accuracy on test, per cent"
    if len(every) == 1:
        every[0].set_xlabel(x)
        every[0].set_ylabel(y)
    else:
        figure.supxlabel(x, fontsize=8)
        figure.supylabel(y, fontsize=8)


def _share_heights(every: Sequence["Axes"], tasks: Sequence[str]) -> None:
    """Panels of one task, which differ in vector, corpus or fit, have one scale: they are there to be compared."""
    for task in dict.fromkeys(tasks):
        own = [axes for axes, asked in zip(every, tasks, strict=False) if asked == task]
        ends = [axes.get_ylim() for axes in own]
        for axes in own:
            axes.set_ylim(min(low for low, _ in ends), max(high for _, high in ends))


def _draw_panel(axes: "Axes", records: Sequence[Record], title: str, *, is_narrow: bool) -> None:
    _draw_tasks(axes, records)
    main = next((record for record in records if twin_label(record) == "pretrained"), records[0])
    _draw_controls(axes, main)
    _draw_floors(axes, main)
    layers = max((record.layers for record in records), key=len)
    step = 2 if is_narrow and len(layers) > MOST_NAMED else 1
    axes.set_xticks(range(len(layers)), [name if place % step == 0 else "" for place, name in enumerate(layers)])
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
