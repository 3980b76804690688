"""Curves as text: for the terminal, as Markdown, as CSV."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from probes.result import Record, Score, to_frame
from probes.result.frame import panels, tested_controls, twin_label

BARS = "▁▂▃▄▅▆▇█"


def format_curve(record: Record) -> str:
    """A curve as lines of text: a row a layer, then floors, then the best layer."""
    header = ("layer", "accuracy", "95 % interval", *_control_names(record), "dev", "gap")
    rows = [header, *(_layer_row(record, layer) for layer in range(len(record.layers)))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    encoder = record.config["encoder"]["name"]
    title = f"{record.task}, {encoder}, {twin_label(record)}, run {record.run_id[:6]}"
    return "\n".join([title, *lines, format_floors(record)])


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


def sparkline(values: Sequence[float]) -> str:
    """A curve in as many characters as it has layers.

    >>> sparkline([0.1, 0.5, 0.9])
    '▁▅█'
    """
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(BARS[min(len(BARS) - 1, int((value - low) / span * len(BARS)))] for value in values)


def percent(value: float | None) -> str:
    """A share in per cent with one decimal; a dash for a share of nothing."""
    return "-" if value is None else f"{value * 100:.1f}"


def interval(score: Score) -> str:
    return f"[{percent(score.low)}, {percent(score.high)}]"


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
    lines += _markdown_rows(SUMMARY, (_summary_row(name, part) for name, part in asked.items()))
    for name, part in asked.items():
        lines += ["", f"## {name}", "", *_section(part, "###")]
    return "\n".join(lines) + "\n"


def _section(records: Sequence[Record], heading: str) -> list[str]:
    header = ("layer", *(_column(record) for record in records))
    lines = _markdown_rows(header, _curve_rows(records, "accuracy"))
    for metric in official_scores(records):
        lines += ["", f"{heading} Official score: {metric}", "", *_markdown_rows(header, _curve_rows(records, metric))]
    for record in (record for record in records if tested_controls(record)):
        lines += ["", f"{heading} Controls: {_column(record)}", ""]
        header = ("layer", "task", *_control_names(record), "seen types", "unseen types")
        lines += _markdown_rows(header, (_control_row(record, layer) for layer in range(len(record.layers))))
    left_out = records[0].left_out
    if any(left_out.values()):
        lines += ["", f"Left out: {', '.join(f'{count} of {split}' for split, count in left_out.items())}."]
    lines += ["", f"{heading} Floors and choice of layer", ""]
    header = ("curve", "floors", "best layer on dev", "not excluded on test")
    return lines + _markdown_rows(header, (_floor_row(record) for record in records))


SUMMARY = (
    "question",
    "labels",
    "test",
    "highest floor",
    "emb",
    "best on dev",
    "detectable",
    "untrained",
    "control",
    "official",
)


def _summary_row(name: str, records: Sequence[Record]) -> tuple[str, ...]:
    """The first curve at `emb` and at its best layer, beside the floor, twin and control there.

    `detectable` is the smallest difference to the next layer that this test split shows: what is below it says nothing.
    """
    main, *others = records
    layer = main.best_layer
    best = main.select(variant="task", layer=layer)[0]
    floor = max(
        (score for score in main.select(layer=None) if _is_floor_of_task(main, score)), key=lambda one: one.value or 0
    )
    others = [one for one in others if one.config["encoder"].get("twin") and layer < len(one.layers)]
    twins = [percent(one.select(variant="task", layer=layer)[0].value) for one in others]
    controls = [f"{one} {percent(main.select(variant=one, layer=layer)[0].value)}" for one in tested_controls(main)]
    capacity = main.select(variant="permuted", layer=layer, split="train", draw=0)
    controls += [f"permuted, on train {percent(score.value)}" for score in capacity]
    at_best = [
        f"{metric} {percent(main.select(variant='task', layer=layer, metric=metric)[0].value)}"
        for metric in official_scores([main])
    ]
    return (
        name,
        str(len(main.confusion.labels)),
        str(best.n),
        f"{floor.variant} {percent(floor.value)}",
        percent(main.select(variant="task", layer=0)[0].value),
        f"{main.layers[layer]}: {percent(best.value)} {interval(best)}",
        percent(best.detectable),
        ", ".join(twins) or "-",
        ", ".join(controls) or "-",
        ", ".join(at_best) or "-",
    )


def _is_floor_of_task(record: Record, score: Score) -> bool:
    return not any(score.variant.startswith(f"{control}_") for control in record.config["task"]["controls"])


def _column(record: Record) -> str:
    return f"{record.config['encoder']['name']}, {twin_label(record)}"


def official_scores(records: Sequence[Record]) -> list[str]:
    """Names of the scores that data sets came with."""
    names = {score.metric for record in records for score in record.scores if score.metric.endswith("_f1")}
    return sorted(names - {"macro_f1"})


def _curve_rows(records: Sequence[Record], metric: str) -> Iterable[tuple[str, ...]]:
    for layer in range(max(len(record.layers) for record in records)):
        cells = []
        for record in records:
            scores = record.select(variant="task", layer=layer, metric=metric)
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


def _markdown_rows(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    table = [header, ("---",) * len(header), *rows]
    return ["| " + " | ".join(row) + " |" for row in table]
