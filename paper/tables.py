"""Every number and table of the paper, taken from results/: generated/numbers.tex and a file for each table.

    python paper/tables.py [--results results] [--to paper/generated]

The text says `\\num{fit.stack}`; a key that is not written here stops the build of the paper. What rests on
results that are not there is left out, and said.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import multiverse
from kept import SHOWN, Kept, escape
from values import NUMBERS

from probes.cli.script import run_script
from probes.errors import ResultError

HERE = Path(__file__).parent
# Published numbers by the first word of what they are.
SHORT = {
    "neighbours": "neighbours as in BERT-large",
    "pos,": "part of speech, one-hot, %",
    "dependency_label,": "dependency label, one-hot, %",
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=HERE.parent / "results")
    parser.add_argument("--to", type=Path, default=HERE / "generated")
    options = parser.parse_args(arguments)
    options.to.mkdir(parents=True, exist_ok=True)
    for name, text in write_all(options.results).items():
        (options.to / name).write_text(text, encoding="utf-8")


def write_all(results: Path) -> dict[str, str]:
    """Files of the paper by name."""
    kept = Kept(results)
    pairs = dict(pair for numbers in NUMBERS for pair in _if_there(numbers, kept))
    files = {"numbers.tex": "".join(f"\\setnum{{{key}}}{{{value}}}\n" for key, value in sorted(pairs.items()))}
    tables = {f"{name}.tex": _if_there(rows, kept) for name, rows in TABLES.items()}
    return files | {name: "\n".join(rows) + "\n" for name, rows in tables.items() if rows}


def _if_there(make: Callable[[Kept], Iterator[Any]], kept: Kept) -> list[Any]:
    """What is made of results, or nothing where these are not there."""
    try:
        return list(make(kept))
    except ResultError as error:
        print(f"{make.__name__} is left out: {error}", file=sys.stderr)
        return []


def exact_table(kept: Kept) -> Iterator[str]:
    """Published numbers that need no BERT."""
    yield "\\begin{tabular}{@{}lrrl@{}}"
    yield "\\toprule"
    yield "number & published & ours & verdict \\\\"
    yield "\\midrule"
    for row in kept.json("reproduction/exact.json"):
        if row["published"] is not None:
            what = escape(SHORT[row["what"].split(" ")[0]])
            yield f"{what} & {row['published']:g} & {row['ours']:.4g} & {row['verdict']} \\\\"
    yield "\\bottomrule"
    yield "\\end{tabular}"


def verdict_table(kept: Kept) -> Iterator[str]:
    """The frozen predictions, an encoder a column."""
    found = {key: body["verdicts"] for key, body in kept.of_encoders("reproduction").items()}
    yield f"\\begin{{tabular}}{{@{{}}ll{'c' * len(found)}@{{}}}}"
    yield "\\toprule"
    yield f"paper & prediction & {' & '.join(SHOWN[key] for key in found)} \\\\"
    yield "\\midrule"
    for rows in zip(*found.values(), strict=True):
        held = " & ".join({None: "--", True: "yes", False: "no"}[row["held"]] for row in rows)
        yield f"{rows[0]['paper']} & {escape(rows[0]['statement'])} & {held} \\\\"
    yield "\\bottomrule"
    yield "\\end{tabular}"


TABLES: dict[str, Callable[[Kept], Iterator[str]]] = {
    "claims": multiverse.claims_table,
    "exact": exact_table,
    "verdicts": verdict_table,
}

if __name__ == "__main__":
    run_script(main)
