"""Analyses as text: for the terminal, as Markdown, as CSV."""

from collections.abc import Sequence
from pathlib import Path

from probes.report.series import Line, lines_of, notes_of, place_name, places_of
from probes.report.summary import markdown_rows
from probes.result import Analysis, Finding, Panel, findings_frame
from probes.result.frame import panels, twin_label

# Where all encoders together have more lines than this, each has a table of its own.
MOST_COLUMNS = 12


def format_analysis(analysis: Analysis) -> str:
    """The first panel of an analysis as lines of text; its floors in the last."""
    panel = analysis.panels[0]
    lines = lines_of(panel, [analysis])
    rows = _table(panel, lines, are_several=False)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    title = f"{analysis.method} of {analysis.task}, {analysis.config['encoder']['name']}, {twin_label(analysis)}"
    table = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    floors = format_floors(panel, lines)
    return "\n".join([f"{title}: {panel.title}", *table, *([f"floors: {floors}"] if floors else [])])


def write_listing(analyses: Sequence[Analysis], folder: Path) -> list[Path]:
    """One experiment as `<experiment>.md` (its panels) and `<experiment>.csv` (every finding)."""
    folder.mkdir(parents=True, exist_ok=True)
    name = analyses[0].experiment
    markdown, csv = folder / f"{name}.md", folder / f"{name}.csv"
    markdown.write_text(format_listing(analyses), encoding="utf-8")
    findings_frame(analyses).to_csv(csv, index=False, float_format="%.6g", lineterminator="\n")
    return [markdown, csv]


def format_listing(analyses: Sequence[Analysis]) -> str:
    """Every panel as tables, a column for each line of each encoder, and its floors; then what the method notes."""
    lines = [f"# {analyses[0].experiment}", "", analyses[0].question, ""]
    lines += ["Intervals are 95 % and resample groups."]
    asked = panels(analyses)
    for name, part in asked.items():
        lines += ["", f"## {name}", f"Encoder: {part[0].config['encoder']['name']}."] if len(asked) > 1 else [""]
        lines += [] if len(asked) > 1 else [f"Encoder: {part[0].config['encoder']['name']}."]
        for panel in part[0].panels:
            lines += ["", f"### {panel.title}", "", *_panel(panel, part)]
        for notes in notes_of(part):
            lines += ["", notes]
    return "\n".join(lines) + "\n"


def _panel(panel: Panel, analyses: Sequence[Analysis]) -> list[str]:
    """One table, or one for each encoder where there are many lines; then the floors."""
    lines = lines_of(panel, analyses)
    curves = list(dict.fromkeys(twin_label(one) for one in analyses))
    if len(curves) > 1 and sum(not line.is_floor for line in lines) > MOST_COLUMNS:
        text: list[str] = []
        for curve in curves:
            header, *rows = _table(panel, [line for line in lines if line.curve == curve], are_several=False)
            text += [*([""] if text else []), f"{curve.capitalize()}:", "", *markdown_rows(header, rows)]
    else:
        header, *rows = _table(panel, lines, are_several=len(curves) > 1)
        text = markdown_rows(header, rows)
    floors = format_floors(panel, lines)
    return [*text, *(["", f"Floors: {floors}."] if floors else [])]


def format_floors(panel: Panel, lines: Sequence[Line]) -> str:
    """Level lines in words: each once where all encoders have the same, with its encoder where they differ."""
    named: dict[str, dict[str, str]] = {}
    for line in lines:
        if line.is_floor:
            named.setdefault(line.name, {})[line.curve] = _cell(panel, line.points[0][1])
    parts = []
    for name, cells in named.items():
        if len(set(cells.values())) == 1:
            parts.append(f"{name} {next(iter(cells.values()))}")
        else:
            parts += [f"{name} {cell} ({curve})" for curve, cell in cells.items()]
    return ", ".join(parts)


def _table(panel: Panel, lines: Sequence[Line], *, are_several: bool) -> list[tuple[str, ...]]:
    """A row for each place; floors, which have none, are left out."""
    drawn = [line for line in lines if not line.is_floor]
    names = [f"{line.name}, {line.curve}" if are_several else line.name for line in drawn]
    places = places_of(panel, drawn)
    found = [dict(line.points) for line in drawn]
    rows = [(place_name(panel, place), *(_cell(panel, values.get(place)) for values in found)) for place in places]
    return [(panel.x, *names), *rows]


def _cell(panel: Panel, finding: Finding | None) -> str:
    if finding is None:
        return ""
    parts = [finding.value, finding.low, finding.high]
    value, low, high = (_number(part, panel.is_share) for part in parts)
    return value if finding.low is None else f"{value} [{low}, {high}]"


def _number(value: float | None, is_share: bool) -> str:
    if value is None:
        return "-"
    return f"{value * 100:.1f}" if is_share else f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
