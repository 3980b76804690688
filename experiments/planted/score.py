"""Which way of reading a probe finds what was planted: hits and false alarms, layer by layer.

    probes run experiments/planted/*.yaml && python experiments/planted/score.py

Reads results/runs/planted_*, writes results/planted/score.json, its table and a figure.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import probes
from probes.planted import LABELS, NUM_BLOCKS, PLANTINGS
from probes.result import Analysis, Record, Score

PREFIX = "planted:"
KINDS = ("linear", "nonlinear", "word", "position", "absent")
CURVES = tuple(name for name in PLANTINGS if name != "tree")


@dataclass(frozen=True)
class Case:
    """One label of one encoder: what every method says of it, layer by layer."""

    encoder: str
    label: str
    linear: Record
    perceptron: Record
    twins: tuple[Record, ...]
    online: Analysis
    information: Analysis

    def kind(self, layer: int) -> str:
        """What the label is at a layer, by what was planted; a confounded one by what it is a function of."""
        truth = PLANTINGS[self.encoder].truth(self.label, layer)
        return self.label if truth == "confounded" else truth


Reading = Callable[[Case, int], bool]


def above(score: Score, *floors: Score) -> bool:
    """Whether the interval of a score lies above those of all floors."""
    return all((score.low or 0.0) > (floor.value if floor.high is None else floor.high) for floor in floors)


def at(record: Record | Analysis, layer: int | None, **fields: Any) -> Score:
    """The one score of a record with these fields."""
    (found,) = record.select(**{"layer": layer, "metric": "accuracy", **fields})
    return found


def low(score: Score) -> float:
    return float("-inf") if score.low is None else score.low


def compression(case: Case, layer: int, variant: str = "task", metric: str = "compression") -> Score:
    return at(case.online, layer, variant=variant, metric=metric, split="train")


def beyond_embeddings(case: Case, layer: int) -> bool:
    """What a layer adds to the embeddings; the embeddings add nothing to themselves."""
    wanted = {"variant": "task", "metric": "conditional_v_information_bits"}
    return layer > 0 and low(at(case.information, layer, **wanted)) > 0


READINGS: dict[str, Reading] = {
    "accuracy above the majority": lambda case, layer: above(
        at(case.linear, layer, variant="task"), at(case.linear, None, variant="majority")
    ),
    "accuracy above the majority of each word": lambda case, layer: above(
        at(case.linear, layer, variant="task"), at(case.linear, None, variant="word_majority")
    ),
    "accuracy above untrained twins": lambda case, layer: above(
        at(case.linear, layer, variant="task"), *(at(twin, layer, variant="task") for twin in case.twins)
    ),
    "selectivity above 0": lambda case, layer: low(at(case.linear, layer, variant="selectivity")) > 0,
    "perceptron above the majority": lambda case, layer: above(
        at(case.perceptron, layer, variant="task"), at(case.perceptron, None, variant="majority")
    ),
    "selectivity of the perceptron above 0": lambda case, layer: (
        low(at(case.perceptron, layer, variant="selectivity")) > 0
    ),
    "code shorter than the entropy": lambda case, layer: (
        low(compression(case, layer, metric="compression_of_entropy")) > 1
    ),
    "code shorter than the control's": lambda case, layer: above(
        compression(case, layer), compression(case, layer, "word_type")
    ),
    "V-information above 0": lambda case, layer: (
        low(at(case.information, layer, variant="task", metric="v_information_bits")) > 0
    ),
    "V-information beyond the embeddings": beyond_embeddings,
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    cases = read_cases(options.results)
    found = {
        "rates": rates(cases),
        "expected_layer": list(expected_layers(options.results)),
        "tree": list(tree_rows(options.results)),
        "use": list(use_rows(options.results)),
    }
    folder = options.results / "planted"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "score.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = "\n".join(write_table(found))
    (folder / "score.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def read_cases(results: Path) -> list[Case]:
    """Every label of every planted encoder with what all methods found."""
    curves = {name: probes.read_results(f"planted_{name}", results) for name in ("curves", "twins", "perceptron")}
    records = {name: [curve.record for curve in part] for name, part in curves.items()}
    analyses = list(probes.read_analyses("planted_methods", results))
    return [
        Case(
            encoder,
            label,
            *(_find(records[name], encoder, label) for name in ("curves", "perceptron")),
            tuple(record for record in records["twins"] if record.task == f"column.{label}"),
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
    cells = [(case, layer) for case in cases for layer in range(NUM_BLOCKS + 1)]
    rows = []
    for name, reading in READINGS.items():
        said: dict[str, list[bool]] = {kind: [] for kind in KINDS}
        for case, layer in cells:
            said[case.kind(layer)].append(reading(case, layer))
        rows += [{"reading": name, "kind": kind, "found": sum(one), "of": len(one)} for kind, one in said.items()]
    return rows


def expected_layers(results: Path) -> Iterator[dict[str, Any]]:
    """Where scalar mixes say that `context` comes in, beside the block that writes it."""
    for one in probes.read_analyses("planted_mix", results):
        name = one.config["encoder"]["name"].removeprefix(PREFIX)
        (found,) = one.select(metric="expected_layer", split="dev", at={"score": "accuracy"})
        bounds = {"value": found.value, "low": found.low, "high": found.high}
        yield {"encoder": name, "written": PLANTINGS[name].written, **bounds}


def tree_rows(results: Path) -> Iterator[dict[str, Any]]:
    """UUAS of a structural probe of full rank by layer, beside the chain's."""
    for one in probes.read_analyses("planted_tree", results):
        name, twin = one.config["encoder"]["name"].removeprefix(PREFIX), one.config["encoder"].get("twin")
        (chain,) = one.select(variant="chain", metric="uuas")
        full = max(map(int, one.notes["ranks"]))
        for layer in range(NUM_BLOCKS + 1):
            (found,) = one.select(variant="task", metric="uuas", layer=layer, at={"rank": full})
            yield {
                "encoder": "untrained" if twin else name,
                "layer": layer,
                "is_there": twin is None and PLANTINGS[name].has_tree(layer),
                "uuas": found.value,
                "low": found.low,
                "high": found.high,
                "chain": chain.value,
            }


def use_rows(results: Path) -> Iterator[dict[str, Any]]:
    """What erasing `context` at a layer costs at the last one, beyond random subspaces."""
    for one in probes.read_analyses("planted_use", results):
        name = one.config["encoder"]["name"].removeprefix(PREFIX)
        for found in one.select(variant="effect", metric="accuracy_effect", layer=NUM_BLOCKS):
            yield {
                "encoder": name,
                "is_used": PLANTINGS[name].is_used,
                "edited": found.at["edited"],
                "effect": found.value,
                "low": found.low,
                "high": found.high,
            }


def write_table(found: dict[str, Any]) -> Iterator[str]:
    """The scores for people."""
    yield "| reading | " + " | ".join(KINDS) + " |"
    yield "|---" * (1 + len(KINDS)) + "|"
    for name in READINGS:
        own = {row["kind"]: f"{row['found']}/{row['of']}" for row in found["rates"] if row["reading"] == name}
        yield f"| {name} | " + " | ".join(own[kind] for kind in KINDS) + " |"


if __name__ == "__main__":
    main()
