"""Which way of reading a probe finds what was planted: hits and false alarms, layer by layer.

    probes run experiments/planted/*.yaml && python experiments/planted/score.py

Reads results/runs/planted_*, writes results/planted/score.json, its table and a figure.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from methods import PREFIX, erasure_rows, expected_layers, method_rates, tree_rows, use_rows
from readings import LAYERS, READINGS, Case, first_found, first_there
from show import KINDS, draw, write_table

import probes
from probes.cli.script import answer, run_script
from probes.planted import LABELS, PLANTINGS

KINDS_OF_RUN = ("curves", "perceptron", "twins", "twins_perceptron")
CURVES = tuple(name for name in PLANTINGS if name != "tree")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    cases = read_cases(options.results)
    found = {
        "rates": rates(cases),
        "layer_errors": list(layer_errors(cases)),
        "expected_layer": list(expected_layers(options.results)),
        "tree": list(tree_rows(options.results)),
        "erasure": list(erasure_rows(options.results)),
        "use": list(use_rows(options.results)),
    }
    found["methods"] = list(method_rates(found))
    for suffix in (".pdf", ".png"):
        draw(found["rates"], options.results / "figures" / f"planted{suffix}")
    answer(options.results / "planted" / "score.json", found, write_table(found))


def read_cases(results: Path) -> list[Case]:
    """Every label of every planted encoder with what all methods found."""
    curves = {name: probes.read_results(f"planted_{name}", results) for name in KINDS_OF_RUN}
    records = {name: [curve.record for curve in part] for name, part in curves.items()}
    analyses = list(probes.read_analyses("planted_methods", results))
    return [
        Case(
            encoder,
            label,
            *(_find(records[name], encoder, label) for name in ("curves", "perceptron")),
            *(
                tuple(record for record in records[name] if record.task == f"column.{label}")
                for name in ("twins", "twins_perceptron")
            ),
            *(
                _find([one for one in analyses if one.method == method], encoder, label)
                for method in ("online", "information")
            ),
        )
        for encoder in CURVES
        for label in LABELS
    ]


def _find(records: Sequence[Any], encoder: str, label: str) -> Any:
    (found,) = [
        one
        for one in records
        if one.config["encoder"]["name"] == f"{PREFIX}{encoder}" and one.config["task"]["name"] == f"column.{label}"
    ]
    return found


def rates(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """For each reading and each kind of truth: of so many layers of encoders, how many it calls there."""
    cells = [(case, layer) for case in cases for layer in LAYERS]
    rows = []
    for name, reading in READINGS.items():
        said: dict[str, list[bool]] = {kind: [] for kind in KINDS}
        for case, layer in cells:
            said[case.kind(layer)].append(reading(case, layer))
        rows += [{"reading": name, "kind": kind, "found": sum(one), "of": len(one)} for kind, one in said.items()]
    return rows


def layer_errors(cases: Sequence[Case]) -> Iterator[dict[str, Any]]:
    """How far from the block that writes a label the first layer is at which a reading sees it; none where never."""
    for name, reading in READINGS.items():
        for case in cases:
            there = first_there(case)
            # `parity` is there for a perceptron before it is written.
            if there is not None and case.label == "context":
                found = first_found(reading, case)
                error = None if found is None else found - there
                yield {"reading": name, "encoder": case.encoder, "label": case.label, "there": there, "error": error}


if __name__ == "__main__":
    run_script(main)
