"""Under which share of all defensible specifications each textbook claim about layers holds.

    probes run experiments/multiverse/*.yaml --set encoder.name=NAME
    python experiments/multiverse/claims.py --encoder NAME

Writes results/multiverse/<encoder>.json, its table, a figure, and every specification as a CSV file, which stands in
for runs that are not there.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from archive import asked_runs, read_archive, write_archive
from matplotlib import rc_context
from matplotlib.figure import Figure
from specification import NONE, Specification, specify_all
from textbook import CLAIMS

import probes
from probes.cli.script import answer, run_script
from probes.config import EncoderConfig, logical_name
from probes.errors import ResultError
from probes.report.figure import BLUE, GREY, PAGE_INCHES, STYLE, write_figure

BERT = "bert-base-uncased"
FILES = sorted(Path(__file__).parent.glob("*.yaml"))
NAMES = [path.stem for path in FILES]
# Of fewer that are alike in all else a share is not told: it would be the noisiest choice that "moves most".
LEAST = 10
Verdict = tuple[Specification, bool]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default=BERT)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    encoder = logical_name(options.encoder)  # as results have it
    found = read(options.results, encoder)
    rows = [*judge(found), *judge_twins(found)]
    name = EncoderConfig(name=encoder).slug
    body = {"encoder": encoder, "specifications": len(found), "claims": rows, "best_layers": best_layers(found)}
    answer(options.results / "multiverse" / f"{name}.json", body, write_table(body))
    write_archive(found, archive_path(options.results, encoder))
    for suffix in (".pdf", ".png"):
        draw(body, options.results / "figures" / f"multiverse-{name}{suffix}")


def read(results: Path, encoder: str) -> list[Specification]:
    """Every specification of an encoder and its twins, of runs that are there and of those that were kept.

    Raises ResultError where there is none.
    """
    done = [name for name in NAMES if any((results / "runs" / name).glob("*.json"))]
    every = [curve.record for name in done for curve in probes.read_results(name, results)]
    # A run of two files is one.
    records = {one.run_id: one for one in every if one.config["encoder"]["name"] == encoder}
    own = specify_all(list(records.values()))
    weights = {one.choices["twin"]: one.origin.weights for one in own}
    kept = read_archive(archive_path(results, encoder), asked_runs(FILES, encoder), weights)
    found = {(one.task, one.key): one for one in (*kept, *own)}
    if not found:
        names = dict.fromkeys(one.config["encoder"]["name"] for one in every)
        held = f"those of {', '.join(done)} are of {', '.join(map(repr, names))}" if every else "there are none"
        raise ResultError(
            f"Runs of {encoder!r} were expected in {results / 'runs'}, but {held}. Run them: probes run "
            f"experiments/multiverse/*.yaml --set encoder.name={encoder}."
        )
    return [found[name] for name in sorted(found)]


def archive_path(results: Path, encoder: str) -> Path:
    return results / "multiverse" / f"{EncoderConfig(name=encoder).slug}.csv"


def judge(found: Sequence[Specification]) -> Iterator[dict[str, Any]]:
    """For each claim: under how many specifications it holds, in all and by each choice."""
    own = [one for one in found if one.choices["twin"] == NONE]
    for claim in CLAIMS:
        by_key: dict[Any, dict[str, Specification]] = {}
        for one in own:
            if one.task in claim.tasks:
                by_key.setdefault(one.key, {})[one.task] = one
        whole = [part for part in by_key.values() if len(part) == len(claim.tasks)]
        verdicts = [(part[claim.tasks[0]], claim.holds(*(part[task] for task in claim.tasks))) for part in whole]
        yield _row(claim.statement, claim.source, verdicts)


def best_layers(found: Sequence[Specification]) -> dict[str, list[int]]:
    """For each task: at each layer, how many curves of the trained encoder are highest there."""
    counts: dict[str, list[int]] = {}
    for one in found:
        if one.choices["twin"] == NONE:
            counts.setdefault(one.task, [0] * len(one.curve))[one.best] += 1
    return counts


def judge_twins(found: Sequence[Specification]) -> Iterator[dict[str, Any]]:
    """Whether the trained encoder is better behind every block than an untrained one that was read alike.

    Not at the embeddings, which one kind of twin has from the trained encoder.
    """
    trained = {(one.task, one.key_without("twin")): one for one in found if one.choices["twin"] == NONE}
    for task in ("pos", "dependency_label"):
        verdicts = [
            (twin, bool((own.curve[1:] > twin.curve[1:]).all()))
            for twin in found
            if twin.task == task and twin.choices["twin"] != NONE
            for own in [trained.get((task, twin.key_without("twin")))]
            if own is not None
        ]
        yield _row(f"{task.replace('_', ' ')}: the trained encoder is better behind every block", "", verdicts)


def _row(statement: str, source: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    axes = verdicts[0][0].choices if verdicts else ()
    by_choice = {axis: _by_choice(axis, verdicts) for axis in axes}
    by_choice = {axis: counts for axis, counts in by_choice.items() if len(counts) > 1}
    return {
        "claim": statement,
        "source": source,
        "holds": sum(holds for _, holds in verdicts),
        "of": len(verdicts),
        "moved_by": _moved_by(by_choice),
        "by_choice": by_choice,
    }


def _moved_by(by_choice: Mapping[str, Mapping[str, list[int]]]) -> str | None:
    """The choice whose values differ most in how often a claim holds, of `LEAST` at each; none where all are equal."""
    enough = {axis: counts for axis, counts in by_choice.items() if min(of for _, of in counts.values()) >= LEAST}
    shares = {axis: _shares(counts).values() for axis, counts in enough.items()}
    spread = {axis: max(values) - min(values) for axis, values in shares.items()}
    axis = max(spread, key=lambda name: spread[name], default=None)
    return axis if axis is not None and spread[axis] > 0 else None


def _shares(counts: Mapping[str, list[int]]) -> dict[str, float]:
    return {value: holds / of for value, (holds, of) in counts.items()}


def _by_choice(axis: str, verdicts: Sequence[Verdict]) -> dict[str, list[int]]:
    """Counts at each value of one choice, over what was made alike in everything else at all its values."""
    values = dict.fromkeys(one.choices[axis] for one, _ in verdicts)
    alike: dict[Any, dict[str, bool]] = {}
    for one, holds in verdicts:
        alike.setdefault(one.key_without(axis), {})[one.choices[axis]] = holds
    whole = [part for part in alike.values() if len(part) == len(values)]
    return {value: [sum(part[value] for part in whole), len(whole)] for value in values} if whole else {}


def write_table(body: Mapping[str, Any]) -> Iterator[str]:
    """The shares, and for each claim the choice that moves it most."""
    yield f"{body['specifications']:,} specifications of `{body['encoder']}` and its twins; the best layer of each is"
    yield "where its curve is highest."
    yield ""
    yield "| claim | after | holds | of | what moves it most |"
    yield "|---|---|---|---|---|"
    for row in body["claims"]:
        share = f"{100 * row['holds'] / row['of']:.0f} %" if row["of"] else "-"
        yield f"| {row['claim']} | {row['source']} | {share} | {row['of']} | {_moves(row)} |"


def _moves(row: Mapping[str, Any]) -> str:
    if row["moved_by"] is None:
        return "nothing"
    shares = _shares(row["by_choice"][row["moved_by"]])
    return f"{row['moved_by']}: {', '.join(f'{value} {100 * share:.0f} %' for value, share in shares.items())}"


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
        figure.supxlabel("specifications under which it holds, per cent; dots: one choice held fixed", fontsize=8)
        axes.set_xlim(-1, 101)
        write_figure(figure, path)


if __name__ == "__main__":
    run_script(main)
