"""Minimal pairs: which of two sentences that differ in one point is the good one (Warstadt et al. 2020)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from probes.errors import TaskError
from probes.task.join import join_sentences
from probes.task.sentence import label_sentences
from probes.types import Corpus, RowIndex, Rows, Task

GOOD, BAD = "good", "bad"


def label_pairs(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
    """Good or bad for each sentence, scored within its pair: the one that looks better must be the good one.

    The attribute `pair` says which two belong together, `paradigm` is scored by itself too. Raises TaskError for a pair
    that is not one good and one bad sentence.
    """
    task = label_sentences(name, "label", corpus, indexes)
    splits = {
        split: _with_partners(task, rows, [one for one, _ in join_sentences(corpus, split, indexes[split])])
        for split, rows in task.splits.items()
    }
    return replace(task, splits=splits)


def _with_partners(task: Task, rows: Rows, sentences: Sequence) -> Rows:
    names = [one.attributes.get("pair", one.id) for one in sentences if "label" in one.attributes]
    paradigms = [one.attributes.get("paradigm") for one in sentences if "label" in one.attributes]
    subsets = {
        f"paradigm:{paradigm}": np.asarray([one == paradigm for one in paradigms])
        for paradigm in sorted({one for one in paradigms if one})
    }
    labels = [task.labels[label] for label in rows.labels.tolist()]
    return replace(rows, partner=find_partners(task.name, names, labels), subsets={**rows.subsets, **subsets})


def find_partners(task: str, names: Sequence[str], labels: Sequence[str]) -> Int[np.ndarray, " example"]:
    """The number of the other example of each pair, `good` for `bad` and the other way round.

    Raises TaskError for a pair that is not one of each.
    """
    members: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        members.setdefault(name, []).append(number)
    partner = np.empty(len(names), dtype=np.int64)
    for name, pair in members.items():
        found = sorted(labels[number] for number in pair)
        if found != [BAD, GOOD]:
            raise TaskError(
                f"Task {task!r} needs one good and one bad sentence in each pair, but pair {name!r} has "
                f"{', '.join(found)}. Complete it, or leave it out."
            )
        partner[pair] = pair[::-1]
    return partner
