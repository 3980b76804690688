"""How far intervals depend on what is resampled: words, sentences or documents.

    python experiments/multiverse/resampling_unit.py [EXPERIMENT] [--results results]

Reads the curves of an experiment on words, whose outcomes have to be there (those of `layer_pos` are kept), and its
corpus. Words of a sentence and sentences of a document are right and wrong together, so an interval that takes words
for independent is too narrow. Writes results/multiverse/unit-EXPERIMENT.json and its table: standard errors, and how
many pairs of layers are told apart by a paired 95 % interval.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from probes import read_results
from probes.cli.script import answer, run_script
from probes.config import Run, parse
from probes.errors import ResultError
from probes.metric.interval import percentile_interval, resample_means
from probes.study.curve import Curve
from probes.study.difference import describe
from probes.study.material import read_sentences
from probes.task import build_task
from probes.types import RowIndex, Sentence

UNITS = ("word", "sentence", "document")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default="layer_pos")
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args(arguments)
    curves = list(read_results(options.experiment, options.results))
    groups = group_examples(curves[0])
    found = [by_unit(curve, groups) for curve in curves]
    answer(options.results / "multiverse" / f"unit-{options.experiment}.json", found, write_table(found))


def group_examples(curve: Curve) -> dict[str, Int[np.ndarray, " example"]]:
    """Which word, sentence and document each test example of a curve belongs to, numbered from 0.

    Raises ResultError for a task that is not asked of words, or a corpus that is not the one of the curve.
    """
    run, outcomes = parse(Run, curve.record.config, where=curve.record.experiment), curve.outcomes
    corpus = read_sentences(run)
    index = {split: index_words(corpus[split]) for split in corpus.splits}
    rows = build_task(run.task.name, corpus, index, seed=run.seed).splits["test"]
    if rows.index.shape[1] != 1 or not np.array_equal(rows.groups, outcomes.group):
        raise ResultError(
            f"A task of single words on the corpus of its curves was expected, but the test examples of "
            f"{curve.record.experiment} ({run.task.name}) are others. Name an experiment on words, and set PROBES_DATA."
        )
    sentence = np.searchsorted(index["test"].offsets, rows.index[:, 0], side="right") - 1
    return {"word": np.arange(len(sentence)), "sentence": sentence, "document": outcomes.group}


def index_words(sentences: Sequence[Sentence]) -> RowIndex:
    """A row for every word, as a cache of words has them."""
    sizes = [len(sentence.words) for sentence in sentences]
    word = np.concatenate([np.arange(size) for size in sizes])
    return RowIndex(
        unit="word",
        ids=[sentence.id for sentence in sentences],
        offsets=np.concatenate([[0], np.cumsum(sizes)]),
        word=word,
        types=np.zeros(len(word), dtype=np.int64),
    )


def by_unit(curve: Curve, groups: Mapping[str, Int[np.ndarray, " example"]]) -> dict[str, Any]:
    """Of one curve, for each unit: how many there are, standard errors, and pairs of layers that are told apart."""
    correct, seed = curve.outcomes.correct, curve.record.config["seed"]
    units = []
    for unit in UNITS:
        resampled = resample_means(correct, groups[unit], seed)
        pairs = list(combinations(range(len(correct)), 2))
        intervals = [
            percentile_interval(float(correct[a].mean() - correct[b].mean()), resampled[a] - resampled[b])
            for a, b in pairs
        ]
        units.append(
            {
                "unit": unit,
                "groups": len(np.unique(groups[unit])),
                "standard_error": [float(one) for one in resampled.std(axis=1, ddof=1)],
                "told_apart": sum(one.low > 0 or one.high < 0 for one in intervals),
                "pairs": len(pairs),
            }
        )
    return {"curve": describe(curve), "layers": list(curve.record.layers), "units": units}


def write_table(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A row for each curve and unit; standard errors in points of accuracy."""
    yield "| curve | resampled | of them | standard error, least to greatest of layers | pairs of layers told apart |"
    yield "|---|---|---|---|---|"
    for one in found:
        for unit in one["units"]:
            low, high = (100 * bound(unit["standard_error"]) for bound in (min, max))
            apart = f"{unit['told_apart']} of {unit['pairs']}"
            yield f"| {one['curve']} | {unit['unit']}s | {unit['groups']:,} | {low:.2f} to {high:.2f} | {apart} |"


if __name__ == "__main__":
    run_script(main)
