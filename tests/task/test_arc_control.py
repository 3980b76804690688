"""The control of arcs: each type of word has one way to attach, to itself, the first or the last word."""

import numpy as np
import pytest

from probes.corpus.grammar import generate
from probes.errors import TaskError
from probes.task import build_task, control_task, shares_rows
from tests.task.conftest import index_words


@pytest.fixture(scope="module")
def grammar():
    return generate(size=150)


@pytest.fixture(scope="module")
def task(grammar):
    return build_task("dependency_edge", grammar, index_words(grammar))


def places(grammar, split, rows):
    """For each pair: its type, and whether the candidate is the dependent, the first or the last of its sentence."""
    offsets = index_words(grammar)[split].offsets
    owner = np.searchsorted(offsets, rows.index[:, 0], side="right") - 1
    first, last = offsets[owner], offsets[owner + 1] - 1
    dependent, candidate = rows.index.T
    return np.stack([candidate == dependent, candidate == first, candidate == last], axis=1)


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_candidates_are_the_word_the_first_and_the_last(grammar, task, split):
    rows = control_task("arc", task, seed=0, draw=0).splits[split]
    assert places(grammar, split, rows).any(axis=1).all()
    assert len(np.unique(rows.index, axis=0)) == len(rows)
    assert set(rows.index[:, 0]) == set(task.splits[split].index[:, 0])
    # One head for each dependent; three candidates unless it is itself the first or the last.
    heads = rows.index[rows.labels == 0, 0]
    assert sorted(heads) == sorted(set(rows.index[:, 0]))
    counts = np.unique(rows.index[:, 0], return_counts=True)[1]
    assert set(counts) <= {1, 2, 3}
    assert (counts == 3).mean() > 0.5


def test_each_type_attaches_in_one_way_in_all_splits_and_ways_are_thirds(grammar, task):
    ways: dict[int, set[int]] = {}
    for split, rows in control_task("arc", task, seed=0, draw=0).splits.items():
        where = places(grammar, split, rows)
        is_clear = (where.sum(axis=1) == 1) & (rows.labels == 0)
        for word, way in zip(rows.words[is_clear].tolist(), where[is_clear].argmax(axis=1).tolist(), strict=True):
            ways.setdefault(word, set()).add(way)
    assert len(ways) > 100
    assert all(len(found) == 1 for found in ways.values())
    counts = np.bincount([next(iter(found)) for found in ways.values()], minlength=3)
    assert (counts / counts.sum() > 0.2).all()


def test_draws_and_seeds_differ_and_repeat(task):
    def labels(seed, draw):
        return control_task("arc", task, seed=seed, draw=draw).splits["train"].labels

    assert np.array_equal(labels(0, 0), labels(0, 0))
    assert not np.array_equal(labels(0, 0), labels(0, 1))
    assert not np.array_equal(labels(0, 0), labels(1, 0))


def test_groups_are_those_of_the_task(task):
    for split, rows in control_task("arc", task, seed=0, draw=0).splits.items():
        own = task.splits[split]
        by_row = dict(zip(own.index[:, 0].tolist(), own.groups.tolist(), strict=True))
        assert [by_row[row] for row in rows.index[:, 0].tolist()] == rows.groups.tolist()


def test_it_has_rows_of_its_own_and_other_controls_do_not(task):
    assert not shares_rows(control_task("arc", task, seed=0, draw=0), task)
    assert shares_rows(control_task("word_type", task, seed=0, draw=0), task)


def test_a_task_of_other_examples_is_refused(grammar):
    pos = build_task("pos", grammar, index_words(grammar))
    with pytest.raises(TaskError) as caught:
        control_task("arc", pos, seed=0, draw=0)
    assert str(caught.value) == (
        "Control 'arc' is one for pairs of a word and its head, but task 'pos' has other examples. "
        "Use it with 'dependency_edge'."
    )
