"""Overlaps: sentences of a later split that stand in an earlier one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.corpus.overlap import count_overlaps
from probes.types import Corpus, Sentence


def corpus(**splits: list[str]) -> Corpus:
    return Corpus(
        name="letters",
        splits={
            split: tuple(Sentence(id=f"{split}-{number}", text=text) for number, text in enumerate(texts))
            for split, texts in splits.items()
        },
    )


def test_every_split_is_counted_against_the_earlier_ones():
    found = count_overlaps(corpus(train=["a", "b", "b"], dev=["b", "c", "b"], test=["c", "a", "d", "b"]))
    assert found == {"dev in train": 2, "test in train": 2, "test in dev": 2}


def test_train_comes_first_in_whatever_order_the_corpus_has_its_splits():
    assert list(count_overlaps(corpus(other=[], test=["a"], train=["a"], dev=[]))) == [
        "dev in train",
        "test in train",
        "test in dev",
        "other in train",
        "other in dev",
        "other in test",
    ]


@pytest.mark.parametrize("splits", [{}, {"train": ["a", "a"]}])
def test_fewer_than_two_splits_have_no_overlaps(splits):
    assert count_overlaps(corpus(**splits)) == {}


@pytest.mark.parametrize("text", ["The dog", "the  DOG", " the dog\n", "the\u00a0dog", "THE\tDOG"])
def test_case_and_white_space_do_not_matter(text):
    assert count_overlaps(corpus(train=["the dog"], dev=[text])) == {"dev in train": 1}


@pytest.mark.parametrize("text", ["thedog", "the dog .", "the", "the dôg"])
def test_every_other_character_matters(text):
    assert count_overlaps(corpus(train=["the dog"], dev=[text])) == {"dev in train": 0}


def test_words_are_compared_with_spaces_between_them():
    splits = {
        "train": (Sentence(id="a", words=("do", "n't"), text="don't"),),
        "dev": (Sentence(id="b", text="Do n't"), Sentence(id="c", text="don't"), Sentence(id="d", text="don't")),
    }
    assert count_overlaps(Corpus(name="letters", splits=splits)) == {"dev in train": 1}


def test_a_pair_is_the_same_only_if_both_texts_are():
    pairs = [("a", "b"), ("A", "B "), ("a", "c"), ("b", "a"), ("a b", ""), ("a", "")]
    first, *others = [Sentence(id=str(number), text=text, pair=pair) for number, (text, pair) in enumerate(pairs)]
    splits = {"train": (first,), "dev": tuple(others)}
    assert count_overlaps(Corpus(name="letters", splits=splits)) == {"dev in train": 1}


TEXTS = st.lists(st.text("aB \t", max_size=3), max_size=6)


@settings(deadline=None)
@given(train=TEXTS, dev=TEXTS)
def test_count_equals_that_of_comparing_every_two(train, dev):
    same = [any(one.lower().split() == other.lower().split() for other in train) for one in dev]
    assert count_overlaps(corpus(train=train, dev=dev)) == {"dev in train": sum(same)}
