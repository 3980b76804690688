"""Published numbers that need no BERT, computed again: from released scores, from a treebank, from the right units.

    PROBES_DATA=... python experiments/reproduction/exact.py [--results results]

Writes results/reproduction/exact.json and its table. `tolerance` was written down before the first computation.
"""

import argparse
import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from floors import chain_edges, offset_accuracy, one_hot_accuracy
from verdict import NOT_HERE, SHAPE

import probes
from probes.cli.script import answer, run_script
from probes.metric.depth import expected_layer
from probes.types import Corpus

REFERENCE = Path(__file__).with_name("reference")
TREEBANK = "ud-english-ewt/en_ewt-ud-*.conllu"
REPRODUCED = "reproduced"
# In the order of the expected layers of the paper's Figure 2, which are those of BERT-large.
TENNEY = {"POS": "POS", "Consts": "Consts", "NER": "Entities", "Deps": "Deps", "SRL": "SRL", "Coref": "Coref"}
# Relations whose floor is computed.
RELATIONS = ("det", "obj", "nsubj", "amod", "nmod:poss", "aux")
POINT = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """A number of a paper beside ours."""

    paper: str
    what: str
    published: float | None
    ours: float | None
    tolerance: float | None = None
    differs: str = ""
    """What is not as in the paper; where there is nothing of ours, what is missing."""

    @property
    def verdict(self) -> str:
        """One of the words of verdict.py; none for a number beyond its tolerance, or with nothing beside it."""
        if self.ours is None:
            return NOT_HERE
        if self.published is None or self.tolerance is None or abs(self.ours - self.published) > self.tolerance:
            return ""
        return SHAPE if self.differs else REPRODUCED


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--treebank", default=TREEBANK)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    corpus = probes.read_corpus(options.treebank)
    rows = [*tenney_rows(), *code_rows(), *pareto_rows(corpus), *chain_rows(corpus), *offset_rows(corpus)]
    body = [asdict(row) | {"verdict": row.verdict} for row in rows]
    answer(options.results / "reproduction" / "exact.json", body, write_table(rows))


def read_reference(name: str, **wanted: str) -> dict[str, dict[str, str]]:
    """Rows of a file of published numbers by their first column, of those with these values."""
    with (REFERENCE / name).open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if wanted.items() <= row.items()]
    first = next(iter(rows[0]))
    return {row[first]: row for row in rows}


def tenney_rows() -> Iterator[Row]:
    """Expected layers from the released cumulative scores of BERT-base, and whether their order is that of large."""
    base = read_reference("tenney2019_base_cumulative.csv")
    large = read_reference("tenney2019_large_summary.csv")["expected_layer"]
    found = {
        task: float(expected_layer(np.array([float(row[str(layer)]) for layer in range(13)])))
        for task, row in base.items()
    }
    paper = "Tenney et al. 2019"
    for task, value in found.items():
        yield Row(paper, f"expected layer of {task}, BERT-base, from released scores", None, value)
    in_large = sorted(TENNEY, key=lambda task: float(large[TENNEY[task]]))
    kept = sum(found[one] < found[other] for one, other in pairwise(in_large))
    pairs = len(in_large) - 1
    what = f"neighbours in the order {' < '.join(in_large)} of BERT-large that BERT-base has too"
    yield Row(paper, what, pairs, kept, 0, "BERT-base for BERT-large")


def code_rows() -> Iterator[Row]:
    """A released compression, whose first portion is in bits and whose others are in nats, in bits throughout."""
    row = read_reference("voita2020_log.csv")
    mixed, first = float(row["compression"]["value"]), float(row["first_portion"]["value"])
    yield Row(
        "Voita and Titov 2020", f"compression {mixed:.0f} of a released log, in bits", None, in_bits(mixed, first)
    )


def in_bits(compression: float, first: float) -> float:
    """The compression whose rest, the code without its first portion, was counted in nats as if they were bits.

    >>> round(in_bits(1 / 0.5, 0.5), 1)  # nothing after the first portion
    2.0
    """
    rest = 1 / compression - first
    return 1 / (first + rest / math.log(2))


def pareto_rows(corpus: Corpus) -> Iterator[Row]:
    """Linear probes of one-hot words, types as written: of part of speech the word, of an arc both its ends."""
    published = read_reference("pareto2020_ud_english.csv", probe="linear")
    for task, ends in (("pos", ("word",)), ("dependency_label", ("word", "head"))):
        ours = 100 * one_hot_accuracy(corpus, task, ends)
        differs = "release of the treebank, optimiser, penalty chosen on dev"
        theirs = float(published[task]["one_hot"])
        yield Row(
            "Pimentel et al. 2020", f"{task}, linear on one-hot words, test accuracy", theirs, ours, POINT, differs
        )


def chain_rows(corpus: Corpus) -> Iterator[Row]:
    """UUAS on test of the tree in which each word hangs on the next: the floor of structural probes here."""
    for name, has_punctuation in (("without", False), ("with", True)):
        found, there = chain_edges(corpus["test"], has_punctuation)
        what = f"UUAS of a chain, {name} punctuation, English EWT"
        yield Row("Hewitt and Manning 2019", what, None, 100 * found / there)


def offset_rows(corpus: Corpus) -> Iterator[Row]:
    """Heads at the distance that is most frequent on dev, scored on test: the floor of attention heads here."""
    for relation in RELATIONS:
        offset, accuracy = offset_accuracy(corpus, relation)
        what = f"heads of {relation} at distance {offset:+d}, English EWT"
        yield Row("Clark et al. 2019", what, None, 100 * accuracy)


def write_table(rows: Sequence[Row]) -> Iterator[str]:
    yield "| paper | number | published | ours | tolerance | verdict | differs |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        published = "" if row.published is None else f"{row.published:.4g}"
        tolerance = "" if row.tolerance is None else f"{row.tolerance:g}"
        ours = "-" if row.ours is None else f"{row.ours:.2f}"
        yield f"| {row.paper} | {row.what} | {published} | {ours} | {tolerance} | {row.verdict} | {row.differs} |"


if __name__ == "__main__":
    run_script(main)
