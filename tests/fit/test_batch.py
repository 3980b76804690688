"""Batches: each row once, in an order that follows from rows, batch, seed and epoch alone."""

from itertools import pairwise
from threading import active_count
from time import perf_counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from probes.fit.batch import BLOCK_ROWS, RowBatches, ahead, order_blocks
from probes.fit.read import SplitRows
from tests.fit.conftest import measure

EDGES = [(1, 1), (1, 1024), (5, 3), (100, 1024), (1000, 64), (1024, 1024), (4100, 1024), (257, 1)]


@pytest.fixture
def index_layers():
    """Two layers in which every state says its own row and layer."""
    rows = np.arange(500, dtype=np.float32)
    return [np.stack([rows, np.full(500, layer), rows % 7], axis=1) for layer in (0, 1)]


def examples_of(batches):
    """The examples of each batch, of its ranges one after another."""
    return [np.concatenate([np.arange(start, stop) for start, stop in ranges]) for ranges in batches]


@pytest.mark.parametrize(("num_rows", "batch_rows"), EDGES)
def test_an_epoch_has_every_row_once(num_rows, batch_rows):
    batches = examples_of(order_blocks(num_rows, batch_rows, seed=0, epoch=0))
    assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(num_rows))
    assert [len(batch) for batch in batches[:-1]] == [batch_rows] * (len(batches) - 1)
    assert len(batches) == -(-num_rows // batch_rows)


def test_rows_of_a_block_stay_neighbours():
    order = np.concatenate(examples_of(order_blocks(100 * BLOCK_ROWS, 1024, seed=0, epoch=0)))
    jumps = sum(second != first + 1 for first, second in pairwise(order.tolist()))
    assert 90 <= jumps <= 99


def test_a_batch_has_blocks_from_many_places():
    for batch in examples_of(order_blocks(10_000, 64, seed=0, epoch=0))[:-1]:
        assert len(np.unique(batch // 8)) >= 8


def test_order_is_random_over_epochs_and_seeds_and_the_same_again():
    def order(seed, epoch):
        return np.concatenate(examples_of(order_blocks(2000, 64, seed=seed, epoch=epoch))).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9
    assert order(0, 0) != sorted(order(0, 0))


def make_batches(layers, rows, seed=None, dtype=torch.float32):
    statistics = measure(np.stack(layers))
    batches = RowBatches(SplitRows(layers, rows[:, None]), statistics.scale, batch_rows=64, seed=seed, dtype=dtype)
    return batches, statistics.scale


@pytest.mark.parametrize("seed", [None, 3])
def test_examples_stay_with_their_states(index_layers, seed):
    rows = np.random.default_rng(0).permutation(500)[:333]
    batches, scale = make_batches(index_layers, rows, seed)
    met = []
    for states, examples in batches:
        raw = states / scale.inverse_std[:, None] + scale.mean[:, None]
        wanted = torch.from_numpy(rows[examples.numpy()]).float()
        assert torch.allclose(raw[:, :, 0], wanted.expand(2, -1), atol=1e-2)
        met.extend(examples.tolist())
    assert sorted(met) == list(range(333))
    assert (met == sorted(met)) == (seed is None)


@pytest.mark.parametrize("layout", ["in order", "gaps", "shuffled", "two slots"])
def test_rows_are_read_where_they_lie(index_layers, layout):
    stream = np.random.default_rng(1)
    index = {
        "in order": np.arange(100, 400)[:, None],
        "gaps": np.delete(np.arange(500), [3, 77, 78, 400])[:, None],
        "shuffled": stream.permutation(500)[:, None],
        "two slots": np.stack([np.arange(500), stream.permutation(500)], axis=1),
    }[layout]
    rows, ranges = SplitRows(index_layers, index), [(40, 90), (0, 17), (17, 40)]
    out = torch.empty(2, 90, rows.num_features)
    found = rows.read(ranges, [1, 0], None, out=out).numpy()
    chosen = index[np.concatenate([np.arange(*part) for part in ranges])]
    for position, layer in enumerate((1, 0)):
        assert np.array_equal(found[position], index_layers[layer][chosen].reshape(90, -1))


def test_a_constant_dimension_reads_as_zero(index_layers):
    batches, _ = make_batches(index_layers, np.arange(500))
    assert all((states[:, :, 1] == 0).all() for states, _ in batches)


def test_bfloat16_is_the_rounding_of_what_was_standardised_in_float32(index_layers):
    layers = [layer * 1e-3 + 5 for layer in index_layers]
    fine, _ = make_batches(layers, np.arange(500))
    coarse, _ = make_batches(layers, np.arange(500), dtype=torch.bfloat16)
    for (one, _), (other, _) in zip(fine, coarse, strict=True):
        assert torch.equal(one.bfloat16(), other)


def test_order_of_batches_does_not_depend_on_the_layers(index_layers):
    few, _ = make_batches(index_layers[:1], np.arange(500), seed=5)
    many, _ = make_batches(index_layers * 3, np.arange(500), seed=5)
    for _ in range(2):
        for (_, left), (_, right) in zip(few, many, strict=True):
            assert torch.equal(left, right)


def test_every_epoch_is_shuffled_anew(index_layers):
    batches, _ = make_batches(index_layers, np.arange(500), seed=5)
    first, second = (torch.cat([examples for _, examples in batches]).tolist() for _ in range(2))
    assert first != second
    assert sorted(first) == sorted(second)


@pytest.mark.parametrize("num_rows", [1, 64, 65, 500])
def test_length_is_the_number_of_batches(index_layers, num_rows):
    batches, _ = make_batches(index_layers, np.arange(num_rows))
    assert len(batches) == len(list(batches))


def test_a_thread_reads_the_same_batches(index_layers):
    plain, _ = make_batches(index_layers, np.arange(500), seed=5)
    threaded, _ = make_batches(index_layers, np.arange(500), seed=5)
    threaded.is_threaded = True
    before = active_count()
    for (states, examples), (others, same) in zip(plain, threaded, strict=True):
        assert torch.equal(examples, same)
        assert torch.equal(states, others)
    assert active_count() == before


def test_an_error_in_the_thread_is_raised_where_the_batch_was_asked_for():
    def make(number):
        if number == 2:
            raise OSError("the disk went away")
        return number

    batches = ahead(make, [0, 1, 2, 3])
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(OSError, match="the disk went away"):
        next(batches)


def test_a_consumer_that_stops_early_ends_the_thread():
    before, made = active_count(), []
    batches = ahead(lambda number: made.append(number) or number, range(1000))
    next(batches)
    batches.close()
    assert active_count() == before
    assert len(made) < 10


def test_pages_of_a_map_are_announced_and_arrays_in_memory_need_none(index_layers, tmp_path):
    whole = np.memmap(tmp_path / "states", np.float32, "w+", offset=24, shape=(500, 3))
    whole[:] = index_layers[0]
    rows = SplitRows([whole, index_layers[1]], np.arange(500)[:, None])
    for ranges in ([(0, 1)], [(499, 500)], [(0, 500), (3, 7)]):
        rows.announce(ranges, [0, 1])
    assert np.array_equal(rows.chunk(0, [0], None)[0].numpy(), index_layers[0])
    SplitRows([whole], np.arange(499, -1, -1)[:, None]).announce([(0, 500)], [0])


@pytest.mark.slow
def test_batches_take_at_most_a_third_of_the_time_of_a_loader_over_tensors():
    states = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32)
    rows = SplitRows([states], np.arange(20_000)[:, None])
    ours = RowBatches(rows, measure(states[None]).scale, batch_rows=1024, seed=0)
    theirs = DataLoader(TensorDataset(torch.from_numpy(states), torch.arange(20_000)), 1024, shuffle=True)
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
