"""Curves as text: for the terminal, as Markdown, as CSV."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from probes.report.penalty import ASKED_FOR_MORE, penalty_note
from probes.report.summary import SUMMARY, interval, markdown_rows, official_scores, percent, summary_row
from probes.result import Record, to_frame
from probes.result.frame import panels, tested_controls, twin_label

BARS = "▁▂▃▄▅▆▇█"


def format_curve(record: Record) -> str:
    """A curve as lines of text: a row a layer, then floors, then the best layer."""
    header = ("layer", "accuracy", "95 % interval", *_control_names(record), "dev", "gap")
    rows = [header, *(_layer_row(record, layer) for layer in range(len(record.layers)))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    encoder = record.config["encoder"]["name"]
    shape = sparkline([score.value or 0.0 for score in record.select(variant="task")])
    title = f"{record.task}, {encoder}, {twin_label(record)}, run {record.run_id[:6]}  {shape}"
    note = penalty_note(record)
    return "\n".join([title, *lines, format_floors(record), *([note] if note else [])])


def _control_names(record: Record) -> tuple[str, ...]:
    controls = tested_controls(record)
    names = ("selectivity" if control == "word_type" else f"selectivity.{control}" for control in controls)
    return (*controls, *(name for name in names if record.select(variant=name)))


def _layer_row(record: Record, layer: int) -> tuple[str, ...]:
    score = record.select(variant="task", layer=layer)[0]
    controls = [percent(record.select(variant=name, layer=layer)[0].value) for name in _control_names(record)]
    dev = record.select(variant="task", layer=layer, split="dev")[0].value
    gap = next(row.gap for row in record.probes if row.layer == layer and row.variant == "task")
    return (
        record.layers[layer],
        percent(score.value),
        interval(score),
        *controls,
        percent(dev),
        "-" if gap is None else f"{gap:.4f}",
    )


def format_floors(record: Record) -> str:
    """The floors in one line, in per cent of test."""
    floors = [score for score in record.select(layer=None) if score.metric == "accuracy"]
    parts = [f"{score.variant} {percent(score.value)}" for score in floors]
    return "floors: " + ", ".join(parts)


def sparkline(values: Sequence[float], beside: Sequence[float] = ()) -> str:
    """A curve in as many characters as it has layers, on the scale of all that stands beside it.

    >>> sparkline([0.1, 0.5, 0.9])
    '▁▅█'
    """
    low, high = min([*values, *beside]), max([*values, *beside])
    span = (high - low) or 1.0
    return "".join(BARS[min(len(BARS) - 1, int((value - low) / span * len(BARS)))] for value in values)


def format_summary(records: Sequence[Record]) -> str:
    """Curves as a row each: its shape, its ends and the layer that dev chose, beside its control there.

    Shapes of one task are drawn on one scale: on a scale of its own the noise of a level curve looks like a shape.
    """
    drawn: dict[str, list[float]] = {}
    for record in records:
        drawn.setdefault(record.task, []).extend(score.value or 0.0 for score in record.select(variant="task"))
    rows: list[tuple[str, ...]] = [("run", "task", "layers", "emb", "top", "best on dev", "control", "encoder")]
    for record in records:
        scores, best = record.select(variant="task"), record.best_layer
        controls = [percent(record.select(variant=name, layer=best)[0].value) for name in tested_controls(record)]
        rows.append(
            (
                record.run_id[:6],
                record.task,
                sparkline([score.value or 0.0 for score in scores], drawn[record.task]),
                percent(scores[0].value),
                percent(scores[-1].value),
                f"{record.layers[best]}: {percent(scores[best].value)} {interval(scores[best])}",
                " ".join(controls) or "-",
                f"{record.config['encoder']['name']}, {twin_label(record)}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    asking = ", ".join(record.run_id[:6] for record in records if penalty_note(record))
    notes = [f"{asking}: {ASKED_FOR_MORE}"] if asking else []
    return "\n".join([*("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows), *notes])


def write_tables(records: Sequence[Record], folder: Path) -> list[Path]:
    """One experiment as `<experiment>.md` (what people read) and `<experiment>.csv` (every score)."""
    folder.mkdir(parents=True, exist_ok=True)
    name = records[0].experiment
    markdown, csv = folder / f"{name}.md", folder / f"{name}.csv"
    markdown.write_text(format_markdown(records), encoding="utf-8")
    to_frame(records).to_csv(csv, index=False, float_format="%.6g", lineterminator="\n")
    return [markdown, csv]


def format_markdown(records: Sequence[Record]) -> str:
    """Accuracy on test with intervals, one column a curve, one row a layer; then controls and floors.

    An experiment that asks several questions begins with a row for each.
    """
    lines = [f"# {records[0].experiment}", "", records[0].question, ""]
    lines += ["Accuracy on test in per cent, with 95 % intervals that resample groups.", ""]
    asked = panels(records)
    if len(asked) == 1:
        return "\n".join([*lines, *_section(records, "##")]) + "\n"
    lines += markdown_rows(SUMMARY, (summary_row(name, part) for name, part in asked.items()))
    for name, part in asked.items():
        lines += ["", f"## {name}", "", *_section(part, "###")]
    return "\n".join(lines) + "\n"


def _section(records: Sequence[Record], heading: str) -> list[str]:
    header = ("layer", *(_column(record) for record in records))
    lines = markdown_rows(header, _curve_rows(records, "accuracy"))
    for metric in official_scores(records):
        lines += ["", f"{heading} Official score: {metric}", "", *markdown_rows(header, _curve_rows(records, metric))]
    for split in dict.fromkeys(score.split for score in records[0].scores if score.split.startswith("test-")):
        lines += ["", f"{heading} The same probes on {split.removeprefix('test-')}", ""]
        lines += markdown_rows(header, _curve_rows(records, "accuracy", split))
        floors = (f"{one.variant} {percent(one.value)}" for one in records[0].select(layer=None, split=split))
        lines += ["", f"Floors there: {', '.join(floors)}."]
    for record in (record for record in records if tested_controls(record)):
        lines += ["", f"{heading} Controls: {_column(record)}", ""]
        header = ("layer", "task", *_control_names(record), "seen types", "unseen types")
        lines += markdown_rows(header, (_control_row(record, layer) for layer in range(len(record.layers))))
    left_out = records[0].left_out
    if any(left_out.values()):
        lines += ["", f"Left out: {', '.join(f'{count} of {split}' for split, count in left_out.items())}."]
    lines += ["", f"{heading} Floors and choice of layer", ""]
    header = ("curve", "floors", "best layer on dev", "not excluded on test")
    lines += markdown_rows(header, (_floor_row(record) for record in records))
    for record in records:
        if note := penalty_note(record):
            lines += ["", f"{_column(record)}: {note}"]
    return lines


def _column(record: Record) -> str:
    return f"{record.config['encoder']['name']}, {twin_label(record)}"


def _curve_rows(records: Sequence[Record], metric: str, split: str = "test") -> Iterable[tuple[str, ...]]:
    for layer in range(max(len(record.layers) for record in records)):
        cells = []
        for record in records:
            scores = record.select(variant="task", layer=layer, metric=metric, split=split)
            cells.append(f"{percent(scores[0].value)} {interval(scores[0])}" if scores else "")
        yield ("emb" if layer == 0 else str(layer), *cells)


def _control_row(record: Record, layer: int) -> tuple[str, ...]:
    names = ("task", *_control_names(record))
    values = [percent(record.select(variant=name, layer=layer)[0].value) for name in names]
    subsets = [record.select(variant="task", layer=layer, subset=subset) for subset in ("seen", "unseen")]
    return (
        record.layers[layer],
        *values,
        *(percent(scores[0].value) if scores else "-" for scores in subsets),
    )


def _floor_row(record: Record) -> tuple[str, ...]:
    kept = ", ".join(record.layers[layer] for layer in record.may_be_best)
    return (
        _column(record),
        format_floors(record).removeprefix("floors: "),
        record.layers[record.best_layer],
        kept,
    )
