"""Portions of train: whole sentences, nested, of the size that was asked for."""

from itertools import pairwise

import numpy as np
import pytest

from probes.errors import TaskError
from probes.task.portion import choose_portion, keep_share, take_rows, units_of_portions, with_train
from probes.types import RowIndex, Rows, Task

UNITS = np.repeat(np.arange(50), np.random.default_rng(0).integers(1, 9, 50))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.33, 0.5, 1.0])
def test_portion_is_as_few_whole_sentences_as_hold_the_share(share: float) -> None:
    chosen = choose_portion(UNITS, share, seed=0)
    names = set(UNITS[chosen].tolist())
    assert chosen.tolist() == [example for example, unit in enumerate(UNITS.tolist()) if unit in names]
    assert len(chosen) >= share * len(UNITS)
    # Without its last sentence, whichever that was, it would be too small.
    largest = np.bincount(UNITS)[list(names)].max()
    assert len(chosen) - largest < share * len(UNITS)


def test_smaller_portions_lie_inside_larger_ones() -> None:
    portions = [set(choose_portion(UNITS, share, seed=3).tolist()) for share in (0.05, 0.2, 0.6, 1.0)]
    assert all(small < large for small, large in pairwise(portions))
    assert portions[-1] == set(range(len(UNITS)))


def test_seed_decides_which_sentences() -> None:
    one, again, other = (choose_portion(UNITS, 0.3, seed=seed).tolist() for seed in (0, 0, 1))
    assert one == again != other


@pytest.mark.parametrize(("share", "total", "size"), [(0.1, 30, 3), (0.07, 100, 7), (0.15, 10, 2), (0.3, 10, 3)])
def test_a_share_is_not_rounded_up_by_its_last_bits(share: float, total: int, size: int) -> None:
    """In binary .1 x 30 is more than 3."""
    assert len(choose_portion(np.arange(total), share, seed=0)) == size


def test_units_are_sentences_and_for_pairs_their_groups() -> None:
    offsets = np.array([0, 2, 2, 5])
    index = RowIndex("word", ["a", "b", "c"], offsets, np.zeros(5, np.int32), np.zeros(5, np.int32))
    rows = Rows(np.array([[0], [1], [2], [4]]), np.zeros(4, int), np.array([7, 7, 7, 8]), np.zeros(4, int))
    assert units_of_portions(rows, index).tolist() == [0, 0, 2, 2]
    paired = Rows(rows.index, rows.labels, rows.groups, rows.words, partner=np.array([1, 0, 3, 2]))
    assert units_of_portions(paired, index).tolist() == [7, 7, 7, 8]


def test_a_share_of_a_task_is_one_of_its_sentences() -> None:
    index = RowIndex(
        "word", ["a", "b", "c", "d"], np.array([0, 2, 4, 6, 8]), np.zeros(8, np.int32), np.zeros(8, np.int32)
    )
    rows = Rows(np.arange(8)[:, None], np.arange(8) % 2, np.arange(8), np.zeros(8, int))
    task = Task("t", "word", ("a", "b"), {"train": rows, "dev": rows, "test": rows})
    kept = keep_share(task, index, 0.5, seed=1).splits["train"].index[:, 0].tolist()
    assert kept in [[2 * n, 2 * n + 1, 2 * m, 2 * m + 1] for n in range(4) for m in range(n + 1, 4)]


def test_a_share_of_one_label_is_told() -> None:
    index = RowIndex("word", ["a", "b"], np.array([0, 2, 4]), np.zeros(4, np.int32), np.zeros(4, np.int32))
    rows = Rows(np.arange(4)[:, None], np.array([0, 0, 1, 1]), np.arange(4), np.zeros(4, int))
    task = Task("t", "word", ("a", "b"), {"train": rows, "dev": rows, "test": rows})
    with pytest.raises(TaskError) as caught:
        keep_share(task, index, 0.5, seed=0)
    assert str(caught.value) == (
        "Task 't' needs at least two labels in train, but the 2 examples of the share 0.5 have one. Raise "
        "task.train_share."
    )


def test_every_field_of_the_rows_is_taken_alike() -> None:
    number = np.arange(4)
    rows = Rows(
        number[:, None],
        number + 10,
        number + 20,
        number + 30,
        surface={"length": number + 40},
        texts=["a", "b", "c", "d"],
        sequence=number + 50,
        ends=np.stack([number, number + 1], axis=1),
        partner=number[::-1],
        subsets={"genre:x": number % 2 == 0},
    )
    taken = take_rows(rows, np.array([1, 2]))
    assert (taken.index.tolist(), taken.labels.tolist()) == ([[1], [2]], [11, 12])
    assert (taken.groups.tolist(), taken.words.tolist()) == ([21, 22], [31, 32])
    assert (taken.surface["length"].tolist(), taken.texts) == ([41, 42], ("b", "c"))
    assert taken.sequence is not None
    assert taken.ends is not None
    assert (taken.sequence.tolist(), taken.ends.tolist()) == ([51, 52], [[1, 2], [2, 3]])
    assert (taken.partner, taken.subsets["genre:x"].tolist()) == (None, [False, True])


def test_dev_and_test_stay_whole() -> None:
    rows = Rows(np.arange(4)[:, None], np.arange(4), np.arange(4), np.arange(4))
    task = Task("t", "word", ("a", "b", "c", "d"), {"train": rows, "dev": rows, "test": rows})
    portion = with_train(task, np.array([3]))
    assert [len(part) for part in portion.splits.values()] == [1, 4, 4]
    assert portion.splits["dev"] is rows
