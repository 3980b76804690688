"""Trees over rows: whose rows they are, what is left out, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from probes.errors import TaskError
from probes.task import build_task, unit_of
from probes.task.tree import DEPTH, DISTANCE, is_tree, read_trees
from probes.types import Corpus, RowIndex, Sentence, Tree
from tests.parsed import parsed
from tests.task.conftest import index_sentences, index_words, replace_split

SHORT = "the/DET/2/det dog/NOUN/0/root"
LONG = "dogs/NOUN/2/nsubj bark/VERB/0/root ./PUNCT/2/punct"


@pytest.fixture
def treebank() -> Corpus:
    """In each split two documents with sentences of two lengths."""
    splits = {
        split: (
            parsed(f"{split}-a", LONG, group="second"),
            parsed(f"{split}-b", SHORT, group="first"),
            parsed(f"{split}-c", LONG.replace("dogs", "cats"), group="first"),
        )
        for split in ("train", "dev", "test")
    }
    return Corpus("bank", splits)


def read(corpus, indexes=None, split="test"):
    return read_trees(DISTANCE, corpus, indexes or index_words(corpus))[split]


def drop_rows(index: RowIndex, keep) -> RowIndex:
    """A cache that lacks the rows where `keep` is false."""
    offsets = np.concatenate([[0], np.cumsum(keep)])[index.offsets]
    return replace(index, offsets=offsets, word=index.word[keep], types=index.types[keep])


def with_sentence(corpus, sentence, split="test"):
    return replace_split(corpus, split, [*corpus[split], sentence])


def test_sentences_of_one_length_stand_together_over_their_own_rows(treebank):
    trees = read(treebank)
    short, long = trees.blocks
    assert (short.num_words, long.num_words, len(trees)) == (2, 3, 3)
    assert (short.start.tolist(), long.start.tolist()) == ([3], [0, 5])
    assert (short.heads.tolist(), long.heads.tolist()) == ([[1, -1]], [[1, -1, 1]] * 2)
    assert long.is_punctuation.tolist() == [[False, False, True]] * 2
    assert (short.groups.tolist(), long.groups.tolist(), trees.num_groups) == ([0], [1, 0], 2)
    assert trees.left_out == {"one_word": 0, "words_missing": 0, "no_tree": 0, "not_a_tree": 0}


def test_trees_are_joined_by_id_and_not_by_place(treebank):
    trees = read(treebank, index_words(treebank, order={"test": [1, 2, 0]}))
    assert trees.blocks[0].start.tolist() == [0]
    assert trees.blocks[1].start.tolist() == [2, 5]
    assert trees.blocks[1].groups.tolist() == [0, 1]


def test_some_sentences_of_a_block_keep_what_is_theirs(treebank):
    block = read(treebank).blocks[1].take(np.array([1]))
    assert (block.start.tolist(), block.groups.tolist(), block.heads.shape) == ([5], [0], (1, 3))


@pytest.mark.parametrize(
    ("reason", "heads"),
    [("one_word", (0,)), ("not_a_tree", (0, 0)), ("not_a_tree", (2, 1)), ("not_a_tree", (0,) * 3), ("no_tree", None)],
)
def test_what_is_no_tree_of_two_words_is_counted(treebank, reason, heads):
    words = ("a",) if reason == "one_word" else ("a", "b")
    tree = heads and Tree(heads, ("dep",) * len(heads))
    odd = Sentence("odd", words, columns={"upos": ("X",) * len(words)}, tree=tree)
    trees = read(with_sentence(treebank, odd))
    assert {why: count for why, count in trees.left_out.items() if count} == {reason: 1}
    assert len(trees) == 3


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_sentence_of_which_the_cache_lacks_a_word_is_counted(treebank, lost):
    indexes = index_words(treebank)
    keep = np.ones(len(indexes["test"].word), dtype=bool)
    keep[lost] = False
    trees = read(treebank, {**indexes, "test": drop_rows(indexes["test"], keep)})
    assert {why: count for why, count in trees.left_out.items() if count} == {"words_missing": 1}
    assert [block.start.tolist() for block in trees.blocks] == [[2], [4]]


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        ([0], True),
        ([0, 1, 2, 3], True),
        ([2, 3, 4, 0], True),
        ([0, 3, 2], False),
        ([1], False),
        ([0, 4], False),
        ([0, -1], False),
        ([], False),
        ([0, *range(1, 70)], True),
        ([2, 3, 1, 0], False),
    ],
)
def test_heads_are_a_tree_if_they_all_lead_to_one_root(heads, expected):
    assert is_tree(tuple(heads), len(heads)) is expected


def message(call):
    with pytest.raises(TaskError) as caught:
        call()
    assert type(caught.value) is TaskError
    return str(caught.value)


def test_a_split_without_trees_of_two_words_is_an_error(treebank):
    few = replace_split(treebank, "dev", [parsed("one", "yes/INTJ/0/root"), Sentence("two", ("a", "b"))])
    assert message(lambda: read(few)) == (
        "Task 'tree_distance' needs trees of at least two words in split 'dev' of corpus 'bank', but there are none "
        "(left out: one_word 1, words_missing 0, no_tree 1, not_a_tree 0). Check the annotation there."
    )


def test_a_split_without_any_annotation_is_an_error(treebank):
    bare = replace_split(treebank, "dev", [Sentence("one", ("a", "b"))])
    assert message(lambda: read(bare)) == (
        "Task 'tree_distance' needs dependency trees, but sentence 'one' of corpus 'bank' has none. Use a treebank."
    )


def test_trees_without_parts_of_speech_are_an_error(treebank):
    bare = with_sentence(treebank, Sentence("odd", ("a", "b"), tree=Tree((0, 1), ("root", "dep"))))
    assert message(lambda: read(bare)) == (
        "Task 'tree_distance' needs the column 'upos', but sentence 'odd' of corpus 'bank' has none. "
        "Use a corpus that is annotated so."
    )


def test_a_cache_of_sentences_is_an_error(treebank):
    assert message(lambda: read(treebank, index_sentences(treebank))) == (
        "Task 'tree_distance' reads word vectors, but the cache holds sentence vectors. Encode with unit='word'."
    )


@pytest.mark.parametrize("name", [DISTANCE, DEPTH])
def test_a_curve_of_trees_is_refused(treebank, name):
    assert unit_of(name) == "word"
    assert message(lambda: build_task(name, treebank, index_words(treebank))) == (
        f"Task '{name}' wants numbers that only whole trees have, which the method 'structure' fits, but was asked of "
        f"corpus 'bank' as a task with one label for each example. Set method.name=structure."
    )
