"""Layers that are edited when they are read, against the same edit made beforehand."""

import mmap

import numpy as np
import pytest
import torch

from probes.fit.fit import fit_layers
from probes.fit.leace import Eraser
from probes.fit.question import Question
from probes.fit.read import EditedLayer, Scale, SplitRows
from tests.fit.conftest import QUICK, make_task, one_penalty


@pytest.fixture
def eraser() -> Eraser:
    stream = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, generator=stream, dtype=torch.float64) for size in ((8, 2), (2, 8)))
    return Eraser(torch.ones(8, dtype=torch.float64), left, right / 8)


def edited(states: np.ndarray, eraser: Eraser) -> np.ndarray:
    return eraser(torch.from_numpy(states.astype(np.float32))).numpy()


@pytest.mark.parametrize("layout", ["in order", "shuffled", "two slots", "product"])
@pytest.mark.parametrize("kept", [np.float16, np.float32])
def test_what_is_read_is_what_was_edited_beforehand(states, eraser, layout, kept):
    stream, layer = np.random.default_rng(1), states["train"][0].astype(kept)
    index = np.arange(100, 400)[:, None] if layout == "in order" else stream.permutation(1200)[:300, None]
    if layout in ("two slots", "product"):
        index = np.hstack([index, stream.permutation(1200)[:300, None]])
    pair = [SplitRows([one], index, layout == "product") for one in (EditedLayer(layer, eraser), edited(layer, eraser))]
    ranges = [(40, 90), (0, 17), (17, 40)]
    scale = Scale(torch.full((1, pair[0].num_features), 0.5), torch.full((1, pair[0].num_features), 2.0))
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        for given in (None, scale):
            size = (1, 90, pair[0].num_features)
            found, expected = (rows.read(ranges, [0], given, out=torch.empty(size, dtype=dtype)) for rows in pair)
            # One product of a batch may differ in its last bit from that of all rows.
            assert torch.allclose(found, expected, rtol=1e-2 if dtype == torch.bfloat16 else 1e-5, atol=1e-5)


def test_an_edited_layer_is_mixed_with_others(states, eraser):
    layers = [states["train"][0], EditedLayer(states["train"][0], eraser)]
    found = SplitRows(layers, np.arange(50)[:, None]).chunk(0, [0, 1], None)
    assert np.array_equal(found[0].numpy(), states["train"][0][:50])
    assert np.allclose(found[1].numpy(), edited(states["train"][0], eraser)[:50], atol=1e-5)


def test_states_in_float64_are_edited_in_float64(eraser):
    layer = np.random.default_rng(0).normal(size=(30, 8))
    found = SplitRows([EditedLayer(layer, eraser)], np.arange(30)[:, None]).chunk(0, [0], None, torch.float64)
    assert np.allclose(found[0].numpy(), eraser(torch.from_numpy(layer)).numpy(), atol=1e-14)


@pytest.mark.parametrize("config", [QUICK, one_penalty(1e-3, solver="exact")])
def test_probes_are_those_of_states_that_were_edited_beforehand(states, planted, eraser, config):
    question = Question(make_task(planted), (), config)
    splits = ("train", "dev")
    lazy = {split: [EditedLayer(layer, eraser) for layer in states[split]] for split in splits}
    eager = {split: [edited(layer, eraser) for layer in states[split]] for split in splits}
    one, other = (fit_layers(layers, [question], seed=0)[0] for layers in (lazy, eager))
    assert np.allclose(one.parameters["weight_0"], other.parameters["weight_0"], atol=1e-3)
    rows = np.arange(600)
    found = one.predict(EditedLayer(states["test"][1], eraser), rows, 1)
    assert (found == one.predict(edited(states["test"][1], eraser), rows, 1)).mean() > 0.999
    assert (found[0] == planted["test"]).mean() > 0.7


class Watched:
    """A memory map that writes down which pages were asked for."""

    def __init__(self, asked: list) -> None:
        self.asked = asked

    def __len__(self) -> int:
        return 160_000

    def madvise(self, *given: int) -> None:
        self.asked.append(given)


def test_pages_of_an_edited_layer_are_asked_for(tmp_path, eraser, monkeypatch):
    mapped = np.memmap(tmp_path / "states", np.float16, "w+", shape=(10_000, 8))
    asked = []

    monkeypatch.setattr(mapped, "_mmap", Watched(asked))
    SplitRows([EditedLayer(mapped, eraser)], np.arange(10_000)[:, None]).announce([(0, 5_000)], [0])
    assert asked == [(mmap.MADV_WILLNEED, 0, 80_000)]
