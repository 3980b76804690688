"""Tasks with one label for each word."""

from collections.abc import Mapping

import numpy as np

from probes.errors import TaskError, list_names
from probes.task.join import check_splits, join_sentences, number
from probes.types import Corpus, RowIndex, Rows, Task


def label_words(name: str, column: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
    """A task whose labels stand in an annotation column; a word labelled `_` is no example."""
    check_splits(name, corpus, indexes)
    labels: list[str] = []
    parts = {split: _collect(name, column, corpus, split, index, labels) for split, index in indexes.items()}
    names, codes = number(labels)
    splits, start = {}, 0
    for split, (index, groups, words) in parts.items():
        splits[split] = Rows(index[:, None], codes[start : start + len(index)], groups, words)
        start += len(index)
    return Task(name=name, unit="word", labels=names, splits=splits)


def _collect(
    name: str, column: str, corpus: Corpus, split: str, index: RowIndex, labels: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if index.unit != "word":
        raise TaskError(
            f"Task {name!r} reads word vectors, but the cache holds sentence vectors. Encode with unit='word'."
        )
    rows, groups = [], []
    for sentence, span in join_sentences(corpus, split, index):
        if column not in sentence.columns:
            raise TaskError(
                f"Task {name!r} needs the column {column!r}, but sentence {sentence.id!r} of corpus "
                f"{corpus.name!r} has {list_names(column, sentence.columns)}. Use a corpus that is annotated so."
            )
        values = sentence.columns[column]
        last = int(index.word[span].max(initial=-1))
        if last >= len(values):
            raise TaskError(
                f"The cache holds word {last + 1} of sentence {sentence.id!r}, but the sentence has "
                f"{len(values)} words in corpus {corpus.name!r}. Encode this corpus again."
            )
        for row in range(span.start, span.stop):
            label = values[int(index.word[row])]
            if label != "_":
                rows.append(row)
                groups.append(sentence.group or sentence.id)
                labels.append(label)
    examples = np.asarray(rows, dtype=np.int64)
    return examples, number(groups)[1], index.types[examples].astype(np.int64)
