"""What came of each frozen prediction: the table of verdicts, from results alone.

    python experiments/reproduction/verdict.py [--encoder bert-base-uncased] [--results results]

Writes results/reproduction/<encoder>.json and its table. Verdicts are three: `reproduced` (model, data, split and
settings are the paper's, the difference within a tolerance fixed before), `shape replicated` (something differs and is
named; a prediction written before held, with its interval), `not testable here`. A prediction that failed has none.
Where an experiment's runs are not there, what an earlier call said of the same predictions stays.
"""

import argparse
import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from decide import DECIDE, Decision, Found, NotThereError

from probes.cli.script import answer, run_script
from probes.config import EncoderConfig, logical_name
from probes.errors import ResultError
from probes.result import read_analysis, read_record
from probes.study.analyses import holds_analyses

HERE = Path(__file__).parent
FROZEN = HERE / "frozen" / "predictions.yaml"
DIFFERENCES = HERE / "differences.csv"
SHAPE, NOT_HERE = "shape replicated", "not testable here"
BERT = "bert-base-uncased"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A prediction, whether it held, and in which of the three words that is put."""

    id: str
    paper: str
    statement: str
    held: bool | None
    """None where there are no results of this encoder."""
    shown: str
    """The numbers on which it rests."""
    verdict: str
    differs: str
    """What is not as in the paper: encoder, corpus, settings."""
    twins: str = ""
    """What untrained twins have at the same place, from least to greatest; empty where that was not looked at."""


def main(arguments: list[str] | None = None) -> None:
    encoder, results = ask(__doc__, arguments)
    path = results / "reproduction" / f"{EncoderConfig(name=encoder).slug}.json"
    kept = read_verdicts(path)
    verdicts = [
        replace(kept.get(one.id, one), differs=one.differs) if one.held is None else one
        for one in judge(results, encoder)
    ]
    body = {"encoder": encoder, "predictions": frozen_hash(), "verdicts": [vars_of(one) for one in verdicts]}
    answer(path, body, write_table(encoder, verdicts))


def ask(description: str | None, arguments: list[str] | None) -> tuple[str, Path]:
    """The encoder, by the name that results have, and the folder of results that a command names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--encoder", default=BERT)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    return logical_name(options.encoder), options.results


def frozen_hash() -> str:
    """The hash of the predictions."""
    return held_to_hash(FROZEN)


def held_to_hash(path: Path) -> str:
    """The hash of a frozen file; raises ResultError if it is not the one with which it was frozen."""
    found = sha256(path.read_bytes()).hexdigest()
    kept = path.with_suffix(".sha256").read_text(encoding="utf-8").split()[0]
    if found != kept:
        raise ResultError(
            f"{path.name} should have the hash {kept[:12]} with which it was frozen, but has {found[:12]}. What is "
            f"changed after a run was not said before it: take the change back."
        )
    return found


def read_verdicts(path: Path) -> dict[str, Verdict]:
    """By their ids, the verdicts of an earlier call on the predictions as they are now."""
    body = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    is_same = body.get("predictions") == frozen_hash()
    return {one["id"]: Verdict(**one) for one in body["verdicts"]} if is_same else {}


def judge(results: Path, encoder: str) -> Iterator[Verdict]:
    """Every prediction beside what the runs of an encoder say."""
    frozen_hash()
    for one in yaml.safe_load(FROZEN.read_text(encoding="utf-8")):
        found = [read_runs(name.strip(), results, encoder) for name in one["experiment"].split(",")]
        decide: Callable[..., Decision] = DECIDE[one["holds"]["kind"]]
        try:
            decision = decide(found, **{key: value for key, value in one["holds"].items() if key != "kind"})
        except NotThereError:
            decision = None
        yield _verdict(one, decision, encoder)


def read_runs(experiment: str, results: Path, encoder: str) -> list[Found]:
    """The curves or analyses of an experiment with this encoder and its twins."""
    read = read_analysis if holds_analyses(experiment, results) else read_record
    found = [read(path) for path in sorted((results / "runs" / experiment).glob("*.json"))]
    return [one for one in found if one.config["encoder"]["name"] == encoder]


def _verdict(one: dict[str, Any], decision: Decision | None, encoder: str) -> Verdict:
    said = one["id"], one["paper"], one["statement"]
    differs = what_differs(one["experiment"], encoder)
    if decision is None:
        return Verdict(*said, None, "", NOT_HERE, differs)
    return Verdict(*said, decision.held, decision.shown, SHAPE if decision.held else "", differs, decision.twins)


def what_differs(experiment: str, encoder: str) -> str:
    """Encoder, corpus and settings of an experiment that are not those of its paper."""
    with DIFFERENCES.open(newline="", encoding="utf-8") as file:
        named = {row["experiment"]: (row["corpus"], row["settings"]) for row in csv.DictReader(file)}
    model = [] if encoder == BERT else [f"encoder {encoder}"]
    return "; ".join([*model, *(part for name in experiment.split(",") for part in named[name.strip()])])


def vars_of(verdict: Verdict) -> dict[str, Any]:
    return {name: getattr(verdict, name) for name in Verdict.__dataclass_fields__}


def write_table(encoder: str, verdicts: list[Verdict]) -> Iterator[str]:
    yield f"Predictions for {BERT}, asked of `{encoder}`; hash of the frozen file {frozen_hash()[:12]}."
    yield "Twins: what untrained ones have at the same place, from least to greatest; no prediction asks for it."
    yield ""
    yield "| paper | prediction | held | numbers | twins | verdict | not as in the paper |"
    yield "|---|---|---|---|---|---|---|"
    for one in verdicts:
        held = {None: "-", True: "yes", False: "no"}[one.held]
        cells = one.paper, one.statement, held, one.shown, one.twins or "-", one.verdict, one.differs
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    run_script(main)
