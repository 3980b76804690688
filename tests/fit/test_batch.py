"""Batches: each row once, in an order that follows from rows, batch, seed and epoch alone."""

import threading
from itertools import pairwise
from time import perf_counter, sleep

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from probes.fit import batch as module
from probes.fit.batch import BLOCK_ROWS, THREAD_NAME, RowBatches, ahead, order_blocks
from probes.fit.read import SplitRows
from tests.fit.conftest import measure


def active_count():
    """Threads that read batches; those of other libraries come and go."""
    return sum(thread.name == THREAD_NAME for thread in threading.enumerate())


EDGES = [(1, 1), (1, 1024), (5, 3), (100, 1024), (1000, 64), (1024, 1024), (4100, 1024), (257, 1)]


@pytest.fixture(autouse=True, params=["held", "streamed"])
def is_held(request, monkeypatch):
    """Whether features stay in memory: nothing else may depend on it."""
    if request.param == "streamed":
        monkeypatch.setattr(module, "HELD_BYTES", 0)
    return request.param == "held"


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


def test_only_the_layers_that_are_asked_for_are_read_in_their_order(index_layers):
    layers = [index_layers[0], index_layers[1], 500 - index_layers[0]]
    scale = measure(np.stack(layers)).scale
    whole = RowBatches(SplitRows(layers, np.arange(500)[:, None]), scale, batch_rows=64, seed=2)
    spoiled = [layers[0], np.full_like(layers[1], np.nan), layers[2]]
    some = RowBatches(SplitRows(spoiled, np.arange(500)[:, None]), scale, batch_rows=64, seed=2)
    some.layers = [2, 0]
    for (features, examples), (every, same) in zip(some, whole, strict=True):
        assert torch.equal(examples, same)
        assert torch.equal(features, every[[2, 0]])


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("seed", [None, 5])
def test_a_thread_reads_the_same_batches(index_layers, dtype, seed):
    plain, _ = make_batches(index_layers, np.arange(500), seed, dtype)
    threaded, _ = make_batches(index_layers, np.arange(500), seed, dtype)
    threaded.is_threaded = True
    before = active_count()
    for _ in range(2):
        for (states, examples), (others, same) in zip(plain, threaded, strict=True):
            sleep(0.005)  # the thread goes as far ahead as it may: it must not fill what is in use
            assert torch.equal(examples, same)
            assert torch.equal(states, others)
    assert active_count() == before


class FailingRows(SplitRows):
    """Rows whose disk goes away at example 200."""

    def read(self, ranges, layers, scale, *, out, scratch=None):
        if any(start <= 200 < stop for start, stop in ranges):
            raise OSError("the disk went away")
        return super().read(ranges, layers, scale, out=out, scratch=scratch)


@pytest.mark.parametrize("is_threaded", [False, True])
def test_an_error_of_a_batch_is_raised_in_its_turn(index_layers, is_threaded, is_held):
    rows = FailingRows(index_layers, np.arange(500)[:, None])
    batches = RowBatches(rows, measure(np.stack(index_layers)).scale, batch_rows=64)
    batches.is_threaded, before, met = is_threaded, active_count(), []
    with pytest.raises(OSError, match="the disk went away"):
        met.extend(len(examples) for _, examples in batches)
    assert met == ([] if is_held else [64, 64, 64])
    assert active_count() == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_few_rows_are_read_once_and_give_the_same_batches(index_layers, monkeypatch, dtype):
    reads = []

    class CountedRows(SplitRows):
        def read(self, ranges, layers, *args, **kwargs):
            reads.append((list(ranges), list(layers)))
            return super().read(ranges, layers, *args, **kwargs)

    rows, scale = CountedRows(index_layers, np.arange(500)[::-1, None]), measure(np.stack(index_layers)).scale
    held, streamed = (RowBatches(rows, scale, batch_rows=64, dtype=dtype, seed=5) for _ in range(2))
    for layers in ([0, 1], [1]):
        held.layers = streamed.layers = layers
        monkeypatch.setattr(module, "HELD_BYTES", 2 * 500 * 3 * dtype.itemsize)
        given = [(states.clone(), examples) for states, examples in held]
        assert reads == [([(0, 500)], [0, 1])], "one pass for all epochs and layers"
        monkeypatch.setattr(module, "HELD_BYTES", 2 * 500 * 3 * dtype.itemsize - 1)
        for (states, examples), (others, same) in zip(given, streamed, strict=True):
            assert torch.equal(examples, same)
            assert torch.equal(states, others)
        assert len(reads) > 1
        del reads[1:]


def test_a_pass_that_stops_early_ends_its_thread(index_layers):
    batches, _ = make_batches(index_layers, np.arange(500), seed=5)
    batches.is_threaded, before = True, active_count()
    for _ in batches:
        assert active_count() == before + 1
        break
    assert active_count() == before
    assert len(list(batches)) == len(batches)


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


def test_pages_are_announced_only_where_the_disk_was_waited_for(index_layers, monkeypatch):
    asked, waits = [], iter(range(1000))
    monkeypatch.setattr(SplitRows, "announce", lambda rows, ranges, layers: asked.append((ranges, layers)))
    batches, _ = make_batches(index_layers, np.arange(500))
    list(batches)
    assert len(asked) <= 1  # a page fault of something else may fall between
    asked.clear()
    monkeypatch.setattr(module, "_count_waits", lambda: next(waits))
    list(batches)
    assert asked == [(ranges, [0, 1]) for ranges in module.cut_in_order(500, 64)[1:]]


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
