"""Arc tasks: pairs of words of one sentence, with distances that say nothing."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from probes.corpus.grammar import generate
from probes.errors import TaskError
from probes.fit.floor import predict_by_surface
from probes.task import build_task
from probes.types import Corpus, Sentence, Tree
from tests.task.conftest import index_words, replace_split


@pytest.fixture(scope="module")
def grammar() -> Corpus:
    return generate(size=200)


def pairs(task, corpus, split):
    """(sentence, dependent, head, label) of every example, words counted from 0 in their sentence."""
    indexes = index_words(corpus)[split]
    rows = task.splits[split]
    owners = np.searchsorted(indexes.offsets, rows.index, side="right") - 1
    assert (owners[:, 0] == owners[:, 1]).all()
    by_id = {one.id: one for one in corpus[split]}
    return [
        (by_id[indexes.ids[owner]], int(indexes.word[first]), int(indexes.word[second]), task.labels[label])
        for owner, (first, second), label in zip(owners[:, 0], rows.index, rows.labels, strict=True)
    ]


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_an_arc_leads_from_a_word_to_its_head_and_other_pairs_have_none(grammar, split):
    task = build_task("dependency_edge", grammar, index_words(grammar))
    found = pairs(task, grammar, split)
    assert len(found) > 50
    for sentence, dependent, head, label in found:
        is_arc = sentence.tree.heads[dependent] == head + 1
        is_turned = sentence.tree.heads[head] == dependent + 1
        assert (label == "arc") == is_arc
        assert not (label == "none" and is_turned)
        assert "punct" not in (sentence.tree.relations[dependent], sentence.tree.relations[head])


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_both_classes_have_the_same_distances(grammar, split):
    rows = build_task("dependency_edge", grammar, index_words(grammar)).splits[split]
    distances = [Counter(rows.surface["distance"][rows.labels == label].tolist()) for label in (0, 1)]
    assert distances[0] == distances[1]
    assert len(distances[0]) > 4
    assert (predict_by_surface(rows, rows, "distance") == rows.labels).mean() == 0.5


def test_pairs_are_drawn_from_the_seed_and_no_pair_comes_twice(grammar):
    indexes = index_words(grammar)
    first, again, other = (build_task("dependency_edge", grammar, indexes, seed=seed) for seed in (0, 0, 1))
    rows = [task.splits["train"].index for task in (first, again, other)]
    assert np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])
    assert len(np.unique(rows[0], axis=0)) == len(rows[0])


def test_a_distance_is_that_of_the_head_from_the_dependent(grammar):
    task = build_task("dependency_arc_label", grammar, index_words(grammar))
    for (sentence, dependent, head, label), distance in zip(
        pairs(task, grammar, "dev"), task.splits["dev"].surface["distance"], strict=True
    ):
        assert sentence.tree.heads[dependent] == head + 1
        assert sentence.tree.relations[dependent] == label
        assert distance == head - dependent


def test_every_arc_is_an_example_unless_its_relation_is_rare(grammar):
    task = build_task("dependency_arc_label", grammar, index_words(grammar))
    train = Counter(relation for one in grammar["train"] for relation in one.tree.relations if relation != "root")
    assert {label: train[label] for label in task.labels} == {label: n for label, n in train.items() if n >= 10}
    for split in grammar.splits:
        relations = [relation for one in grammar[split] for relation in one.tree.relations if relation != "root"]
        assert len(task.splits[split]) == sum(train[relation] >= 10 for relation in relations)
        assert task.left_out.get(split, 0) == sum(train[relation] < 10 for relation in relations)


def test_probes_of_arcs_read_the_product_too(grammar):
    assert build_task("dependency_edge", grammar, index_words(grammar)).product
    assert not build_task("pos", grammar, index_words(grammar)).product


def test_words_that_the_cache_lacks_are_in_no_pair():
    words, heads = tuple("abcdef"), (2, 0, 2, 3, 3, 3)
    sentence = Sentence("s", words, tree=Tree(heads, ("x", "root", *"xxxx")))
    corpus = Corpus("c", {split: (replace(sentence, id=split),) for split in ("train", "dev", "test")})
    indexes = index_words(corpus)
    full = indexes["train"]
    kept = np.array([0, 1, 2, 4, 5])  # "d" was cut
    indexes["train"] = replace(full, offsets=np.array([0, 5]), word=full.word[kept], types=full.types[kept])
    task = build_task("dependency_edge", corpus, indexes)
    assert set(indexes["train"].word[task.splits["train"].index].ravel()) <= {0, 1, 2, 4, 5}


def test_a_sentence_without_a_tree_is_an_error(grammar):
    bare = replace(grammar["dev"][0], tree=None)
    corpus = replace_split(grammar, "dev", [bare, *grammar["dev"][1:]])
    indexes = index_words(corpus)
    with pytest.raises(TaskError) as caught:
        build_task("dependency_edge", corpus, indexes)
    assert str(caught.value) == (
        f"Task 'dependency_edge' needs dependency trees, but sentence {bare.id!r} of corpus 'grammar' has none. "
        f"Use a treebank."
    )
