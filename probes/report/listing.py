"""Analyses as text: for the terminal, as Markdown, as CSV."""

from collections.abc import Sequence
from pathlib import Path

from probes.report.series import Line, lines_of, notes_of, place_name, places_of
from probes.report.summary import markdown_rows
from probes.result import Analysis, Finding, Panel, findings_frame
from probes.result.frame import panels, twin_label


def format_analysis(analysis: Analysis) -> str:
    """The first panel of an analysis as lines of text."""
    panel = analysis.panels[0]
    rows = _table(panel, lines_of(panel, [analysis]), [twin_label(analysis)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    title = f"{analysis.method} of {analysis.task}, {analysis.config['encoder']['name']}, {twin_label(analysis)}"
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join([f"{title}: {panel.title}", *lines])


def write_listing(analyses: Sequence[Analysis], folder: Path) -> list[Path]:
    """One experiment as `<experiment>.md` (its panels) and `<experiment>.csv` (every finding)."""
    folder.mkdir(parents=True, exist_ok=True)
    name = analyses[0].experiment
    markdown, csv = folder / f"{name}.md", folder / f"{name}.csv"
    markdown.write_text(format_listing(analyses), encoding="utf-8")
    findings_frame(analyses).to_csv(csv, index=False, float_format="%.6g", lineterminator="\n")
    return [markdown, csv]


def format_listing(analyses: Sequence[Analysis]) -> str:
    """Every panel as a table, a column for each line of each encoder; then what the method notes."""
    lines = [f"# {analyses[0].experiment}", "", analyses[0].question, ""]
    lines += ["Intervals are 95 % and resample groups."]
    asked = panels(analyses)
    for name, part in asked.items():
        lines += ["", f"## {name}", f"Encoder: {part[0].config['encoder']['name']}."] if len(asked) > 1 else [""]
        lines += [] if len(asked) > 1 else [f"Encoder: {part[0].config['encoder']['name']}."]
        for panel in part[0].panels:
            header, *rows = _table(panel, lines_of(panel, part), [twin_label(one) for one in part])
            lines += ["", f"### {panel.title}", "", *markdown_rows(header, rows)]
        for notes in notes_of(part):
            lines += ["", notes]
    return "\n".join(lines) + "\n"


def _table(panel: Panel, lines: Sequence[Line], curves: Sequence[str]) -> list[tuple[str, ...]]:
    """A row for each place; what has none stands in a last row."""
    names = [f"{line.name}, {line.curve}" if len(set(curves)) > 1 else line.name for line in lines]
    places = places_of(panel, lines)
    found = [dict(line.points) for line in lines]
    rows = [(place_name(panel, place), *(_cell(panel, values.get(place)) for values in found)) for place in places]
    floors = [_cell(panel, values.get(None)) for values in found]
    return [(panel.x, *names), *rows, *([("-", *floors)] if any(floors) else [])]


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
