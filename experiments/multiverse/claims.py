"""Under which share of all defensible specifications each textbook claim about layers holds.

    probes run experiments/multiverse/*.yaml --set encoder.name=NAME
    python experiments/multiverse/claims.py --encoder NAME

Writes results/multiverse/<encoder>.json, its table, and a figure beside it.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from specification import Specification, specify
from textbook import CLAIMS

import probes
from probes.report.figure import BLUE, GREY, METADATA, PAGE_INCHES, STYLE

BERT = "bert-base-uncased"
FILES = ("multiverse_words", "multiverse_sentences", "multiverse_twins")
OWN = "none"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default=BERT)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    found = read(options.results, options.encoder)
    rows = [*judge(found), *judge_twins(found)]
    name = options.encoder.removeprefix("pkg:").replace("/", "-")
    folder = options.results / "multiverse"
    folder.mkdir(parents=True, exist_ok=True)
    body = {"encoder": options.encoder, "specifications": len(found), "claims": rows}
    (folder / f"{name}.json").write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = "\n".join(write_table(body))
    (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    for suffix in (".pdf", ".png"):
        draw(body, options.results / "figures" / f"multiverse-{name}{suffix}")
    print(text)


def read(results: Path, encoder: str) -> list[Specification]:
    """Every specification of an encoder and its twins that was run."""
    every = [curve.record for name in FILES for curve in probes.read_results(name, results)]
    # A run of two files is one.
    records = {one.run_id: one for one in every if one.config["encoder"]["name"] == encoder}
    return list(specify(list(records.values())))


def judge(found: Sequence[Specification]) -> Iterator[dict[str, Any]]:
    """For each claim: under how many specifications it holds, in all and by each choice."""
    own = [one for one in found if one.choices["twin"] == OWN]
    for claim in CLAIMS:
        by_key: dict[Any, dict[str, Specification]] = {}
        for one in own:
            if one.task in claim.tasks and one.choices["measure"] in claim.measures:
                by_key.setdefault(one.key, {})[one.task] = one
        whole = [part for part in by_key.values() if len(part) == len(claim.tasks)]
        verdicts = [(part[claim.tasks[0]], claim.holds(*(part[task] for task in claim.tasks))) for part in whole]
        yield _row(claim.statement, claim.source, verdicts)


def judge_twins(found: Sequence[Specification]) -> Iterator[dict[str, Any]]:
    """Whether the trained encoder is better at every layer than an untrained one, by the kind of twin."""
    trained = {(one.task, _without_twin(one)): one for one in found if one.choices["twin"] == OWN}
    for task in ("pos", "dependency_label"):
        verdicts = [
            (twin, bool((trained[task, _without_twin(twin)].curve > twin.curve).all()))
            for twin in found
            if twin.task == task and twin.choices["twin"] != OWN
        ]
        yield _row(f"{task.replace('_', ' ')}: the trained encoder is better at every layer", "", verdicts)


def _without_twin(one: Specification) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in one.key if pair[0] != "twin")


def _row(statement: str, source: str, verdicts: Sequence[tuple[Specification, bool]]) -> dict[str, Any]:
    by_choice: dict[str, dict[str, list[bool]]] = {}
    for one, holds in verdicts:
        for axis, value in one.choices.items():
            by_choice.setdefault(axis, {}).setdefault(value, []).append(holds)
    return {
        "claim": statement,
        "source": source,
        "holds": sum(holds for _, holds in verdicts),
        "of": len(verdicts),
        "by_choice": {
            axis: {value: [sum(holds), len(holds)] for value, holds in values.items()}
            for axis, values in by_choice.items()
            if len(values) > 1
        },
    }


def write_table(body: Mapping[str, Any]) -> Iterator[str]:
    """The shares, and for each claim the choice that moves it most."""
    yield f"{body['specifications']:,} specifications of `{body['encoder']}` and its twins."
    yield ""
    yield "| claim | source | holds | of | what moves it most |"
    yield "|---|---|---|---|---|"
    for row in body["claims"]:
        share = f"{100 * row['holds'] / row['of']:.0f} %" if row["of"] else "-"
        yield f"| {row['claim']} | {row['source']} | {share} | {row['of']} | {_moves(row)} |"


def _moves(row: Mapping[str, Any]) -> str:
    shares = {
        axis: {value: holds / of for value, (holds, of) in values.items()} for axis, values in row["by_choice"].items()
    }
    spread = {axis: max(values.values()) - min(values.values()) for axis, values in shares.items()}
    axis = max(spread, key=lambda name: spread[name], default=None)
    if axis is None or spread[axis] == 0:
        return "nothing"
    parts = (f"{value} {100 * share:.0f} %" for value, share in shares[axis].items())
    return f"{axis}: {', '.join(parts)}"


def draw(body: Mapping[str, Any], path: Path) -> None:
    """The share of every claim as a bar, and the shares under each single choice as dots."""
    rows = [row for row in body["claims"] if row["of"]]
    with rc_context(STYLE):
        figure = Figure(figsize=(PAGE_INCHES, 0.6 + 0.24 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for place, row in enumerate(reversed(rows)):
            axes.barh(place, 100 * row["holds"] / row["of"], color=BLUE, alpha=0.3, height=0.7)
            for values in row["by_choice"].values():
                shares = [100 * holds / of for holds, of in values.values()]
                axes.plot(shares, [place] * len(shares), ".", color=GREY, markersize=3.5)
        axes.set_yticks(range(len(rows)), [f"{row['claim']} ({row['of']:,})" for row in reversed(rows)])
        axes.set(
            xlim=(-1, 101), xlabel="specifications under which it holds, per cent; dots: with one choice held fixed"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata=METADATA[path.suffix])


if __name__ == "__main__":
    main()
