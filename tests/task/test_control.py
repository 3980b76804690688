"""The control `word_type`: random labels that are a function of the word type and of nothing else."""

import numpy as np
import pytest
from scipy.stats import chisquare

from probes.corpus.grammar import generate
from probes.errors import TaskError
from probes.task import CONTROLS, build_task, control_task
from probes.types import Corpus, Rows, Task
from tests.task.conftest import index_sentences, index_words
from tests.toy import sentence

SHARES = np.array([0.5, 0.3, 0.15, 0.05])


def words_task(num_types=5000, seed=0):
    """A task of many word types whose labels have known shares in train, and others elsewhere."""
    stream = np.random.default_rng(seed)

    def make_rows(size, shares):
        index, groups = np.arange(size)[:, None], np.zeros(size, dtype=np.int64)
        return Rows(index, stream.choice(4, size=size, p=shares), groups, stream.integers(0, num_types, size))

    uniform = np.full(4, 0.25)
    splits = {"train": make_rows(20_000, SHARES), "dev": make_rows(3000, uniform), "test": make_rows(3000, uniform)}
    return Task("pos", "word", ("a", "b", "c", "d"), splits)


@pytest.fixture(scope="module")
def task():
    return words_task()


def by_type(control):
    """{word type: set of its labels} over all splits."""
    found = {}
    for rows in control.splits.values():
        for word, label in zip(rows.words.tolist(), rows.labels.tolist(), strict=True):
            found.setdefault(word, set()).add(label)
    return found


def test_a_type_has_one_label_in_all_splits(task):
    control = control_task("word_type", task, seed=0, draw=0)
    assert {len(labels) for labels in by_type(control).values()} == {1}


def test_only_labels_change(task):
    control = control_task("word_type", task, seed=0, draw=0)
    assert (control.name, control.unit, control.labels) == ("word_type", task.unit, task.labels)
    for split, rows in task.splits.items():
        for name in ("index", "groups", "words"):
            assert getattr(control.splits[split], name) is getattr(rows, name)
        assert not np.array_equal(control.splits[split].labels, rows.labels)


def test_labels_of_types_follow_the_distribution_of_train(task):
    labels = by_type(control_task("word_type", task, seed=0, draw=0))
    counts = np.bincount([next(iter(one)) for one in labels.values()], minlength=4)
    expected = np.bincount(task.splits["train"].labels, minlength=4) / len(task.splits["train"])
    assert chisquare(counts, expected * counts.sum()).pvalue > 0.01
    assert chisquare(counts, counts.sum() / 4).pvalue < 1e-6  # dev and test are uniform: they have no say


def test_draws_are_independent(task):
    draws = [control_task("word_type", task, seed=0, draw=draw).splits["dev"] for draw in range(6)]
    types = np.unique(draws[0].words, return_index=True)[1]
    by_chance = (SHARES**2).sum()
    for first in range(6):
        for second in range(first):
            agreement = np.mean(draws[first].labels[types] == draws[second].labels[types])
            # Standard error .01 over about 2,200 types.
            assert agreement == pytest.approx(by_chance, abs=0.05)


def test_a_draw_does_not_change_when_others_are_made(task):
    alone = control_task("word_type", task, seed=0, draw=3)
    several = [control_task("word_type", task, seed=0, draw=draw) for draw in range(5)]
    for split in task.splits:
        assert np.array_equal(alone.splits[split].labels, several[3].splits[split].labels)


def test_draws_belong_to_a_seed(task):
    first, second = (control_task("word_type", task, seed=seed, draw=0).splits["test"].labels for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_types_that_only_one_split_has_do_not_change_the_labels_of_others(task):
    extra = Rows(np.zeros((1, 1), dtype=np.int64), np.array([0]), np.array([0]), np.array([9000]))
    larger = Task(task.name, task.unit, task.labels, {**task.splits, "test": extra})
    before, after = (control_task("word_type", one, seed=0, draw=0).splits["train"].labels for one in (task, larger))
    assert np.array_equal(before, after)


@pytest.mark.parametrize(("key", "is_shared"), [(str.lower, True), (str, False)])
def test_cases_share_a_label_where_the_encoder_cannot_tell_them_apart(key, is_shared):
    words = " ".join(f"w{number}" for number in range(40))
    splits = {split: (sentence(split, f"{words} {words.upper()}", "A B " * 40),) for split in ("train", "dev", "test")}
    corpus = Corpus("cases", splits)
    rows = control_task("word_type", build_task("pos", corpus, index_words(corpus, key=key)), seed=0, draw=0)
    lower, upper = np.split(rows.splits["test"].labels, 2)
    assert np.array_equal(lower, upper) == is_shared


def test_sentences_have_nothing_that_recurs(labelled):
    task = build_task("label", labelled, index_sentences(labelled))
    with pytest.raises(TaskError) as caught:
        control_task("word_type", task, seed=0, draw=0)
    assert str(caught.value) == (
        "Control 'word_type' is one for words, but task 'label' has sentences as its unit. "
        "Use 'root_lemma', or leave the control out."
    )
    with pytest.raises(TaskError) as caught:
        control_task("root_lemma", task, seed=0, draw=0)
    assert str(caught.value) == (
        "Control 'root_lemma' needs units that recur, but the examples of task 'label' have none. "
        "Leave the control out."
    )


def test_roots_that_recur_have_one_label_each():
    grammar = generate(size=400)
    task = build_task("attribute.tense", grammar, index_sentences(grammar))
    draws = [control_task("root_lemma", task, seed=0, draw=draw) for draw in (0, 1)]
    for control in draws:
        labels: dict[int, set[int]] = {}
        for rows in control.splits.values():
            for word, label in zip(rows.words.tolist(), rows.labels.tolist(), strict=True):
                labels.setdefault(word, set()).add(label)
        assert len(labels) > 20
        assert all(len(found) == 1 for found in labels.values())
    first, second = (control.splits["train"].labels for control in draws)
    assert not np.array_equal(first, second)


def test_permuted_labels_are_those_of_the_task_in_another_order(task):
    first, again, other = (control_task("permuted", task, seed=0, draw=draw) for draw in (0, 0, 1))
    for split, rows in task.splits.items():
        labels = first.splits[split].labels
        assert sorted(labels) == sorted(rows.labels)
        assert not np.array_equal(labels, rows.labels)
        assert np.array_equal(labels, again.splits[split].labels)
        assert not np.array_equal(labels, other.splits[split].labels)


def test_an_unknown_control_lists_the_known_ones(task):
    with pytest.raises(TaskError) as caught:
        control_task("word_tpye", task, seed=0, draw=0)
    assert str(caught.value) == (
        "Unknown control 'word_tpye'. Known controls are 'word_type', 'root_lemma', 'permuted', 'arc'. "
        "Choose one of these."
    )
    assert list(CONTROLS) == ["word_type", "root_lemma", "permuted", "arc"]
