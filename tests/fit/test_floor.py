"""Floors against slow references."""

from collections import Counter

import numpy as np
import pytest

from probes.fit.floor import count_in_train, predict_majority, predict_word_majority
from probes.types import Rows


def make_rows(labels, words):
    labels, words = np.asarray(labels), np.asarray(words)
    return Rows(np.arange(len(labels))[:, None], labels, np.zeros(len(labels), dtype=np.int64), words)


@pytest.fixture(params=[0, 1, 2])
def splits(request):
    """Train and test in which many words are rare, and some of test are not in train."""
    stream = np.random.default_rng(request.param)
    words = stream.geometric(0.05, size=600)
    labels = (words + stream.integers(0, 3, 600)) % 6
    return make_rows(labels[:400], words[:400]), make_rows(labels[400:], words[400:] + stream.integers(0, 2, 200) * 30)


def test_majority_is_the_most_frequent_label_of_train(splits):
    train, test = splits
    counts = Counter(train.labels.tolist())
    best = min(label for label in counts if counts[label] == max(counts.values()))
    assert predict_majority(train, test).tolist() == [best] * 200


def test_word_majority_equals_a_slow_reference(splits):
    train, test = splits
    majority = int(predict_majority(train, test)[0])
    seen: dict[int, Counter] = {}
    for word, label in zip(train.words.tolist(), train.labels.tolist(), strict=True):
        seen.setdefault(word, Counter())[label] += 1
    expected = []
    for word in test.words.tolist():
        counts = seen.get(word, Counter({majority: 1}))
        expected.append(min(label for label in counts if counts[label] == max(counts.values())))
    assert predict_word_majority(train, test).tolist() == expected
    assert any(word not in seen for word in test.words.tolist())


def test_count_in_train_equals_a_slow_reference(splits):
    train, test = splits
    counts = Counter(train.words.tolist())
    assert count_in_train(train, test).tolist() == [counts[word] for word in test.words.tolist()]


def test_floors_by_hand():
    train, test = make_rows([0, 0, 1, 1, 1, 2], [5, 5, 5, 6, 6, 7]), make_rows([0, 1, 2, 0], [5, 6, 7, 99])
    assert predict_majority(train, test).tolist() == [1, 1, 1, 1]
    assert predict_word_majority(train, test).tolist() == [0, 1, 2, 1]
    assert count_in_train(train, test).tolist() == [3, 2, 1, 0]


def test_the_first_of_equally_frequent_labels_is_taken():
    train, test = make_rows([2, 1, 1, 2], [0, 0, 1, 1]), make_rows([0, 0], [0, 1])
    assert predict_majority(train, test).tolist() == [1, 1]
    assert predict_word_majority(train, test).tolist() == [1, 1]


def test_floors_do_not_read_the_labels_they_answer_for(splits):
    train, test = splits
    other = make_rows(np.zeros_like(test.labels), test.words)
    assert np.array_equal(predict_word_majority(train, test), predict_word_majority(train, other))
