"""What the page embeds: every curve and analysis, packed by columns, questions, and paired differences."""

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from probes.report.series import axis_of, lines_of, metric_name, notes_of, place_name, places_of
from probes.result import COLUMNS, Analysis, Finding, Panel, Record, Score
from probes.result.frame import questions as asked_by
from probes.result.frame import tested_controls, twin_label

# A larger matrix is no picture any more.
MOST_LABELS = 60
# Digits that anything on a screen or in the downloaded table needs.
DIGITS = 5
# Curves that people want to see first, where they are there.
FIRST = ("layer_pos", "quickstart")


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The difference of two runs at each layer, with interval and adjusted p-values."""

    first: str
    """Run id of the curve from which the other one is subtracted."""
    second: str
    value: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    p: Sequence[float]


def describe_results(
    records: Sequence[Record], analyses: Sequence[Analysis], differences: Sequence[PairedDifference]
) -> dict[str, Any]:
    """Everything that the page shows, as plain JSON."""
    place = {record.run_id: number for number, record in enumerate(records)}
    questions = [
        {
            "key": f"{experiment}:{name}",
            "experiment": experiment,
            "name": name,
            "asked": part[0].question,
            "curves": [place[record.run_id] for record in part],
        }
        for experiment, name, part in asked_by(records)
    ]
    first = [number for name in FIRST for number, one in enumerate(questions) if one["experiment"] == name]
    encoders = len({record.config["encoder"]["name"] for record in (*records, *analyses)})
    about = (
        f"{len(records)} curves of {len(questions)} questions and {len(analyses)} analyses, {encoders} "
        f"encoder{'s' if encoders > 1 else ''}. This file holds all of it and asks no network."
    )
    return {
        "about": about,
        "first": (first or [0])[0],
        "questions": questions,
        "curves": [_describe_curve(record) for record in records],
        "studies": _studies(analyses),
        "analyses": [_describe_run(one, one.findings) for one in analyses],
        "differences": [
            {
                "first": place[one.first],
                "second": place[one.second],
                **{name: [_short(value) for value in getattr(one, name)] for name in ("value", "low", "high", "p")},
            }
            for one in differences
        ],
    }


def pack(body: dict[str, Any]) -> str:
    """JSON, compressed and in letters; the same bytes for the same results."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8"), mtime=0)).decode("ascii")


def _describe_curve(record: Record) -> dict[str, Any]:
    return {
        **_describe_run(record, record.scores),
        "best": record.best_layer,
        "mayBeBest": list(record.may_be_best),
        "controls": list(tested_controls(record)),
        "confusion": _confusion(record),
    }


def _describe_run(run: Record | Analysis, rows: Sequence[Score]) -> dict[str, Any]:
    encoder, environment = run.config["encoder"], run.environment
    return {
        "id": run.run_id,
        "experiment": run.experiment,
        "encoder": encoder["name"],
        "twin": twin_label(run),
        "task": run.task,
        "layers": list(run.layers),
        "package": run.package,
        "commit": str(environment.get("commit") or "")[:10],
        "device": str(environment.get("device") or ""),
        "fingerprints": run.fingerprints.model_dump(),
        "seconds": round(sum(run.wall_seconds.values()), 1),
        "config": run.config,
        "rows": pack_rows(rows),
    }


def pack_rows(rows: Sequence[Score]) -> dict[str, Any]:
    """Scores or findings by columns: numbers as they are, names as places in a list of names."""
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        values = [getattr(row, name) for row in rows]
        columns[name] = _names(values) if any(isinstance(value, str) for value in values) else _numbers(values)
    at = [row.at_text if isinstance(row, Finding) else "" for row in rows]
    if any(at):
        columns["at"] = _names(at)
    return {"length": len(rows), "columns": columns}


def _names(values: Sequence[str | None]) -> dict[str, Any]:
    known = {name: place for place, name in enumerate(dict.fromkeys(values))}
    return {"names": list(known), "values": [known[value] for value in values]}


def _numbers(values: Sequence[float | None]) -> dict[str, Any]:
    return {"values": [_short(value) for value in values]}


def _short(value: float | None) -> float | None:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _confusion(record: Record) -> dict[str, Any]:
    """Counts above zero as [label, predicted, count]; none where there are too many labels to look at."""
    confusion = record.confusion
    if len(confusion.labels) > MOST_LABELS or not confusion.layers:
        why = f"{len(confusion.labels)} labels are too many for a picture; the counts are in the run's JSON."
        return {"labels": [], "layers": {}, "why": why}
    layers = {
        str(layer): [
            [label, predicted, count]
            for label, row in enumerate(counts)
            for predicted, count in enumerate(row)
            if count > 0
        ]
        for layer, counts in confusion.layers.items()
    }
    return {"labels": list(confusion.labels), "layers": layers}


def _studies(analyses: Sequence[Analysis]) -> list[dict[str, Any]]:
    """The questions of analyses, each with the panels of its method."""
    place = {one.run_id: number for number, one in enumerate(analyses)}
    return [
        {
            "experiment": experiment,
            "name": name,
            "method": part[0].method,
            "asked": part[0].question,
            "analyses": [place[one.run_id] for one in part],
            "panels": [_describe_panel(panel, part) for panel in part[0].panels],
            "notes": notes_of(part),
        }
        for experiment, name, part in asked_by(analyses)
    ]


def _describe_panel(panel: Panel, analyses: Sequence[Analysis]) -> dict[str, Any]:
    lines = lines_of(panel, analyses)
    places = places_of(panel, lines)
    at = {value: number for number, value in enumerate(places)}
    scale = 100 if panel.is_share else 1
    axis = axis_of(panel, places)
    return {
        "title": panel.title,
        "metric": metric_name(panel),
        "x": panel.x,
        "places": [place_name(panel, value) for value in places],
        "values": places if axis in ("numbers", "logarithm") else [],
        "axis": axis,
        "lines": [
            {
                "name": line.name,
                "curve": line.curve,
                "points": [
                    [at[value], *(_scaled(part, scale) for part in (one.value, one.low, one.high))]
                    for value, one in line.points
                    if value is not None and one.value is not None
                ],
            }
            for line in lines
            if not line.is_floor
        ],
        "floors": [
            {"name": line.name, "curve": line.curve, "value": _scaled(line.points[0][1].value, scale)}
            for line in lines
            if line.is_floor and line.points[0][1].value is not None
        ],
    }


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else _short(float(value * scale))
