"""The values that travel between the stages: frozen, checked where they are made."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.errors import CorpusError, TaskError
from probes.types import Corpus, Rows, Sentence, Task, Tree


@st.composite
def heads(draw):
    """Heads of a random tree: each word in a random order hangs on an earlier one, the first on the root."""
    size = draw(st.integers(1, 12))
    order = draw(st.permutations(range(1, size + 1)))
    found = [0] * size
    for position in range(1, size):
        found[order[position] - 1] = order[draw(st.integers(0, position - 1))]
    return tuple(found)


@given(heads())
def test_depth_is_the_number_of_steps_to_the_root(heads):
    expected = []
    for word in range(1, len(heads) + 1):
        steps = 0
        while heads[word - 1] != 0:
            word, steps = heads[word - 1], steps + 1
        expected.append(steps)
    assert Tree(heads, ("dep",) * len(heads)).depths() == tuple(expected)


@pytest.mark.parametrize(
    ("heads", "depths"),
    [((), ()), ((0,), (0,)), ((0, 1, 2, 3), (0, 1, 2, 3)), ((2, 3, 4, 0), (3, 2, 1, 0)), ((3, 3, 0), (1, 1, 0))],
)
def test_depths_by_hand(heads, depths):
    assert Tree(heads, ("dep",) * len(heads)).depths() == depths


def test_depths_of_a_long_chain_do_not_recurse():
    assert Tree(tuple(range(5000)), ("dep",) * 5000).depths() == tuple(range(5000))


@pytest.mark.parametrize("values", [("NOUN",), ("DET", "NOUN", "VERB"), ()])
def test_a_column_has_one_value_for_each_word(values):
    with pytest.raises(CorpusError) as caught:
        Sentence("s-1", ("a", "dog"), columns={"upos": values})
    assert str(caught.value) == (
        f"Sentence 's-1' needs one value of 'upos' for each of its 2 words, but has {len(values)}. "
        f"Give as many values as words."
    )


def test_a_sentence_without_annotation_is_fine():
    sentence = Sentence("s-1", text="running text")
    assert (sentence.words, sentence.columns, sentence.attributes, sentence.tree) == ((), {}, {}, None)


def test_an_unknown_split_lists_the_known_ones_nearest_first():
    corpus = Corpus("toy", {"train": (), "dev": (), "test": ()})
    assert corpus["dev"] == ()
    with pytest.raises(CorpusError) as caught:
        corpus["tests"]
    assert str(caught.value) == (
        "Corpus 'toy' has no split 'tests'; its splits are 'test', 'dev', 'train'. Ask for one of these."
    )


@pytest.fixture
def task():
    def make_rows(size):
        zeros = np.zeros(size, dtype=np.int64)
        return Rows(np.arange(size)[:, None], zeros, zeros, np.arange(size))

    return Task("pos", "word", ("a", "b"), {"train": make_rows(3), "test": make_rows(2)})


def test_rows_are_as_many_as_their_labels(task):
    assert [len(rows) for rows in task.splits.values()] == [3, 2]


def test_other_labels_leave_rows_and_the_task_as_they_were(task):
    other = task.with_labels("control", {"train": np.array([1, 0, 1]), "test": np.array([1, 1])})
    assert (other.name, other.unit, other.labels) == ("control", "word", ("a", "b"))
    assert other.splits["train"].labels.tolist() == [1, 0, 1]
    assert other.splits["test"].words is task.splits["test"].words
    assert task.splits["train"].labels.tolist() == [0, 0, 0]
    assert task.name == "pos"


def test_other_labels_are_as_many_as_the_rows(task):
    with pytest.raises(TaskError) as caught:
        task.with_labels("control", {"train": np.array([1, 0, 1]), "test": np.array([1, 1, 1])})
    assert str(caught.value) == (
        "Task 'control' needs 2 labels for split 'test', but got 3. Give one label for each example of task 'pos'."
    )


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Sentence("s"), "id"),
        (Corpus("c", {}), "splits"),
        (Tree((), ()), "heads"),
        (Task("t", "word", (), {}), "labels"),
    ],
)
def test_values_are_frozen(value, name):
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, None)


def test_children_are_the_words_that_hang_on_a_word_in_order():
    tree = Tree(heads=(2, 0, 2, 5, 3), relations=("a", "root", "b", "c", "d"))
    assert tree.root == 1
    assert [tree.children(word) for word in range(5)] == [[], [0, 2], [4], [], [3]]


@pytest.mark.parametrize(
    ("sentence", "plain"),
    [
        (Sentence("s", ("a", "b")), "a b"),
        (Sentence("s", ("a", "b"), text="a, b"), "a b"),
        (Sentence("s", text="a, b"), "a, b"),
        (Sentence("s", text="a", pair="b c"), "a b c"),
    ],
)
def test_a_sentence_is_its_words_or_its_text_with_its_pair(sentence, plain):
    assert sentence.plain == plain


def test_a_sentence_without_a_group_is_its_own_cluster():
    assert Sentence("s", ("a",)).cluster == "s"
    assert Sentence("s", ("a",), group="d").cluster == "d"
