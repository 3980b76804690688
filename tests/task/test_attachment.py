"""Arcs as rows of an index, on sentences whose trees are known."""

import numpy as np
import pytest

from probes.errors import TaskError
from probes.task.attachment import find_attachments
from probes.types import Corpus, RowIndex, Sentence
from tests.parsed import parsed
from tests.task.conftest import index_words

CORPUS = Corpus(
    "trees",
    {
        "test": (
            parsed("a", "the/DET/2/det dog/NOUN/3/nsubj:pass runs/VERB/0/root ./PUNCT/3/punct", "doc1"),
            parsed("b", "see/VERB/0/root a/DET/3/det cat/NOUN/1/obj ,/PUNCT/1/punct:x", "doc0"),
            parsed("c", "run/VERB/0/root far/ADV/1/advmod", "doc1"),
        )
    },
)


def test_arcs_are_those_of_the_trees():
    found = find_attachments("t", CORPUS, "test", index_words(CORPUS)["test"])
    arcs = zip(found.dependent, found.head, found.offset, found.relation, found.group, strict=True)
    assert list(arcs) == [
        (0, 1, 1, "det", 0),
        (1, 2, 1, "nsubj:pass", 0),
        (5, 6, 1, "det", 1),
        (6, 4, -2, "obj", 1),
        (9, 8, -1, "advmod", 0),
    ]
    assert found.sentence_group.tolist() == [0, 1, 0]
    assert found.left_out == {"root": 3, "punct": 2, "without_pieces": 0}


def test_sentences_are_joined_by_id():
    turned = index_words(CORPUS, order={"test": [2, 0, 1]})["test"]
    found = find_attachments("t", CORPUS, "test", turned)
    assert list(zip(found.dependent, found.head, found.relation, strict=True)) == [
        (1, 0, "advmod"),
        (2, 3, "det"),
        (3, 4, "nsubj:pass"),
        (7, 8, "det"),
        (8, 6, "obj"),
    ]
    assert found.sentence_group[[0, 1]].tolist() == [0, 0]


def test_words_without_pieces_are_counted_with_their_dependents():
    index = index_words(CORPUS)["test"]
    kept = np.flatnonzero(np.arange(len(index.word)) != 1)  # `dog`, the head of `the`
    index = RowIndex(
        unit="word",
        ids=index.ids,
        offsets=np.array([0, 3, 7, 9]),
        word=index.word[kept],
        types=index.types[kept],
    )
    found = find_attachments("t", CORPUS, "test", index)
    assert found.relation.tolist() == ["det", "obj", "advmod"]
    assert found.offset.tolist() == [1, -2, -1]
    assert list(zip(found.dependent, found.head, strict=True)) == [(4, 5), (5, 3), (8, 7)]
    assert found.left_out == {"root": 3, "punct": 2, "without_pieces": 2}


def test_split_without_an_arc_gives_none():
    corpus = Corpus("roots", {"test": (parsed("a", "go/VERB/0/root"),)})
    found = find_attachments("t", corpus, "test", index_words(corpus)["test"])
    assert len(found.dependent) == len(found.relation) == 0


def test_sentence_without_a_tree_is_named():
    corpus = Corpus("flat", {"test": (Sentence("bare", ("go",)),)})
    with pytest.raises(TaskError) as error:
        find_attachments("heads", corpus, "test", index_words(corpus)["test"])
    assert str(error.value) == (
        "Task 'heads' needs dependency trees, but sentence 'bare' of corpus 'flat' has none. Use a treebank."
    )
