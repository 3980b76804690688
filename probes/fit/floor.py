"""What can be answered without any vector."""

import numpy as np
from jaxtyping import Int

from probes.types import Rows


def predict_majority(train: Rows, rows: Rows) -> Int[np.ndarray, " example"]:
    """The most frequent label of train for every example; the first of equals."""
    return np.full(len(rows), np.bincount(train.labels).argmax())


def predict_word_majority(train: Rows, rows: Rows) -> Int[np.ndarray, " example"]:
    """The most frequent label that each word type had in train; the overall majority for unseen types."""
    return _majority_by_code(train.words, train.labels, rows.words)


def predict_by_labels(train: Rows, rows: Rows) -> dict[str, Int[np.ndarray, " example"]]:
    """What the labels of train alone answer: `majority`, and `word_majority` where units recur."""
    found = {"majority": predict_majority(train, rows)}
    if recurs(train, rows):
        found["word_majority"] = predict_word_majority(train, rows)
    return found


def recurs(*every: Rows) -> bool:
    """Whether every example is of a unit that can come again, such as a word type."""
    return all(bool((rows.words >= 0).all()) for rows in every)


def predict_by_surface(train: Rows, rows: Rows, what: str) -> Int[np.ndarray, " example"]:
    """The most frequent label in train at each value of a surface property; the overall majority for a new value."""
    _, codes = np.unique(np.concatenate([train.surface[what], rows.surface[what]]), return_inverse=True)
    return _majority_by_code(codes[: len(train)], train.labels, codes[len(train) :])


def _majority_by_code(
    train: Int[np.ndarray, " train"], labels: Int[np.ndarray, " train"], codes: Int[np.ndarray, " example"]
) -> Int[np.ndarray, " example"]:
    num_codes = 1 + int(max(train.max(initial=-1), codes.max(initial=-1)))
    counts = np.zeros((num_codes, 1 + int(labels.max())), dtype=np.int64)
    np.add.at(counts, (train, labels), 1)
    majority = int(np.bincount(labels).argmax())
    return np.where(counts.sum(axis=1) > 0, counts.argmax(axis=1), majority)[codes]


def count_in_train(train: Rows, rows: Rows) -> Int[np.ndarray, " example"]:
    """How often the word type of each example stands in train; 0 marks an unseen type."""
    num_types = 1 + int(max(train.words.max(initial=-1), rows.words.max(initial=-1)))
    return np.bincount(train.words, minlength=num_types)[rows.words]
