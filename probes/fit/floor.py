"""What can be answered without any vector."""

import numpy as np
from jaxtyping import Int

from probes.types import Rows


def predict_majority(train: Rows, rows: Rows) -> Int[np.ndarray, " example"]:
    """The most frequent label of train for every example; the first of equals."""
    return np.full(len(rows), np.bincount(train.labels).argmax())


def predict_word_majority(train: Rows, rows: Rows) -> Int[np.ndarray, " example"]:
    """The most frequent label that each word type had in train; the overall majority for unseen types."""
    num_types = 1 + int(max(train.words.max(initial=-1), rows.words.max(initial=-1)))
    num_labels = 1 + int(train.labels.max())
    counts = np.zeros((num_types, num_labels), dtype=np.int64)
    np.add.at(counts, (train.words, train.labels), 1)
    majority = int(np.bincount(train.labels).argmax())
    answers = np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), majority)
    return answers[rows.words]


def count_in_train(train: Rows, rows: Rows) -> Int[np.ndarray, " example"]:
    """How often the word type of each example stands in train; 0 marks an unseen type."""
    num_types = 1 + int(max(train.words.max(initial=-1), rows.words.max(initial=-1)))
    return np.bincount(train.words, minlength=num_types)[rows.words]
