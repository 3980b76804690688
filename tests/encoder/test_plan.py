"""The batch plan: every sentence once, within the budget, always the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.encoder.plan import plan_batches, plan_hash

lengths_and_budget = st.tuples(
    st.lists(st.integers(min_value=2, max_value=64), min_size=1, max_size=60), st.integers(min_value=1, max_value=300)
)


@given(lengths_and_budget)
def test_every_sentence_is_planned_once_within_the_budget(case: tuple[list[int], int]) -> None:
    lengths, budget = case
    batches = plan_batches(lengths, range(len(lengths)), budget)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[number] for number in batch)
        assert padded <= budget or len(batch) == 1


@given(lengths_and_budget)
def test_only_the_first_of_equal_sentences_is_planned(case: tuple[list[int], int]) -> None:
    lengths, budget = case
    first_of = [min(number, lengths.index(length)) for number, length in enumerate(lengths)]
    planned = np.concatenate(plan_batches(lengths, first_of, budget)).tolist()
    assert sorted(planned) == sorted(set(first_of))


def test_longest_come_first_and_equal_lengths_stay_in_order() -> None:
    batches = plan_batches([3, 9, 3, 9, 5], range(5), batch_pieces=18)
    assert [batch.tolist() for batch in batches] == [[1, 3], [4, 0, 2]]


def test_sentence_beyond_the_budget_goes_alone() -> None:
    batches = plan_batches([50, 4, 40], range(3), batch_pieces=8)
    assert [batch.tolist() for batch in batches] == [[0], [2], [1]]


def test_nothing_to_plan_is_no_batch() -> None:
    assert plan_batches([], [], 10) == ()


def test_plan_and_hash_are_the_same_again() -> None:
    lengths = [5, 8, 8, 3, 12]
    first, again = (plan_batches(lengths, range(5), 16) for _ in range(2))
    assert plan_hash(first) == plan_hash(again)


@pytest.mark.parametrize(
    "other",
    [
        [[0, 1], [2], [3]],  # another grouping of the same order
        [[0], [1, 2], [3]],
        [[2, 1], [0, 3]],  # another order
        [[0, 1]],  # fewer
        [],
    ],
)
def test_hash_changes_with_the_plan(other: list[list[int]]) -> None:
    plan = [np.array([0, 1]), np.array([2, 3])]
    assert plan_hash(plan) != plan_hash([np.array(batch) for batch in other])
