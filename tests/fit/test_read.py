"""Rows read where they lie, one layer after another, and the pages that are asked for beforehand."""

from mmap import ALLOCATIONGRANULARITY, MADV_WILLNEED, PAGESIZE

import numpy as np
import pytest
import torch

from probes.fit.batch import RowBatches
from probes.fit.feature import measure_features
from probes.fit.read import Scale, SplitRows


@pytest.fixture
def index_layers():
    """Two layers in which every state says its own row and layer."""
    rows = np.arange(500, dtype=np.float32)
    return [np.stack([rows, np.full(500, layer), rows % 7], axis=1) for layer in (0, 1)]


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


def test_slots_are_standardised_each_by_its_own_statistics():
    stream = np.random.default_rng(0)
    layers = [stream.normal(layer, layer + 1, size=(300, 3)).astype(np.float32) for layer in range(2)]
    index = np.stack([stream.permutation(300)[:200], np.arange(50, 250)], axis=1)
    rows = SplitRows(layers, index)
    scale = measure_features(rows, 0).scale
    batches = RowBatches(rows, scale, batch_rows=64, seed=2)
    for features, examples in batches:
        for layer in range(2):
            raw = layers[layer].astype(np.float64)[index].reshape(200, 6)
            expected = ((raw - raw.mean(axis=0)) / raw.std(axis=0))[examples.numpy()]
            assert np.allclose(features[layer].numpy(), expected, atol=1e-5)  # float32


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_bfloat16_reading_is_the_rounding_of_features_made_in_float32(dtype):
    # A mean of a thousand spreads: rounded before it is subtracted nothing would be left.
    states = np.random.default_rng(0).normal(100, 0.1, size=(1, 400, 5)).astype(dtype)
    rows = SplitRows(list(states), np.arange(400)[:, None])
    scale, ranges = measure_features(rows, 0).scale, [(100, 300), (0, 50)]
    fine = rows.read(ranges, [0], scale, out=torch.empty(1, 250, 5))
    for scratch in (None, torch.empty(250, 5)):
        coarse = rows.read(ranges, [0], scale, out=torch.empty(1, 250, 5, dtype=torch.bfloat16), scratch=scratch)
        assert torch.equal(coarse, fine.bfloat16())
    assert len(fine.unique()) > 2


def test_reading_changes_neither_the_states_nor_a_map_that_cannot_be_written(index_layers, tmp_path):
    np.ascontiguousarray(index_layers[0], dtype=np.float32).tofile(tmp_path / "states")
    mapped = np.memmap(tmp_path / "states", np.float32, "r", shape=(500, 3))
    rows = SplitRows([mapped, index_layers[1].astype(np.float32)], np.arange(500)[:, None])
    scale = Scale(torch.full((2, 3), 2.0), torch.full((2, 3), 3.0))
    out = torch.empty(2, 500, 3)
    for _ in range(2):
        rows.read([(0, 500)], [0, 1], scale, out=out)
    for layer in range(2):
        assert np.array_equal(rows.layers[layer], index_layers[layer])
        assert np.array_equal(out[layer].numpy(), (index_layers[layer] - 2) * 3)


@pytest.mark.parametrize("num_rows", [1, 8192, 8193])
def test_chunks_are_all_rows_in_their_order(num_rows):
    states = np.arange(2 * num_rows, dtype=np.float32).reshape(num_rows, 2)
    rows = SplitRows([states], np.arange(num_rows)[::-1, None])
    chunks = [rows.chunk(start, [0], None) for start in range(0, num_rows, 8192)]
    assert np.array_equal(torch.cat(chunks, dim=1)[0].numpy(), states[::-1])


LAYOUTS = {
    "in order": np.arange(20_000),
    "gaps": np.delete(np.arange(20_000), [0, 5, 6, 9_000]),
    "backwards": np.arange(19_999, -1, -1),
    "scattered": np.random.default_rng(0).permutation(20_000),
    "few": np.array([19_999, 0]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("offset", [0, 24, 2 * ALLOCATIONGRANULARITY + 8])
def test_announced_pages_lie_in_the_map_and_change_no_value(tmp_path, layout, offset):
    values = np.random.default_rng(1).normal(size=(20_000, 3)).astype(np.float32)
    whole = np.memmap(tmp_path / "states", np.float32, "w+", offset=offset, shape=values.shape)
    whole[:] = values
    whole.flush()
    mapped = np.memmap(tmp_path / "states", np.float32, "r", offset=offset, shape=values.shape)
    index = LAYOUTS[layout][:, None]
    # The second layer is in memory and has no pages to announce, the third is a view that is no map.
    rows = SplitRows([mapped, values, np.broadcast_to(np.float32(0), values.shape)], index)
    for ranges in ([(0, 1)], [(len(index) - 1, len(index))], [(0, len(index)), (1, 2)]):
        rows.announce(ranges, [0, 1, 2])
    for layer in (0, 1):
        assert np.array_equal(rows.read([(0, len(index))], [layer], None, out=empty(index))[0], values[index[:, 0]])


def empty(index):
    return torch.empty(1, len(index), 3)


class Advised:
    """A map that notes which bytes were asked for."""

    def __init__(self, size):
        self.size, self.asked = size, []

    def __len__(self):
        return self.size

    def madvise(self, option, start, length):
        assert option == MADV_WILLNEED
        assert start % PAGESIZE == 0
        assert 0 <= start < start + length <= self.size
        self.asked.append(range(start, start + length))


@pytest.mark.parametrize("offset", [0, 24, 2 * ALLOCATIONGRANULARITY + 8])
def test_the_pages_that_are_announced_are_those_of_the_rows(tmp_path, offset):
    mapped = np.memmap(tmp_path / "states", np.float32, "w+", offset=offset, shape=(20_000, 3))
    begin = offset % ALLOCATIONGRANULARITY
    rows, advised = SplitRows([mapped], np.arange(20_000)[:, None]), Advised(begin + 240_000)
    mapped._mmap = advised
    ranges = [(0, 10), (7_000, 9_000), (19_990, 20_000)]
    rows.announce(ranges, [0])
    for (start, stop), asked in zip(ranges, advised.asked, strict=True):
        first, last = begin + 12 * start, begin + 12 * stop - 1
        assert first in asked
        assert last in asked
        assert len(asked) < 12 * (stop - start) + 2 * PAGESIZE
    # What lies between scattered rows is not asked for.
    SplitRows([mapped], LAYOUTS["scattered"][:, None]).announce([(0, 100)], [0])
    assert len(advised.asked) == 3
