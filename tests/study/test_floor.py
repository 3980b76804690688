"""Floors and official scores by kind of task."""

import numpy as np
import pytest

from probes.metric.chunk import chunk_counts, f1
from probes.result import Outcomes
from probes.study.floor import find_floors, official_score
from probes.study.score import Scorer
from probes.types import Rows, Task

NAMES = {"chunk_f1": ("B-NP", "I-NP", "O"), "relation_f1": ("A(e1,e2)", "A(e2,e1)", "Other")}


def make_rows(size=40, seed=0, **fields):
    stream = np.random.default_rng(seed)
    words = fields.pop("words", np.full(size, -1))
    return Rows(np.arange(size)[:, None], stream.integers(0, 3, size), np.arange(size) // 4, words, **fields)


def make_task(scorer=None, **fields):
    splits = {split: make_rows(seed=seed, **fields) for seed, split in enumerate(("train", "dev", "test"))}
    return Task("task", "sentence", NAMES.get(scorer or "", ("a", "b", "c")), splits, scorer=scorer)


TEXTS = tuple(f"word{number % 5} of {number % 3}" for number in range(40))


@pytest.mark.parametrize(
    ("fields", "variants"),
    [
        ({}, ["majority"]),
        ({"words": np.arange(40) % 7}, ["majority", "word_majority"]),
        ({"surface": {"length": np.arange(40) % 4}, "texts": TEXTS}, ["majority", "length", "bag_of_words"]),
        ({"surface": {"distance": np.arange(40) % 4}}, ["majority", "distance"]),
    ],
    ids=["bare", "recurs", "sentences", "arcs"],
)
def test_a_task_has_the_floors_of_what_can_be_seen_of_it(fields, variants):
    task = make_task(**fields)
    floors = find_floors(task, ())
    assert [floor.variant for floor in floors] == variants
    assert all(np.array_equal(floor.labels, task.splits["test"].labels) for floor in floors)


def test_pairs_have_words_and_pairs_of_words_as_floors():
    labels = np.arange(40) % 2
    splits = {
        split: Rows(
            np.arange(40)[:, None],
            labels,
            np.arange(40) // 2,
            np.full(40, -1),
            {"length": np.full(40, 3)},
            TEXTS,
            partner=np.arange(40) ^ 1,
        )
        for split in ("train", "dev", "test")
    }
    floors = find_floors(Task("pair", "sentence", ("bad", "good"), splits), ())
    assert [floor.variant for floor in floors] == ["majority", "bag_of_words", "bigrams"]


def outcomes_of(task, predicted, subsets=None):
    rows = task.splits["test"]
    return Outcomes(rows.labels, rows.groups, np.full(len(rows), -1), {"task": predicted}, {}, subsets or {})


@pytest.mark.parametrize("scorer", ["chunk_f1", "relation_f1"])
def test_the_official_score_has_a_row_for_each_layer_and_floor(scorer):
    task = make_task(scorer, sequence=np.arange(40) // 4)
    labels = task.splits["test"].labels
    predicted = np.stack([labels, np.roll(labels, 1)])
    score = Scorer(outcomes_of(task, predicted), 3, 0, seed=0, official=official_score(task))
    rows = [row for row in score.rows(find_floors(task, ())) if row.metric == scorer]
    assert [(row.variant, row.layer) for row in rows] == [("task", 0), ("task", 1), ("majority", None)]
    assert (rows[0].value, rows[0].low, rows[0].high) == (1, 1, 1)
    assert rows[1].low <= rows[1].value <= rows[1].high < 1


def test_chunk_f1_of_a_layer_is_that_of_all_its_chunks():
    task = make_task("chunk_f1", sequence=np.arange(40) // 4)
    rows, predicted = task.splits["test"], np.random.default_rng(9).integers(0, 3, 40)
    names = [[task.labels[code] for code in codes] for codes in (rows.labels, predicted)]
    expected = f1(chunk_counts(*names, rows.sequence, np.zeros(40, dtype=int), 1)[:, 0])
    scores = Scorer(outcomes_of(task, predicted[None]), 3, 0, seed=0, official=official_score(task)).rows([])
    assert next(row.value for row in scores if row.metric == "chunk_f1") == pytest.approx(float(expected))


def test_a_task_without_an_official_scorer_has_no_such_row():
    assert official_score(make_task()) is None


def test_subsets_and_bins_of_counts_are_scored_by_themselves():
    task = make_task()
    labels = task.splits["test"].labels
    predicted = labels.copy()
    predicted[::2] = (predicted[::2] + 1) % 3
    is_odd = np.arange(40) % 2 == 1
    count = np.where(is_odd, np.array([0, 1, 9, 10, 99, 100, 5000, 3])[np.arange(40) // 5], 0)
    outcomes = Outcomes(labels, task.splits["test"].groups, count, {"task": predicted[None]}, {}, {"genre:odd": is_odd})
    rows = {row.subset: row for row in Scorer(outcomes, 3, 0, seed=0).rows([]) if row.metric == "accuracy"}
    assert list(rows) == ["all", "seen", "unseen", "count:1-9", "count:10-99", "count:100+", "genre:odd"]
    assert rows["genre:odd"].value == 1.0
    sizes = {subset: row.n for subset, row in rows.items()}
    assert sizes["count:1-9"] == int(((count >= 1) & (count <= 9)).sum()) > 0
    assert sizes["count:1-9"] + sizes["count:10-99"] + sizes["count:100+"] == sizes["seen"]
    assert sizes["seen"] + sizes["unseen"] == sizes["all"] == 40
    assert rows["all"].value == 0.5
