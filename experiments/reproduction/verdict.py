"""What came of each frozen prediction: the table of verdicts, from results alone.

    python experiments/reproduction/verdict.py [--encoder bert-base-uncased] [--results results]

Writes results/reproduction/<encoder>.json and its table. Verdicts are three: `reproduced` (model, data, split and
settings are the paper's, the difference within a tolerance fixed before), `shape replicated` (something differs and is
named; a prediction written before held, with its interval), `not testable here`. A prediction that failed has none.
Where an experiment's runs are not there, what an earlier call said of the same predictions stays.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from decide import DECIDE, Decision, Found

from probes.config import EncoderConfig, logical_name
from probes.errors import ResultError
from probes.result import read_analysis, read_record
from probes.study.analyses import holds_analyses

FROZEN = Path(__file__).with_name("frozen") / "predictions.yaml"
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
    """What is not as in the paper."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default=BERT)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    encoder = logical_name(options.encoder)  # as results have it
    name = EncoderConfig(name=encoder).slug
    folder = options.results / "reproduction"
    folder.mkdir(parents=True, exist_ok=True)
    kept = read_verdicts(folder / f"{name}.json")
    verdicts = [kept.get(one.id, one) if one.held is None else one for one in judge(options.results, encoder)]
    body = {"encoder": encoder, "predictions": frozen_hash(), "verdicts": [vars_of(one) for one in verdicts]}
    (folder / f"{name}.json").write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = "\n".join(write_table(encoder, verdicts))
    (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def frozen_hash() -> str:
    """The hash of the predictions; raises ResultError if they are not those that were frozen."""
    found = sha256(FROZEN.read_bytes()).hexdigest()
    kept = FROZEN.with_suffix(".sha256").read_text(encoding="utf-8").split()[0]
    if found != kept:
        raise ResultError(
            f"{FROZEN.name} should have the hash {kept[:12]} with which it was frozen, but has {found[:12]}. A "
            f"prediction that is changed after a run is none: take the change back."
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
        decision: Decision | None = None
        if all(found):
            decide: Callable[..., Decision] = DECIDE[one["holds"]["kind"]]
            decision = decide(found, **{key: value for key, value in one["holds"].items() if key != "kind"})
        yield _verdict(one, decision, encoder, [run for part in found for run in part])


def read_runs(experiment: str, results: Path, encoder: str) -> list[Found]:
    """The curves or analyses of an experiment with this encoder and its twins."""
    read = read_analysis if holds_analyses(experiment, results) else read_record
    found = [read(path) for path in sorted((results / "runs" / experiment).glob("*.json"))]
    return [one for one in found if one.config["encoder"]["name"] == encoder]


def _verdict(one: dict[str, Any], decision: Decision | None, encoder: str, found: list[Found]) -> Verdict:
    corpora = dict.fromkeys(run.config["corpus"]["path"] for run in found)
    model = [] if encoder == BERT else [f"encoder {encoder}"]
    differs = ", ".join([*model, *(f"corpus {path}" for path in corpora)])
    held = None if decision is None else decision.held
    word = NOT_HERE if held is None else SHAPE if held else ""
    shown = "" if decision is None else decision.shown
    return Verdict(one["id"], one["paper"], one["statement"], held, shown, word, differs)


def vars_of(verdict: Verdict) -> dict[str, Any]:
    return {name: getattr(verdict, name) for name in Verdict.__dataclass_fields__}


def write_table(encoder: str, verdicts: list[Verdict]) -> Iterator[str]:
    yield f"Predictions for {BERT}, asked of `{encoder}`; hash of the frozen file {frozen_hash()[:12]}."
    yield ""
    yield "| paper | prediction | held | numbers | verdict |"
    yield "|---|---|---|---|---|"
    for one in verdicts:
        held = {None: "-", True: "yes", False: "no"}[one.held]
        yield f"| {one.paper} | {one.statement} | {held} | {one.shown} | {one.verdict} |"


if __name__ == "__main__":
    main()
