"""A corpus from Python lists."""

import pytest

from probes import Pair, from_lists
from probes.errors import CorpusError

WORDS = [["a", "dog"], ["runs"]]
TEXTS = ["A dog runs.", "It sleeps."]
SPLITS = ["train", "test"]


def test_words_take_a_label_each():
    corpus = from_lists(WORDS, [["DET", "NOUN"], ["VERB"]], SPLITS)
    one = corpus["train"][0]
    assert (one.id, one.words, one.text, one.group) == ("lists-0", ("a", "dog"), "", "lists-0")
    assert (dict(one.columns), dict(one.attributes)) == ({"label": ("DET", "NOUN")}, {})
    assert corpus["test"][0].columns["label"] == ("VERB",)


def test_words_take_one_label_for_the_sentence():
    one = from_lists(WORDS, ["good", "bad"], SPLITS)["train"][0]
    assert (one.words, dict(one.columns), dict(one.attributes)) == (("a", "dog"), {}, {"label": "good"})


def test_string_takes_one_label():
    one = from_lists(TEXTS, ["good", "bad"], SPLITS, name="reviews")["test"][0]
    assert (one.id, one.words, one.text, dict(one.attributes)) == ("reviews-1", (), "It sleeps.", {"label": "bad"})


def test_pair_of_texts_takes_one_label():
    one = from_lists([Pair("A dog runs.", "It moves."), "It sleeps."], ["yes", "no"], SPLITS)["train"][0]
    assert (one.text, one.pair, one.words, dict(one.attributes)) == ("A dog runs.", "It moves.", (), {"label": "yes"})


def test_groups_are_kept_and_a_sentence_is_its_own_group_without():
    given = from_lists(TEXTS, ["good", "bad"], ["train", "train"], groups=["doc", ""])
    assert [one.group for one in given["train"]] == ["doc", "lists-1"]


def test_sentences_keep_their_order_and_number_in_every_split():
    corpus = from_lists(["a", "b", "c", "d"], ["x"] * 4, ["test", "train", "test", "train"])
    assert {split: [one.id for one in part] for split, part in corpus.splits.items()} == {
        "test": ["lists-0", "lists-2"],
        "train": ["lists-1", "lists-3"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (TEXTS, ["good"], SPLITS),
            "from_lists expects one of labels for each of 2 sentences, but came 1. Make the lists equally long.",
        ),
        (
            (TEXTS, ["good", "bad"], ["train"]),
            "from_lists expects one of splits for each of 2 sentences, but came 1. Make the lists equally long.",
        ),
        (
            (TEXTS, [["good", "bad", "bad"], "bad"], SPLITS),
            "Sentence 'lists-0' has a list of labels, so a list of words was expected, but came the text "
            "'A dog runs.'. Split it into words, or give one label.",
        ),
        (
            (WORDS, [["DET"], ["VERB"]], SPLITS),
            "Sentence 'lists-0' needs one value of 'label' for each of its 2 words, but has 1. "
            "Give as many values as words.",
        ),
        (
            (TEXTS, [0, 1], SPLITS),
            "The label of sentence 'lists-0' should be a string or a list of strings, but is 0. "
            "Turn labels into strings with str().",
        ),
        (
            (WORDS, [["DET", 1], ["VERB"]], SPLITS),
            "The label of sentence 'lists-0' should be a string or a list of strings, but is ['DET', 1]. "
            "Turn labels into strings with str().",
        ),
    ],
)
def test_mistake_is_one_message(arguments, message):
    with pytest.raises(CorpusError) as caught:
        from_lists(*arguments)
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


def test_groups_of_another_length_are_an_error():
    with pytest.raises(CorpusError) as caught:
        from_lists(TEXTS, ["good", "bad"], SPLITS, groups=["one"])
    expected = "from_lists expects one of groups for each of 2 sentences, but came 1. Make the lists equally long."
    assert str(caught.value) == expected
