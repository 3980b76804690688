"""Batches and their checksums: every row once, and every changed bit seen."""

import numpy as np
import pytest
import xxhash

from probes.cache import Batches, Layout, block_batches
from probes.cache.batch import borders, checksum, stored_checksums

LAYOUTS = {"train": Layout(2, 5, 3, "float32"), "none": Layout(2, 0, 3, "float32"), "test": Layout(2, 2, 3, "float32")}


@pytest.mark.parametrize("block_rows", [1, 2, 5, 100])
def test_blocks_hold_every_row_once_and_never_cross_a_split(block_rows: int) -> None:
    batches = block_batches(LAYOUTS, block_rows)
    rows = [batches.rows(number).tolist() for number in range(len(batches))]
    assert [row for part in rows for row in part] == list(range(7))
    assert all(max(part) < 5 or min(part) >= 5 for part in rows)
    assert max(map(len, rows)) <= block_rows


def test_rows_of_a_batch_are_its_ranges() -> None:
    batches = Batches(np.array([0, 2, 2, 3]), np.array([0, 4, 2]), np.array([2, 1, 2]))
    assert len(batches) == 3
    assert [batches.rows(number).tolist() for number in range(3)] == [[0, 1, 4], [], [2, 3]]
    assert list(batches.ranges(0)) == [(0, 2), (4, 1)]


def test_borders_are_the_first_rows_of_splits() -> None:
    assert borders(LAYOUTS).tolist() == [0, 5, 5, 7]


def test_checksum_is_xxh3_of_the_bytes() -> None:
    states = np.arange(12, dtype=np.float16).reshape(3, 4)
    assert checksum(states) == xxhash.xxh3_64_intdigest(states.tobytes())
    assert checksum(states.T) == xxhash.xxh3_64_intdigest(states.T.tobytes())
    assert checksum(states[:0]) == xxhash.xxh3_64_intdigest(b"")


def test_stored_checksums_are_those_of_each_split_and_layer() -> None:
    views = {
        split: [np.random.default_rng(layer).random((layout.num_rows, 3), dtype=np.float32) for layer in range(2)]
        for split, layout in LAYOUTS.items()
    }
    found = stored_checksums(views, np.array([1, 4, 6]), borders(LAYOUTS))
    expected = [[checksum(view[rows]) for view in views[split]] for split, rows in (("train", [1, 4]), ("test", [1]))]
    assert found.tolist() == [expected[0], [checksum(np.zeros((0, 3)))] * 2, expected[1]]
