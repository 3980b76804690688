"""Labels of sentences from a treebank: known answers, equal classes, whole messages."""

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from probes.corpus.grammar import generate
from probes.corpus.read import read_corpus
from probes.errors import TaskError
from probes.task.balance import balance
from probes.task.content import choose_words
from probes.task.length import find_edges, name_bins
from probes.task.root import read_dependents
from probes.task.treebank import SENTENCE_LABELS
from probes.types import Corpus, Sentence
from tests.parsed import only_train, parsed
from tests.task.conftest import replace_split

GRAMMAR = generate(size=2000)
NAMES = sorted(SENTENCE_LABELS)
DRAWN = ["object_number", "root_tense", "subject_number", "tree_depth", "word_content"]
BINARY = ["object_number", "root_tense", "subject_number"]
CORPUS = Corpus("none", {})


def counts(name: str, corpus: Corpus, seed: int = 0) -> dict[str, Counter[str]]:
    """How often each label comes in each split."""
    found = SENTENCE_LABELS[name](corpus, seed)
    return {split: Counter(label for label in labels if label is not None) for split, labels in found.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_sentence_has_a_label_or_none(name):
    labels = SENTENCE_LABELS[name](GRAMMAR, 0)
    assert {split: len(found) for split, found in labels.items()} == {"train": 1600, "dev": 200, "test": 200}
    assert all(len(set(found) - {None}) > 1 for found in labels.values())


@pytest.mark.parametrize("name", DRAWN)
def test_a_seed_is_one_draw(name):
    assert SENTENCE_LABELS[name](GRAMMAR, 3) == SENTENCE_LABELS[name](GRAMMAR, 3)
    assert SENTENCE_LABELS[name](GRAMMAR, 3)["train"] != SENTENCE_LABELS[name](GRAMMAR, 4)["train"]


@pytest.mark.parametrize("name", NAMES)
def test_another_sentence_in_dev_does_not_change_train(name):
    larger = replace_split(GRAMMAR, "dev", [replace(GRAMMAR["test"][0], id="one-more"), *GRAMMAR["dev"]])
    assert SENTENCE_LABELS[name](larger, 0)["train"] == SENTENCE_LABELS[name](GRAMMAR, 0)["train"]


def test_balance_keeps_as_many_of_each_as_of_the_rarest():
    labels = ["a", "b", None, "b", "c", "b", "a"]
    found = balance(labels, np.random.default_rng(0))
    assert Counter(found) == {"a": 1, "b": 1, "c": 1, None: 4}
    assert all(label in (None, was) for label, was in zip(found, labels, strict=True))
    assert Counter(balance(labels, np.random.default_rng(0), names=["a", "b"])) == {"a": 2, "b": 2, None: 3}
    assert Counter(balance(labels, np.random.default_rng(0), names=["a", "d"])) == {None: 7}
    assert balance([None], np.random.default_rng(0)) == [None]


def words(number: int, word: str = "dog") -> Sentence:
    return Sentence(f"{word}-{number}", (word,) * number, columns={"upos": ("NOUN",) * number})


def test_bins_of_length_end_at_the_sixths_of_train():
    corpus = only_train([words(number) for number in range(1, 13)])
    corpus = replace_split(corpus, "test", [words(number) for number in (1, 2, 3, 10, 11, 99)])
    labels = SENTENCE_LABELS["sentence_length"](corpus, 0)
    assert Counter(labels["train"]) == {"1-2": 2, "3-4": 2, "5-6": 2, "7-8": 2, "9-10": 2, "11+": 2}
    assert labels["test"] == ["1-2", "1-2", "3-4", "9-10", "11+", "11+"]


@pytest.mark.parametrize(
    ("lengths", "bins"),
    [([4, 4, 4], ["1+"]), ([1, 9], ["1", "2+"]), ([1, 1, 1, 2, 3, 4], ["1", "2", "3", "4+"])],
)
def test_sentences_of_one_length_share_a_bin(lengths, bins):
    assert name_bins(find_edges(lengths)) == bins


def test_a_sentence_with_exactly_one_word_of_the_list_is_an_example():
    many = [parsed(f"dog-{n}", "The/DET/0/x Dog/NOUN/0/x dog/NOUN/0/x") for n in range(60)]
    many += [parsed(f"cat-{n}", "the/DET/0/x cat/NOUN/0/x") for n in range(50)]
    many += [parsed(f"cow-{n}", "cow/NOUN/0/x cow/NOUN/0/x") for n in range(49)]
    # Half of its occurrences are content words, which is not most.
    many += [parsed(f"like-{n}", "like/VERB/0/x like/ADP/0/x") for n in range(70)]
    test = ["dog/X/0/x", "cat/NOUN/0/x dog/NOUN/0/x", "cow/NOUN/0/x", "CAT/PROPN/0/x"]
    corpus = replace_split(only_train(many), "test", [parsed(f"t-{n}", line) for n, line in enumerate(test)])
    assert choose_words(corpus) == {"cat", "dog"}
    labels = SENTENCE_LABELS["word_content"](corpus, 0)
    assert labels["test"] == ["dog", None, None, "cat"]
    assert Counter(labels["train"]) == {"dog": 50, "cat": 50, None: 129}
    assert None not in labels["train"][60:110]


def test_the_list_holds_the_most_frequent_words_only():
    corpus = only_train([words(1, f"w{kind}") for kind in range(35) for _ in range(50 + kind)])
    assert choose_words(corpus) == {f"w{kind}" for kind in range(5, 35)}


LEFT = "She/PRON/3/nsubj:pass was/AUX/3/aux:pass seen/VERB/0/root ,/PUNCT/3/punct there/ADV/3/advmod x/X/5/dep"


def test_the_sequence_of_the_root_has_it_in_its_place():
    assert read_dependents(parsed("s", LEFT), CORPUS) == "nsubj aux ROOT advmod"
    assert read_dependents(parsed("s", "Dogs/NOUN/0/root !/PUNCT/1/punct"), CORPUS) == "ROOT"


def test_sequences_that_are_not_among_the_nineteen_are_other():
    lines = [f"a/X/0/root b/X/1/r{kind}" for kind in range(22) for _ in range(30 - kind)]
    corpus = only_train([parsed(f"s-{n}", line) for n, line in enumerate(lines)])
    corpus = replace_split(corpus, "test", [parsed("t", "a/X/0/root b/X/1/new")])
    labels = SENTENCE_LABELS["root_dependents"](corpus, 0)
    found = Counter(labels["train"])
    assert found["other"] == 11 + 10 + 9
    assert set(found) == {"other", *(f"ROOT r{kind}" for kind in range(19))}
    assert labels["test"] == ["other"]


def test_of_the_other_sequences_as_many_are_examples_as_of_the_largest_class():
    lines = [f"a/X/0/root b/X/1/r{kind}" for kind in range(60) for _ in range(5 if kind < 19 else 1)]
    corpus = only_train([parsed(f"s-{n}", line) for n, line in enumerate(lines)])
    first, again, other = (SENTENCE_LABELS["root_dependents"](corpus, seed)["train"] for seed in (0, 0, 1))
    assert Counter(label for label in first if label) == Counter(
        {"other": 5, **{f"ROOT r{kind}": 5 for kind in range(19)}}
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("split", ["train", "dev"])
def test_an_empty_split_has_no_labels(name, split):
    assert SENTENCE_LABELS[name](replace_split(GRAMMAR, split, ()), 0)[split] == []


@pytest.mark.parametrize("name", BINARY)
def test_both_classes_have_one_size_in_every_split(name):
    for found in counts(name, GRAMMAR).values():
        assert len(found) == 2
        assert len(set(found.values())) == 1


@pytest.mark.parametrize("name", ["root_tense", "subject_number", "word_content"])
def test_a_missing_column_is_named(name):
    column = "upos" if name == "word_content" else "feats"
    one = parsed("s-1", LEFT)
    left = {key: values for key, values in one.columns.items() if key != column}
    with pytest.raises(TaskError) as caught:
        SENTENCE_LABELS[name](only_train([replace(one, columns=left)]), 0)
    assert str(caught.value) == (
        f"Task {name!r} needs the column {column!r}, but sentence 's-1' of corpus 'made' has "
        f"{next(iter(left))!r}. Use a corpus that is annotated so."
    )


@pytest.mark.parametrize("name", ["object_number", "root_dependents", "root_tense", "subject_number", "tree_depth"])
def test_a_missing_tree_is_named(name):
    with pytest.raises(TaskError) as caught:
        SENTENCE_LABELS[name](only_train([replace(parsed("s-1", LEFT), tree=None)]), 0)
    assert str(caught.value) == (
        f"Task {name!r} needs dependency trees, but sentence 's-1' of corpus 'made' has none. Use a treebank."
    )


def test_running_text_has_no_length_in_words():
    with pytest.raises(TaskError) as caught:
        SENTENCE_LABELS["sentence_length"](only_train([Sentence("s-1", text="One text.")]), 0)
    assert str(caught.value) == (
        "Task 'sentence_length' needs sentences with words, but sentence 's-1' of corpus 'made' has none. "
        "Use a corpus that is split into words."
    )


# Examples of train, dev and test, and the number of labels in train.
SUPPORTS = {
    "object_number": (1632, 210, 244, 2),
    "root_dependents": (4086, 743, 869, 20),
    "root_tense": (4660, 560, 502, 2),
    "sentence_length": (12544, 2001, 2077, 6),
    "subject_number": (3790, 456, 454, 2),
    "tree_depth": (2364, 276, 291, 3),
    "word_content": (1710, 575, 540, 30),
}


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_supports_on_a_real_treebank(corpus_data: Path, name):
    found = counts(name, read_ewt(corpus_data))
    assert (*(found[split].total() for split in ("train", "dev", "test")), len(found["train"])) == SUPPORTS[name]
    if name in BINARY:
        assert all(len(set(labels.values())) == 1 for labels in found.values())


@cache
def read_ewt(folder: Path) -> Corpus:
    return read_corpus(str(folder / "ud-english-ewt" / "en_ewt-ud-*.conllu"))
