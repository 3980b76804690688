"""The floor that reads words: it finds what words say and nothing of their order, unless it reads pairs."""

from dataclasses import replace

import numpy as np
import pytest

from probes.fit.bag import predict_bag
from probes.fit.floor import predict_by_surface
from probes.types import Rows

SIZES = {"train": 400, "dev": 100, "test": 100}


def make_rows(texts, labels, **fields):
    size = len(texts)
    return Rows(
        np.arange(size)[:, None], np.asarray(labels), np.arange(size), np.full(size, -1), texts=tuple(texts), **fields
    )


def make_splits(write, seed=0):
    """For each split texts that `write` makes of a label and random words."""
    stream = np.random.default_rng(seed)
    splits = {}
    for split, size in SIZES.items():
        labels = stream.integers(0, 2, size)
        texts = [write(label, stream.choice(["cat", "Dog", "cow", "owl"], size=3)) for label in labels]
        splits[split] = make_rows(texts, labels)
    return splits


def accuracy(splits, **settings):
    return float((predict_bag(splits, **settings) == splits["test"].labels).mean())


def test_it_learns_words_whatever_their_case_and_place():
    splits = make_splits(lambda label, words: " ".join([*words, "GOOD" if label else "bad"]))
    splits["test"] = replace(splits["test"], texts=tuple(text.swapcase() for text in splits["test"].texts))
    assert accuracy(splits) == 1.0


def test_it_does_not_learn_order_but_pairs_of_words_do():
    splits = make_splits(lambda label, words: f"{words[0]} {'up down' if label else 'down up'}")
    assert accuracy(splits) < 0.65
    assert accuracy(splits, longest=2) == 1.0


def test_without_any_word_that_comes_again_it_is_the_majority():
    splits = {
        split: make_rows([f"{split}{number}" for number in range(5)], [1, 1, 1, 0, 0])
        for split in ("train", "dev", "test")
    }
    assert predict_bag(splits).tolist() == [1] * 5


def test_partners_are_compared():
    splits = make_splits(lambda label, words: "good" if label else "fine")
    texts = ["good cat", "fine cat", "good cow", "good owl"]
    partner = np.array([1, 0, 3, 2])
    splits["test"] = make_rows(texts, [1, 0, 1, 0], partner=partner)
    # The last two are equally good: neither is better.
    assert predict_bag(splits).tolist() == [1, 0, 0, 0]


def test_a_surface_value_has_its_majority_and_a_new_one_that_of_all():
    def rows(lengths, labels):
        return replace(make_rows([""] * len(labels), labels), surface={"length": np.array(lengths)})

    train = rows([3, 3, 3, 7, 7, 9], [0, 0, 1, 1, 1, 1])
    assert predict_by_surface(train, rows([7, 3, 100, -2], [0] * 4), "length").tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_floor_is_the_same_every_time(seed):
    splits = make_splits(lambda label, words: " ".join(words), seed)
    assert np.array_equal(predict_bag(splits), predict_bag(splits))


def test_a_question_is_answered_once_and_any_other_anew(monkeypatch):
    from sklearn.linear_model import LogisticRegression

    fits, fit = [], LogisticRegression.fit

    def count(self, *arguments):
        fits.append(self.C)
        return fit(self, *arguments)

    monkeypatch.setattr(LogisticRegression, "fit", count)
    splits = make_splits(lambda label, words: " ".join([*words, "yes" if label else "no"]), seed=5)
    first = predict_bag(splits)
    first[:] = 7  # what a caller does to its answers
    assert predict_bag(splits).max() <= 1
    assert fits == [0.1, 1.0, 10.0]
    others = [
        {**splits, "test": replace(splits["test"], texts=splits["test"].texts[::-1])},
        {**splits, "train": replace(splits["train"], labels=1 - splits["train"].labels)},
        {**splits, "dev": replace(splits["dev"], labels=1 - splits["dev"].labels)},
    ]
    for number, other in enumerate(others, start=2):
        predict_bag(other)
        assert len(fits) == 3 * number
    predict_bag(splits, longest=2)
    assert len(fits) == 15
