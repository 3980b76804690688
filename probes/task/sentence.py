"""Tasks with one label for each sentence."""

from collections.abc import Mapping

import numpy as np

from probes.errors import TaskError, list_names
from probes.task.join import check_splits, join_sentences, number
from probes.types import Corpus, RowIndex, Rows, Task


def label_sentences(name: str, attribute: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
    """A task whose labels stand in an attribute of the sentence; a sentence without it is no example."""
    check_splits(name, corpus, indexes)
    labels: list[str] = []
    parts = {split: _collect(name, attribute, corpus, split, index, labels) for split, index in indexes.items()}
    names, codes = number(labels)
    splits, start = {}, 0
    for split, (index, groups) in parts.items():
        nothing_recurs = np.full(len(index), -1, dtype=np.int64)
        splits[split] = Rows(index[:, None], codes[start : start + len(index)], groups, nothing_recurs)
        start += len(index)
    return Task(name=name, unit="sentence", labels=names, splits=splits)


def _collect(
    name: str, attribute: str, corpus: Corpus, split: str, index: RowIndex, labels: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    if index.unit != "sentence":
        raise TaskError(
            f"Task {name!r} reads sentence vectors, but the cache holds word vectors. Encode with unit='sentence'."
        )
    rows, groups, known = [], [], set()
    for sentence, span in join_sentences(corpus, split, index):
        known.update(sentence.attributes)
        if attribute in sentence.attributes:
            rows.append(span.start)
            groups.append(sentence.group or sentence.id)
            labels.append(sentence.attributes[attribute])
    if not rows:
        raise TaskError(
            f"Task {name!r} needs sentences with the attribute {attribute!r}, but split {split!r} of corpus "
            f"{corpus.name!r} has {list_names(attribute, known)}. Use a corpus that is annotated so."
        )
    return np.asarray(rows, dtype=np.int64), number(groups)[1]
