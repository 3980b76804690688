"""Published numbers that need no BERT, computed again: from released scores, from a treebank, from the right units.

    PROBES_DATA=... python experiments/reproduction/exact.py [--results results]

Writes results/reproduction/exact.json and its table. `tolerance` was written down before the first computation.
"""

import argparse
import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression

import probes
from probes.metric.depth import expected_layer
from probes.metric.tree import chain_distances, count_edges
from probes.types import Corpus, Sentence

REFERENCE = Path(__file__).with_name("reference")
TREEBANK = "ud-english-ewt/en_ewt-ud-*.conllu"
SHAPE, REPRODUCED = "shape replicated", "reproduced"
# In the order of the expected layers of the paper's Figure 2, which are those of BERT-large.
TENNEY = {"POS": "POS", "Consts": "Consts", "NER": "Entities", "Deps": "Deps", "SRL": "SRL", "Coref": "Coref"}
# scikit-learn's C: the penalty that dev chooses among these.
STRENGTHS = (0.1, 1.0, 10.0)
POINT = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """A number of a paper beside ours."""

    paper: str
    what: str
    published: float | None
    ours: float
    tolerance: float | None = None
    differs: str = ""
    """What is not as in the paper."""

    @property
    def verdict(self) -> str:
        if self.published is None or self.tolerance is None:
            return ""
        if abs(self.ours - self.published) > self.tolerance:
            return "not within the tolerance"
        return SHAPE if self.differs else REPRODUCED


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--treebank", default=TREEBANK)
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    corpus = probes.read_corpus(options.treebank)
    rows = [*tenney_rows(), *code_rows(), *pareto_rows(corpus), *chain_rows(corpus)]
    folder = options.results / "reproduction"
    folder.mkdir(parents=True, exist_ok=True)
    body = [asdict(row) | {"verdict": row.verdict} for row in rows]
    (folder / "exact.json").write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = "\n".join(write_table(rows))
    (folder / "exact.md").write_text(text + "\n", encoding="utf-8")
    print(text)


def read_reference(name: str) -> dict[str, dict[str, str]]:
    """Rows of a file of published numbers by their first column."""
    with (REFERENCE / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
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
    published = read_reference("pareto2020_ud_english.csv")
    for task, ends in (("pos", ("word",)), ("dependency_label", ("word", "head"))):
        ours = 100 * one_hot_accuracy(corpus, task, ends)
        differs = "release of the treebank, optimiser, penalty chosen on dev"
        theirs = float(published[task]["one_hot"])
        yield Row(
            "Pimentel et al. 2020", f"{task}, linear on one-hot words, test accuracy", theirs, ours, POINT, differs
        )


def one_hot_accuracy(corpus: Corpus, task: str, ends: Sequence[str]) -> float:
    """Accuracy on test of the logistic regression whose penalty dev chooses."""
    words = {split: list(_examples(corpus[split], task, ends)) for split in ("train", "dev", "test")}
    names = [{word: number for number, word in enumerate(dict.fromkeys(column))} for column in _columns(words["train"])]
    data = {split: (_one_hot(part, names), [label for *_, label in part]) for split, part in words.items()}
    fits = [LogisticRegression(C=strength, max_iter=300, tol=1e-5).fit(*data["train"]) for strength in STRENGTHS]
    best = max(fits, key=lambda fit: fit.score(*data["dev"]))
    return float(best.score(*data["test"]))


def _examples(sentences: Sequence[Sentence], task: str, ends: Sequence[str]) -> Iterator[tuple[str, ...]]:
    for one in sentences:
        assert one.tree is not None
        for place, head in enumerate(one.tree.heads):
            if task == "pos":
                yield one.words[place], one.columns["upos"][place]
            elif head > 0:
                known = {"word": one.words[place], "head": one.words[head - 1]}
                yield *(known[end] for end in ends), one.tree.relations[place]


def _columns(examples: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    *columns, _ = zip(*examples, strict=True)
    return columns


def _one_hot(examples: Sequence[tuple[str, ...]], names: Sequence[Mapping[str, int]]) -> csr_array:
    """A word that train lacks is no feature at all."""
    row, column, start = [], [], 0
    for number, known in enumerate(names):
        pairs = [(place, known[one[number]] + start) for place, one in enumerate(examples) if one[number] in known]
        row += [place for place, _ in pairs]
        column += [code for _, code in pairs]
        start += len(known)
    return csr_array((np.ones(len(row)), (row, column)), shape=(len(examples), start))


def chain_rows(corpus: Corpus) -> Iterator[Row]:
    """UUAS on test of the tree in which each word hangs on the next: the floor of structural probes here."""
    for name, has_punctuation in (("without", False), ("with", True)):
        several = [one for one in corpus["test"] if len(one.words) > 1]  # one word has no edge
        found = sum((chain_edges(one, has_punctuation) for one in several), np.zeros(2, dtype=np.int64))
        value = 100 * found[0] / found[1]
        yield Row("Hewitt and Manning 2019", f"UUAS of a chain, {name} punctuation, English EWT", None, float(value))


def chain_edges(sentence: Sentence, has_punctuation: bool) -> Int[np.ndarray, " 2"]:
    """Edges that a chain finds, and all that there are."""
    assert sentence.tree is not None
    heads = np.array([sentence.tree.heads]) - 1
    is_scored = np.array([[has_punctuation or tag != "PUNCT" for tag in sentence.columns["upos"]]])
    found, there = count_edges(chain_distances(heads.shape[1])[None, None], heads, is_scored)
    return np.array([found[0, 0], there[0]])


def write_table(rows: Sequence[Row]) -> Iterator[str]:
    yield "| paper | number | published | ours | tolerance | verdict | differs |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        published = "" if row.published is None else f"{row.published:g}"
        tolerance = "" if row.tolerance is None else f"{row.tolerance:g}"
        ours = f"{row.ours:.2f}"
        yield f"| {row.paper} | {row.what} | {published} | {ours} | {tolerance} | {row.verdict} | {row.differs} |"


if __name__ == "__main__":
    main()
