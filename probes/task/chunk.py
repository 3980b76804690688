"""Chunks as word labels: where each begins, goes on, or is none (Ramshaw and Marcus 1995)."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from probes.task.word import label_words
from probes.types import Corpus, RowIndex, Task


def label_chunks(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
    """The tag of each word in the column `chunk`, scored by whole chunks beside accuracy.

    A tag that train never shows, such as I-LST in test of CoNLL-2000, is a label that nothing predicts.
    """
    task = label_words(name, "chunk", corpus, indexes, scorer="chunk_f1")
    splits = {}
    for split, rows in task.splits.items():
        owners = np.searchsorted(indexes[split].offsets, rows.index[:, 0], side="right") - 1
        splits[split] = replace(rows, sequence=owners)
    return replace(task, splits=splits)
