"""The figure of an analysis: its panels, a line for each variant and encoder, floors as level lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes.report.figure import BLUE, COLUMN_INCHES, GREEN, GREY, METADATA, MOST_COLUMNS, ORANGE, STYLE
from probes.report.series import Line, lines_of, place_name, places_of
from probes.result import Analysis, Panel
from probes.result.frame import panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = (BLUE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", ORANGE, "#000000")
LOOKS = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"))
# Places on an axis of numbers that reach over more than this are drawn by their logarithm.
WIDE = 20


def draw_analyses(analyses: Sequence[Analysis], path: Path) -> Path:
    """Draw every panel of an experiment's analyses, one row of panels for each question, and write it to `path`."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    asked = panels(analyses)
    cells = [(name, part, panel) for name, part in asked.items() for panel in part[0].panels]
    num_columns = min(MOST_COLUMNS - 1, max(len(part[0].panels) for part in asked.values()), len(cells))
    num_rows = -(-len(cells) // num_columns)
    size = (COLUMN_INCHES * 0.95 * num_columns, COLUMN_INCHES * 0.85 * num_rows)
    with rc_context({**STYLE, "font.size": 7, "legend.fontsize": 5.5}):
        figure = Figure(figsize=size, layout="constrained")
        every = figure.subplots(num_rows, num_columns, squeeze=False).ravel().tolist()
        for axes, (name, part, panel) in zip(every, cells, strict=False):
            _draw(axes, panel, part)
            title = f"{name}: {panel.title}" if len(asked) > 1 else panel.title
            axes.set_title(title, fontsize=7, loc="left")
        for axes in every[len(cells) :]:
            axes.set_axis_off()
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata=METADATA.get(path.suffix))
    return path


def _draw(axes: "Axes", panel: Panel, analyses: Sequence[Analysis]) -> None:
    lines = lines_of(panel, analyses)
    places = places_of(panel, lines)
    is_number = panel.x != "layer" and all(isinstance(place, (int, float)) for place in places)
    at = {place: place if is_number else number for number, place in enumerate(places)}
    names, curves = (
        list(dict.fromkeys(part)) for part in zip(*((line.name, line.curve) for line in lines), strict=True)
    )
    for line in lines:
        look = {"color": COLORS[names.index(line.name) % len(COLORS)], "linewidth": 1.0}
        style, marker = LOOKS[curves.index(line.curve) % len(LOOKS)]
        label = f"{line.name}, {line.curve}" if len(curves) > 1 else line.name
        _draw_line(axes, line, at, 100 if panel.is_share else 1, {**look, "linestyle": style, "marker": marker}, label)
    if is_number and places and min(places) > 0 and max(places) > WIDE * min(places):
        axes.set_xscale("log")
    elif not is_number:
        rotation = 90 if max((len(str(place)) for place in places), default=0) > 3 else 0
        axes.set_xticks(range(len(places)), [place_name(panel, place) for place in places], rotation=rotation)
    axes.set_xlabel("layer" if panel.x == "layer" else panel.x)
    axes.set_ylabel(f"{panel.metric}, per cent" if panel.is_share else panel.metric)
    axes.legend()


def _draw_line(axes: "Axes", line: Line, at: dict[Any, Any], scale: float, look: dict[str, Any], label: str) -> None:
    if line.is_floor:
        value = line.points[0][1].value
        if value is not None:
            axes.axhline(scale * value, color=GREY, linewidth=0.8, linestyle=look["linestyle"], label=label)
        return
    points = sorted((at[place], one) for place, one in line.points if place is not None and one.value is not None)
    x, found = [place for place, _ in points], [one for _, one in points]
    axes.plot(x, [scale * (one.value or 0) for one in found], markersize=2.5, label=label, **look)
    low = [scale * (one.value or 0) if one.low is None else scale * one.low for one in found]
    high = [scale * (one.value or 0) if one.high is None else scale * one.high for one in found]
    axes.fill_between(x, low, high, color=look["color"], alpha=0.15, linewidth=0)
