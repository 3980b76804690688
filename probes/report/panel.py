"""The figure of an analysis: its panels, a line for each variant and encoder, floors as level lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from probes.report.figure import BLUE, COLUMN_INCHES, DASHES, GREEN, GREY, MOST_COLUMNS, ORANGE, STYLE, write_figure
from probes.report.series import Axis, Line, axis_of, lines_of, metric_name, place_name, places_of
from probes.result import Analysis, Panel
from probes.result.frame import panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = (BLUE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", ORANGE, "#000000")
# Light enough to be told from white, and yet the last of many.
LIGHTEST = 0.9
LOOKS = (("-", "o"), ("--", "s"), (":", "^"), ("-.", "D"))
TITLE_WIDTH = 48
# A longer legend would hide the lines: it stands below the panel.
MOST_INSIDE = 4
# A name's line, and what stands above and below all of them.
NAME_INCHES, FRAME_INCHES = 0.085, 1.2


def draw_analyses(analyses: Sequence[Analysis], path: Path) -> Path:
    """Draw every panel of an experiment's analyses, each question beginning a row, and write it to `path`."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    asked = panels(analyses)
    num_columns = min(MOST_COLUMNS - 1, max(len(part[0].panels) for part in asked.values()))
    cells: list[_Cell | None] = []
    for name, part in asked.items():
        cells += [_Cell.of(panel, part, f"{name}: " if len(asked) > 1 else "") for panel in part[0].panels]
        cells += [None] * (-len(cells) % num_columns)
    num_rows = len(cells) // num_columns
    rows = [cells[num_columns * row : num_columns * (row + 1)] for row in range(num_rows)]
    heights = [max(cell.height for cell in row if cell) for row in rows]
    size = (COLUMN_INCHES * 0.95 * num_columns, sum(heights))
    with rc_context({**STYLE, "font.size": 7, "legend.fontsize": 5.5}):
        figure = Figure(figsize=size, layout="constrained")
        every = figure.subplots(num_rows, num_columns, squeeze=False, height_ratios=heights).ravel().tolist()
        for axes, cell in zip(every, cells, strict=True):
            if cell is None:
                axes.set_axis_off()
                continue
            _draw(axes, cell)
            axes.set_title(fill(cell.title, TITLE_WIDTH), fontsize=7, loc="left")
        write_figure(figure, path)
    return path


@dataclass(frozen=True, slots=True)
class _Cell:
    """A panel of a question, with what is drawn in it."""

    title: str
    panel: Panel
    lines: list[Line]
    places: list[Any]
    axis: Axis

    @classmethod
    def of(cls, panel: Panel, analyses: Sequence[Analysis], before: str) -> "_Cell":
        lines = lines_of(panel, analyses)
        places = places_of(panel, lines)
        return cls(f"{before}{panel.title}", panel, lines, places, axis_of(panel, places))

    @property
    def height(self) -> float:
        """Inches: names below each other have a line of their own."""
        wanted = NAME_INCHES * len(self.places) + FRAME_INCHES if self.axis == "names" else 0
        return max(COLUMN_INCHES * 0.85, wanted)


def _draw(axes: "Axes", cell: _Cell) -> None:
    panel, lines, places, axis = cell.panel, cell.lines, cell.places, cell.axis
    if not any(one.value is not None for line in lines for _, one in line.points):
        axes.text(0.5, 0.5, "no value", ha="center", va="center", color=GREY, transform=axes.transAxes)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    looks = _looks(lines, are_layers=panel.lines == "layer")
    scale = 100 if panel.is_share else 1
    if axis == "names":
        _draw_names(axes, list(zip(lines, looks, strict=True)), places, scale)
        axes.set_xlabel(metric_name(panel))
    else:
        at = {place: number if axis == "steps" else place for number, place in enumerate(places)}
        for line, look in zip(lines, looks, strict=True):
            _draw_line(axes, line, at, scale, look)
        if axis == "steps":
            axes.set_xticks(range(len(places)), [place_name(panel, place) for place in places])
        elif axis == "logarithm":
            axes.set_xscale("log")
        axes.set_xlabel(panel.x)
        axes.set_ylabel(metric_name(panel))
    _explain(axes, lines, looks)


