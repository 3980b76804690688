"""Phrases of a sentence are one group, so that no cut separates them."""

import numpy as np

from probes.corpus.cut import cut_dev
from probes.corpus.phrase import group_phrases
from probes.types import Corpus, Sentence

TEXTS = (
    "a fine film",
    "fine film",
    "the actors play a fine film well",
    "film fine",
    "play",
    "a fine film",
    "fin",
    "dull",
    "so dull it hurts",
)


def groups(texts, split="train"):
    corpus = Corpus("c", {split: tuple(Sentence(f"s-{n}", text=text) for n, text in enumerate(texts))})
    return [one.group for one in group_phrases(corpus)[split]]


def test_a_phrase_is_grouped_with_the_longest_text_that_contains_it_word_for_word():
    assert groups(TEXTS) == ["s-2", "s-2", "s-2", "s-3", "s-2", "s-2", "s-6", "s-8", "s-8"]


def test_the_order_of_rows_changes_no_group_of_equal_members():
    order = np.random.default_rng(0).permutation(len(TEXTS))
    found = groups([TEXTS[place] for place in order])
    pairs = {(TEXTS[place], found[number]) for number, place in enumerate(order)}
    assert len({group for _, group in pairs}) == len(set(groups(TEXTS)))


def test_words_count_like_a_text_and_nothing_but_the_group_changes():
    sentences = (Sentence("a", words=("the", "old", "dog")), Sentence("b", words=("old", "dog")))
    found = group_phrases(Corpus("c", {"train": sentences}))["train"]
    assert [one.group for one in found] == ["a", "a"]
    assert [(one.id, one.words) for one in found] == [(one.id, one.words) for one in sentences]


def test_splits_are_grouped_by_themselves():
    corpus = Corpus("c", {split: (Sentence(f"{split}-0", text="a dog"),) for split in ("train", "test")})
    assert [group_phrases(corpus)[split][0].group for split in corpus.splits] == ["train-0", "test-0"]


def test_no_phrase_of_dev_is_left_in_train():
    sentences = [f"w{n} x{n} y{n} z{n}" for n in range(60)]
    texts = [text for one in sentences for text in (one, " ".join(one.split()[1:3]), one.split()[0])]
    corpus = Corpus("c", {"train": tuple(Sentence(f"s-{n}", text=text) for n, text in enumerate(texts))})
    cut = cut_dev(group_phrases(corpus), share=0.2)
    numbers = {split: {one.text.split()[0][1:] for one in part} for split, part in cut.splits.items()}
    assert not numbers["train"] & numbers["dev"]
    assert len(cut["dev"]) >= 36
    by_row = cut_dev(corpus, share=0.2)
    numbers = {split: {one.text.split()[0][1:] for one in part} for split, part in by_row.splits.items()}
    assert numbers["train"] & numbers["dev"]
