"""Published numbers of BERT-base beside those of our runs, each with a tolerance that was frozen before any run of it.

    python experiments/reproduction/compare.py [--encoder bert-base-uncased] [--results results]

Writes results/reproduction/published-<encoder>.json and its table. Absolute numbers are compared for no other encoder,
corpus or settings than the paper's: where these are not there, the verdict is `not testable here`, with what lacks.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from exact import REFERENCE, Row, read_reference, write_table
from verdict import BERT, HERE, ask, held_to_hash, read_runs

from probes.cli.script import answer, run_script
from probes.config import EncoderConfig
from probes.metric.depth import expected_layer

TOLERANCES = HERE / "frozen" / "tolerances.yaml"
Numbers = dict[str, float]


def main(arguments: list[str] | None = None) -> None:
    encoder, results = ask(__doc__, arguments)
    rows = list(compare(results, encoder))
    body = {
        "encoder": encoder,
        "tolerances": held_to_hash(TOLERANCES),
        "numbers": [asdict(row) | {"verdict": row.verdict} for row in rows],
    }
    name = f"published-{EncoderConfig(name=encoder).slug}.json"
    answer(results / "reproduction" / name, body, write_table(rows))


def compare(results: Path, encoder: str) -> Iterator[Row]:
    """Every published number beside ours; raises ResultError if a tolerance was changed."""
    held_to_hash(TOLERANCES)
    for one in yaml.safe_load(TOLERANCES.read_text(encoding="utf-8")):
        where = one["published"]
        published, measure = KINDS[where["kind"]]
        run, missing = find_run(one, results, encoder)
        ours = {} if run is None else measure(run, where)
        for name, value in published(where).items():
            what = f"{one['statement']}{f', {name}' if name else ''}"
            ours_is = ours.get(name)
            differs = one.get("differs", "") if ours_is is not None else missing or "not among our results"
            yield Row(one["paper"], what, value, ours_is, one["tolerance"], differs)


def find_run(one: Mapping[str, Any], results: Path, encoder: str) -> tuple[Any, str]:
    """The run of BERT-base on the paper's corpus with the paper's settings, or what is missing for it."""
    if encoder != BERT:
        return None, f"{encoder} is not {BERT}"
    task = one["published"].get("task")
    runs = [run for run in read_runs(one["experiment"], results, encoder) if not run.config["encoder"]["twin"]]
    runs = [run for run in runs if task in (None, run.task)]
    if not runs:
        return None, f"no run of {one['experiment']}"
    runs = [run for run in runs if one["corpus"] in Path(run.config["corpus"]["path"]).parts]
    if not runs:
        return None, f"no run on {one['corpus']}"
    for key, value in one.get("settings", {}).items():
        runs = [run for run in runs if _setting(run.config, key) == value]
        if not runs:
            return None, f"no run with {key} = {value}"
    return runs[0], ""


def _setting(config: Mapping[str, Any], key: str) -> Any:
    found: Any = config
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def published_by_rank(where: Mapping[str, Any]) -> Numbers:
    with (REFERENCE / where["file"]).open(newline="", encoding="utf-8") as file:
        ranks, uuas, *_ = csv.reader(file)
    return {f"rank {rank}": float(value) for rank, value in zip(ranks[1:], uuas[1:], strict=True)}


def by_rank(run: Any, where: Mapping[str, Any]) -> Numbers:
    found = run.select(variant="task", metric="uuas", layer=where["layer"])
    return {f"rank {one.at['rank']}": 100 * one.value for one in found}


def published_by_relation(where: Mapping[str, Any]) -> Numbers:
    return {name: float(row["best_head_accuracy"]) for name, row in read_reference(where["file"]).items()}


def by_relation(run: Any, where: Mapping[str, Any]) -> Numbers:
    found = run.select(variant="best_head", metric="accuracy", at={"among": "encoder"})
    return {one.at["relation"]: 100 * one.value for one in found}


def published_expected_layer(where: Mapping[str, Any]) -> Numbers:
    row = read_reference(where["file"])[where["row"]]
    return {"": float(expected_layer(np.array([float(row[str(layer)]) for layer in range(13)])))}


def ours_expected_layer(run: Any, where: Mapping[str, Any]) -> Numbers:
    (found,) = run.select(metric="expected_layer", split="dev", at={"score": "accuracy"})
    return {} if found.value is None else {"": found.value}


KINDS: dict[str, tuple[Callable[..., Numbers], Callable[..., Numbers]]] = {
    "by_rank": (published_by_rank, by_rank),
    "by_relation": (published_by_relation, by_relation),
    "expected_layer": (published_expected_layer, ours_expected_layer),
}


if __name__ == "__main__":
    run_script(main)