def _explain(axes: "Axes", lines: Sequence[Line], looks: Sequence[dict[str, Any]]) -> None:
    """The legend: a colour for each name and, where there are several encoders, a line for each."""
    from matplotlib.lines import Line2D

    entries: dict[str, Line2D] = {}
    for line, look in zip(lines, looks, strict=True):
        floor = {"color": GREY, "linestyle": DASHES.get(line.name, "-")}
        style = floor if line.is_floor else {"color": look["color"], "marker": "o"}
        entries.setdefault(line.name, Line2D([], [], linewidth=1.0, **style))
    if len({line.curve for line in lines}) > 1:
        for line, look in zip(lines, looks, strict=True):
            style = {"linestyle": look["linestyle"], "marker": look["marker"]}
            entries.setdefault(line.curve, Line2D([], [], color=GREY, linewidth=1.0, **style))
    for handle in entries.values():
        handle.set_markersize(2.5)
    is_named = axes.yaxis_inverted()
    place: dict[str, Any] = {}
    if len(entries) > MOST_INSIDE or is_named:
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 3}
    axes.legend(list(entries.values()), list(entries), **place)


def _looks(lines: Sequence[Line], *, are_layers: bool) -> list[dict[str, Any]]:
    """The look of each line: its colour says the name, its marker and dashes the encoder."""
    curves = list(dict.fromkeys(line.curve for line in lines))
    colors = _colors(list(dict.fromkeys(line.name for line in lines if not line.is_floor)), are_layers)
    looks = []
    for line in lines:
        style, marker = LOOKS[curves.index(line.curve) % len(LOOKS)]
        color = colors.get(line.name, GREY)
        looks.append({"color": color, "linestyle": style, "marker": marker, "linewidth": 1.0})
    return looks


def _colors(names: Sequence[str], are_layers: bool) -> dict[str, Any]:
    """A colour of its own for each name; layers, and more names than there are colours, from dark to light."""
    from matplotlib import colormaps

    if not are_layers and len(names) <= len(COLORS):
        return dict(zip(names, COLORS, strict=False))
    last = max(len(names) - 1, 1)
    return {name: colormaps["viridis"](LIGHTEST * place / last) for place, name in enumerate(names)}


def _draw_line(axes: "Axes", line: Line, at: dict[Any, Any], scale: float, look: dict[str, Any]) -> None:
    if line.is_floor:
        value = line.points[0][1].value
        if value is not None:
            axes.axhline(scale * value, color=GREY, linewidth=0.8, linestyle=DASHES.get(line.name, "-"))
        return
    places, values, low, high = _points(line, at, scale)
    axes.plot(places, values, markersize=2.5, **look)
    axes.fill_between(places, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _draw_names(
    axes: "Axes", lines: Sequence[tuple[Line, dict[str, Any]]], places: Sequence[Any], scale: float
) -> None:
    """Names stand below each other, a dot with its interval for each line."""
    at = {place: number for number, place in enumerate(places)}
    for line, look in lines:
        rows, values, low, high = _points(line, at, scale)
        axes.hlines(rows, low, high, color=look["color"], linewidth=0.7, alpha=0.5)
        axes.plot(values, rows, color=look["color"], marker=look["marker"], linestyle="", markersize=2.5)
    axes.set_yticks(range(len(places)), [str(place) for place in places], fontsize=4.5 if len(places) > 20 else 6)
    axes.invert_yaxis()
    axes.grid(axis="y", linewidth=0.3, color="#dddddd")


def _points(line: Line, at: dict[Any, Any], scale: float) -> tuple[list[Any], list[float], list[float], list[float]]:
    """Places, values and bounds of a line where it has a value; bounds are the value where nothing was resampled."""
    found = [(at[place], one) for place, one in line.points if place is not None and one.value is not None]
    found.sort(key=lambda point: point[0])
    bounds = [(one.value or 0.0, one.low, one.high) for _, one in found]
    return (
        [place for place, _ in found],
        [scale * value for value, _, _ in bounds],
        [scale * (value if low is None else low) for value, low, _ in bounds],
        [scale * (value if high is None else high) for value, _, high in bounds],
    )
