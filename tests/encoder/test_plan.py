"""The batch plan: every sentence once, within the budget, always the same."""

import json
from hashlib import sha256

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from probes.encoder.plan import PLAN_VERSION, Plan, place_rows, plan_batches

lengths_and_budget = st.tuples(
    st.lists(st.integers(min_value=2, max_value=64), min_size=1, max_size=60), st.integers(min_value=1, max_value=300)
)


@given(lengths_and_budget)
def test_every_sentence_is_planned_once_within_the_budget(case: tuple[list[int], int]) -> None:
    lengths, budget = case
    batches = plan_batches(lengths, budget)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    for batch in batches:
        padded = len(batch) * max(lengths[number] for number in batch)
        assert padded <= budget or len(batch) == 1


def test_longest_come_first_and_equal_lengths_stay_in_order() -> None:
    batches = plan_batches([3, 9, 3, 9, 5], batch_pieces=18)
    assert [batch.tolist() for batch in batches] == [[1, 3], [4, 0, 2]]


def test_sentence_beyond_the_budget_goes_alone() -> None:
    batches = plan_batches([50, 4, 40], batch_pieces=8)
    assert [batch.tolist() for batch in batches] == [[0], [2], [1]]


def test_nothing_to_plan_is_no_batch() -> None:
    assert plan_batches([], 10) == ()


def test_plan_is_pinned_to_its_version() -> None:
    lengths = [int(length) for length in np.random.default_rng(0).integers(3, 60, size=200)]
    digest = sha256(json.dumps([batch.tolist() for batch in plan_batches(lengths, 512)]).encode()).hexdigest()
    # Whoever changes the plan raises PLAN_VERSION and this hash: caches are found by the version.
    assert (PLAN_VERSION, digest[:16]) == (1, "9c857909d1a03381")


def place(windows: dict[int, list[int]], sizes: list[int], first_of: list[int], batches: list[list[int]]) -> Plan:
    """The plan of sentences with `sizes` rows each, of which some are cut into `windows` of so many rows."""
    table = [(sentence, rows) for sentence, parts in sorted(windows.items()) for rows in parts]
    return place_rows(
        tuple(np.array(batch) for batch in batches),
        window_sentence=np.array([sentence for sentence, _ in table], dtype=np.int64),
        window_rows=np.array([rows for _, rows in table], dtype=np.int64),
        row_offsets=np.cumsum([0, *sizes]),
        first_of=np.array(first_of),
    )


def test_rows_of_windows_follow_one_another_in_their_sentence() -> None:
    plan = place({0: [2], 1: [3, 1, 2]}, sizes=[2, 6], first_of=[0, 1], batches=[[2, 0], [3, 1]])
    assert [plan.rows.rows(batch).tolist() for batch in range(2)] == [[0, 1, 5], [2, 3, 4, 6, 7]]
    assert plan.text.tolist() == [1, 0, 1, 0]  # window 0 is the second text of its batch, window 2 the first


def test_equal_sentences_get_the_rows_of_the_first() -> None:
    plan = place({0: [1, 1], 2: [3]}, sizes=[2, 2, 3, 2], first_of=[0, 0, 2, 0], batches=[[1, 2], [0]])
    assert [plan.rows.rows(batch).tolist() for batch in range(2)] == [[1, 3, 4, 5, 6, 8], [0, 2, 7]]
    assert plan.text.tolist() == [0, 0, 1, 0, 0, 0, 0]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=30), st.integers(1, 12))
def test_every_row_has_one_place(sentences: list[tuple[int, int]], budget: int) -> None:
    kinds = [kind for kind, _ in sentences]
    first_of = [kinds.index(kind) for kind in kinds]
    sizes = [sentences[first][1] for first in first_of]
    windows = {number: [size] for number, size in enumerate(sizes) if first_of[number] == number and size}
    batches = plan_batches([sum(parts) + 2 for parts in windows.values()], budget)
    plan = place(windows, sizes, first_of, [batch.tolist() for batch in batches])
    placed = [row for batch in range(len(batches)) for row in plan.rows.rows(batch).tolist()]
    assert sorted(placed) == list(range(sum(sizes)))
    for batch in range(len(batches)):
        assert plan.rows.rows(batch).tolist() == sorted(plan.rows.rows(batch).tolist())
