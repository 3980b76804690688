"""Rows of what heads attend to, from sums that are known."""

import numpy as np
import pytest

from probes.encoder.attention import STATISTICS
from probes.method.heads_row import Attention


def tally(sizes: np.ndarray) -> Attention:
    """Two blocks, three heads, four texts of two groups; head h of block b has 1 + b + h for each piece."""
    sums = sizes * (1.0 + np.arange(2)[:, None, None] + np.arange(3)[:, None])
    found = Attention.nothing(num_blocks=2, num_heads=3, num_groups=2)
    for texts in (slice(0, 3), slice(3, 4)):
        found.add(sums[..., texts], sizes[..., texts], np.array([0, 1, 0, 1])[texts])
    return found


def test_values_are_sums_over_sizes():
    rows = list(tally(np.broadcast_to([1.0, 2.0, 3.0, 4.0], (len(STATISTICS), 2, 3, 4))).rows(seed=0))
    assert len(rows) == len(STATISTICS) * 2 * 4
    for row in rows:
        head = int(str(row.at["head"])[-1]) if row.at else 2  # the mean is that of the second
        assert row.value == pytest.approx((row.layer or 0) + head - 1)
        assert (row.n, row.groups) == (10, 2)
        assert (row.low is None) == (row.variant == "head")


def test_interval_comes_from_groups():
    sizes = np.ones((len(STATISTICS), 2, 3, 4))
    found = Attention.nothing(num_blocks=2, num_heads=3, num_groups=4)
    found.add(sizes * [0.0, 0.2, 0.4, 0.6], sizes, np.arange(4))
    for row in found.rows(seed=0):
        assert row.value == pytest.approx(0.3)
        if row.low is not None and row.high is not None:
            assert 0.0 <= row.low < 0.2
            assert 0.4 < row.high <= 0.6


def test_nothing_is_said_of_special_pieces_where_there_are_none():
    sizes = np.ones((len(STATISTICS), 2, 3, 4))
    sizes[1:3] = 0
    assert {row.metric for row in tally(sizes).rows(seed=0)} == set(STATISTICS) - {"cls_share", "sep_share"}
