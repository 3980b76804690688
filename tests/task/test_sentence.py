"""Sentence tasks: one labelled row a sentence."""

from dataclasses import replace

import numpy as np
import pytest

from probes.errors import TaskError
from probes.task import build_task, unit_of
from probes.types import Corpus
from tests.task.conftest import index_sentences, index_words, replace_split


def test_every_labelled_sentence_is_one_example(labelled):
    task = build_task("label", labelled, index_sentences(labelled))
    assert (task.name, task.unit, task.labels) == ("label", "sentence", ("even", "odd"))
    for split in ("train", "dev", "test"):
        rows = task.splits[split]
        assert rows.index[:, 0].tolist() == [0, 1, 3, 4, 6, 7, 9, 10]
        assert rows.labels.tolist() == [0, 1, 1, 0, 0, 1, 1, 0]
        assert rows.groups.tolist() == [0, 0, 0, 0, 1, 1, 1, 2]
        assert (rows.words == -1).all()


def test_labels_join_by_id_when_the_corpus_is_shuffled(labelled):
    indexes = index_sentences(labelled)
    task = build_task("label", labelled, indexes)
    stream = np.random.default_rng(0)
    shuffled = {split: [part[k] for k in stream.permutation(len(part))] for split, part in labelled.splits.items()}
    again = build_task("label", Corpus("texts", shuffled), indexes)
    for split, rows in task.splits.items():
        assert np.array_equal(rows.index, again.splits[split].index)
        assert np.array_equal(rows.labels, again.splits[split].labels)


def test_word_vectors_are_refused(labelled):
    labelled = Corpus(
        "texts", {split: [replace(one, words=("a",)) for one in part] for split, part in labelled.splits.items()}
    )
    with pytest.raises(TaskError) as caught:
        build_task("label", labelled, index_words(labelled))
    assert str(caught.value) == (
        "Task 'label' reads sentence vectors, but the cache holds word vectors. Encode with unit='sentence'."
    )


@pytest.mark.parametrize(("attributes", "listed"), [({"lable": "x", "topic": "y"}, "'lable', 'topic'"), ({}, "none")])
def test_a_missing_attribute_is_named_with_its_split(labelled, attributes, listed):
    labelled = replace_split(labelled, "dev", [replace(one, attributes=attributes) for one in labelled["dev"]])
    with pytest.raises(TaskError) as caught:
        build_task("label", labelled, index_sentences(labelled))
    assert str(caught.value) == (
        f"Task 'label' needs sentences with the attribute 'label', but split 'dev' of corpus 'texts' has {listed}. "
        f"Use a corpus that is annotated so."
    )


@pytest.mark.parametrize(("name", "unit"), [("label", "sentence"), ("pos", "word"), ("word_label", "word")])
def test_a_task_knows_the_vectors_it_reads(name, unit):
    assert unit_of(name) == unit
