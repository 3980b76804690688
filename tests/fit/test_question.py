"""A task with its controls as tensors, and what is refused before anything is read.

The message for each kind of mistake in train is in test_choose; here are the other splits and shapes.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit.loss import predict_class
from probes.fit.question import Question
from probes.types import Rows, Task

SIZES = {"train": 4, "dev": 3, "test": 2}


def make_rows(labels, index=None):
    index = np.arange(len(labels))[:, None] if index is None else index
    return Rows(index, labels, np.arange(len(labels)), np.full(len(labels), -1))


def make_task(answer="class", name="task", *, labels=("a", "b"), **splits):
    """A task of zeros, but for the labels of the splits that are given."""
    shape = {"class": (), "labels": (len(labels),), "number": (len(labels),)}[answer]
    kind = np.float64 if answer == "number" else np.int64
    every = {split: np.zeros((size, *shape), dtype=kind) for split, size in SIZES.items()}
    every |= {split: np.asarray(values) for split, values in splits.items()}
    return Task(name, "word", labels, {split: make_rows(values) for split, values in every.items()}, answer)


def ask(task, *controls):
    return Question(task, controls, FitConfig())


def message_of(task, *controls):
    with pytest.raises(FitError) as caught:
        ask(task, *controls)
    return str(caught.value)


@pytest.mark.parametrize(("split", "other"), [("train", 5), ("dev", 2)])
def test_the_second_control_is_checked_as_the_first(split, other):
    controls = [make_task(name="word_type"), make_task(name="shuffled", **{split: [0] * other})]
    assert message_of(make_task(), *controls) == (
        f"Control 'shuffled' should have the {SIZES[split]} examples that task 'task' has in split {split!r}, "
        f"but has {other}. Make it with Task.with_labels."
    )


@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_split_that_is_fitted_needs_examples_and_test_does_not(split):
    none = np.zeros(0, dtype=np.int64)
    assert message_of(make_task(**{split: none})) == (
        f"Task 'task' needs examples in split {split!r}, but has none. Check what it filters."
    )
    assert ask(make_task(test=none)).targets == ("task",)


@pytest.mark.parametrize("split", ["train", "dev"])
def test_rows_and_labels_of_unequal_number_are_refused(split):
    task = make_task()
    # Shapes are checked while tests run, so the rows are made without their constructor.
    rows, whole = object.__new__(Rows), task.splits[split]
    for name in ("labels", "groups", "words"):
        object.__setattr__(rows, name, getattr(whole, name))
    object.__setattr__(rows, "index", np.arange(9)[:, None])
    assert message_of(replace(task, splits={**task.splits, split: rows})) == (
        f"Task 'task' should have one label for each of its 9 examples in split {split!r}, but has {SIZES[split]}. "
        f"Check how its rows are made."
    )


@pytest.mark.parametrize(
    ("split", "labels", "example", "shown"),
    [
        ("train", [1.0, np.nan, 2.0, np.inf], 1, "nan"),
        ("dev", [1.0, 2.0, -np.inf], 2, "-inf"),
        ("dev", [[1.0, 2.0], [np.nan, 2.0], [np.nan, np.nan]], 1, "[nan  2.]"),
    ],
)
def test_the_first_label_that_is_not_finite_is_named(split, labels, example, shown):
    assert message_of(make_task("number", **{split: labels})) == (
        f"Labels should be finite numbers, but example {example} of task 'task' in split {split!r} has {shown}. "
        f"Leave such examples out."
    )


def test_a_control_whose_labels_are_not_finite_is_refused():
    bad = make_task("number", "shuffled", train=[[0.0, 1.0]] * 3 + [[np.nan, 1.0]])
    assert "example 3 of task 'shuffled' in split 'train'" in message_of(make_task("number"), bad)


def test_a_control_over_other_rows_is_refused():
    task = make_task()
    splits = {split: make_rows(rows.labels, rows.index[::-1].copy()) for split, rows in task.splits.items()}
    message_of(task, replace(task, name="shuffled", splits=splits))


def test_targets_are_the_task_and_its_controls_in_their_order():
    assert ask(make_task(), make_task(name="y"), make_task(name="x")).targets == ("task", "y", "x")


def test_questions_share_rows_when_train_and_dev_are_the_same_examples():
    task = make_task()

    def moved(split):
        rows = make_rows(task.splits[split].labels, task.splits[split].index + 1)
        return ask(replace(task, splits={**task.splits, split: rows}))

    assert ask(task).is_over_rows_of(ask(make_task(labels=("c", "d", "e"))))
    assert [ask(task).is_over_rows_of(moved(split)) for split in SIZES] == [False, False, True]
    # Rows of an arc have two slots; a shorter split has fewer examples.
    arcs = {split: make_rows(rows.labels, np.hstack([rows.index] * 2)) for split, rows in task.splits.items()}
    assert not ask(task).is_over_rows_of(ask(replace(task, splits=arcs)))
    assert not ask(task).is_over_rows_of(ask(make_task(dev=[0, 0])))


@pytest.mark.parametrize(
    ("num_labels", "kind"), [(2, torch.int16), (2**15 - 1, torch.int16), (2**15, torch.int32), (40_000, torch.int32)]
)
def test_classes_are_kept_whole_in_the_smallest_type(num_labels, kind):
    names, last = tuple(map(str, range(num_labels))), num_labels - 1
    task, control = (make_task(labels=names, train=values) for values in ([0, last, 1, 0], [last, 0, 0, 1]))
    question = ask(task, control)
    wanted = question.wanted("train", [control, task])
    assert wanted.dtype == kind
    assert wanted.tolist() == [[last, 0, 0, 1], [0, last, 1, 0]]
    assert question.num_outputs == num_labels


def test_classes_that_need_int32_are_predicted():
    logits = torch.zeros(1, 1, 2**15 + 1, 1)
    logits[0, 0, 2**15] = 1
    assert predict_class(logits).tolist() == [[[2**15]]]


def test_several_labels_keep_their_axis():
    question = ask(make_task("labels", dev=[[1, 0], [0, 0], [1, 1]]))
    wanted = question.wanted("dev", [question.task])
    assert wanted.dtype == torch.uint8
    assert wanted.tolist() == [[[1, 0], [0, 0], [1, 1]]]
    assert [part.tolist() for part in question.unit] == [[0, 0], [1, 1]]


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_one_number_an_example_is_one_output_in_units_of_train(shape):
    values = np.array([1.0, 3.0, 5.0, 7.0]).reshape(shape)
    task = make_task("number", labels=("depth",), train=values, dev=np.array([4.0, 5.0, 14.0]).reshape(3, *shape[1:]))
    question = ask(task)
    spread = 5**0.5
    assert [part.tolist() for part in question.unit] == [[4.0], [pytest.approx(spread)]]
    assert question.wanted("train", [task]).shape == (1, 4, 1)
    assert question.wanted("dev", [task]).flatten().tolist() == pytest.approx([0, 1 / spread, 10 / spread])


def test_numbers_of_controls_are_in_units_of_the_task():
    task = make_task("number", train=[[0.0, 10.0], [2.0, 30.0], [0.0, 10.0], [2.0, 30.0]])
    control = replace(make_task("number", "shuffled", train=[[100.0, 20.0]] * 4), name="shuffled")
    question = ask(task, control)
    both = question.wanted("train", [task, control])
    assert both.dtype == torch.float32
    assert both[0].tolist() == [[-1, -1], [1, 1]] * 2
    assert both[1].tolist() == [[99, 0]] * 4


def test_units_are_found_in_double_precision():
    values = 1e8 + np.array([[0.0, 0.25, 0.5, 0.75]]).T
    question = ask(make_task("number", labels=("year",), train=values))
    assert question.unit[1].item() == pytest.approx(values.std(), rel=1e-6)
