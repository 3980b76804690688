"""Batches: each row once, in an order that follows from rows, batch, seed and epoch alone."""

from itertools import pairwise
from time import perf_counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from probes.fit.batch import BLOCK_ROWS, RowBatches, order_blocks
from tests.fit.conftest import measure

EDGES = [(1, 1), (1, 1024), (5, 3), (100, 1024), (1000, 64), (1024, 1024), (4100, 1024), (257, 1)]


@pytest.fixture
def index_layers():
    """Two layers in which every state says its own row and layer."""
    rows = np.arange(500, dtype=np.float32)
    return [np.stack([rows, np.full(500, layer), rows % 7], axis=1) for layer in (0, 1)]


@pytest.mark.parametrize(("num_rows", "batch_rows"), EDGES)
def test_an_epoch_has_every_row_once(num_rows, batch_rows):
    batches = order_blocks(num_rows, batch_rows, seed=0, epoch=0)
    assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(num_rows))
    assert [len(batch) for batch in batches[:-1]] == [batch_rows] * (len(batches) - 1)
    assert len(batches) == -(-num_rows // batch_rows)


def test_rows_of_a_block_stay_neighbours():
    order = np.concatenate(order_blocks(100 * BLOCK_ROWS, 1024, seed=0, epoch=0))
    jumps = sum(second != first + 1 for first, second in pairwise(order.tolist()))
    assert 90 <= jumps <= 99


def test_a_batch_has_blocks_from_many_places():
    for batch in order_blocks(10_000, 64, seed=0, epoch=0)[:-1]:
        assert len(np.unique(batch // 8)) >= 8


def test_order_is_random_over_epochs_and_seeds_and_the_same_again():
    def order(seed, epoch):
        return np.concatenate(order_blocks(2000, 64, seed=seed, epoch=epoch)).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9
    assert order(0, 0) != sorted(order(0, 0))


def make_batches(layers, rows, seed=None, num_targets=2):
    statistics = measure(np.stack(layers))
    labels = np.stack([rows + 1000 * target for target in range(num_targets)])
    return RowBatches(layers, rows, labels, statistics, batch_rows=64, seed=seed), statistics


@pytest.mark.parametrize("seed", [None, 3])
def test_labels_stay_with_their_rows(index_layers, seed):
    rows = np.random.default_rng(0).permutation(500)[:333]
    batches, statistics = make_batches(index_layers, rows, seed)
    met = []
    for states, labels in batches:
        raw = states / statistics.inverse_std[:, None] + statistics.mean[:, None]
        assert torch.allclose(raw[:, :, 0], labels[0].float().expand(2, -1), atol=1e-2)
        assert torch.equal(labels[1], labels[0] + 1000)
        met.extend(labels[0].tolist())
    assert sorted(met) == sorted(rows.tolist())
    assert (met == rows.tolist()) == (seed is None)


def test_a_constant_dimension_reads_as_zero(index_layers):
    batches, _ = make_batches(index_layers, np.arange(500))
    assert all((states[:, :, 1] == 0).all() for states, _ in batches)


def test_order_of_batches_does_not_depend_on_the_number_of_probes(index_layers):
    rows = np.arange(500)
    few, _ = make_batches(index_layers[:1], rows, seed=5, num_targets=1)
    many, _ = make_batches(index_layers * 3, rows, seed=5, num_targets=7)
    for _ in range(2):
        for (_, left), (_, right) in zip(few, many, strict=True):
            assert torch.equal(left[0], right[0])


def test_every_epoch_is_shuffled_anew(index_layers):
    batches, _ = make_batches(index_layers, np.arange(500), seed=5)
    first, second = (torch.cat([labels[0] for _, labels in batches]).tolist() for _ in range(2))
    assert first != second
    assert sorted(first) == sorted(second)


@pytest.mark.parametrize("num_rows", [1, 64, 65, 500])
def test_length_is_the_number_of_batches(index_layers, num_rows):
    batches, _ = make_batches(index_layers, np.arange(num_rows))
    assert len(batches) == len(list(batches))


@pytest.mark.slow
def test_batches_take_at_most_a_third_of_the_time_of_a_loader_over_tensors():
    states = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32)
    labels = np.zeros((1, 20_000), dtype=np.int64)
    ours = RowBatches([states], np.arange(20_000), labels, measure(states[None]), batch_rows=1024, seed=0)
    theirs = DataLoader(TensorDataset(torch.from_numpy(states), torch.from_numpy(labels[0])), 1024, shuffle=True)
    assert best_seconds(ours) < best_seconds(theirs) / 3


def best_seconds(batches):
    """The shortest of three passes."""
    seconds = []
    for _ in range(3):
        start = perf_counter()
        for _ in batches:
            pass
        seconds.append(perf_counter() - start)
    return min(seconds)
