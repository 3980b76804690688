"""Fitted probes answer from raw hidden states, and come back from disk as they were."""

import json
from dataclasses import fields

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit import fitted as module
from probes.fit.fitted import FittedProbes, load_probes
from probes.fit.stack import fit_stack
from tests.fit.conftest import NUM_LABELS, fit_states, measure, predict


def test_logits_on_raw_states_equal_those_of_the_stack_on_standardised_ones(tmp_path, states, planted):
    config = FitConfig(l2=(1e-3,), epochs=1, min_steps=32, step_size=0.05)
    probes = fit_states(tmp_path, states, planted, config=config)
    statistics = measure(states["train"])
    rows = {split: np.arange(states[split].shape[1]) for split in states}
    layers = {split: list(part) for split, part in states.items()}
    labels = {split: part[None] for split, part in planted.items()}
    best, stack = fit_stack(layers, rows, labels, statistics, config, num_labels=NUM_LABELS, seed=0)
    stack.weights.data, stack.bias.data = best.weights.flatten(2), best.bias.flatten(1)[:, None]
    standardised = (torch.from_numpy(states["test"]) - statistics.mean[:, None]) * statistics.inverse_std[:, None]
    expected = stack(standardised).detach().numpy()[:, :, 0, 0]
    for layer in range(3):
        # float32: logits are of order one.
        assert np.allclose(probes.logits(states["test"][layer], layer)[:, 0], expected[layer], atol=1e-4)


def test_logits_are_states_times_weights_plus_bias(fitted, states):
    for layer in range(3):
        logits = fitted.logits(states["test"][layer], layer)
        for target in range(3):
            expected = states["test"][layer] @ fitted.weights[layer, target] + fitted.bias[layer, target]
            assert np.allclose(logits[:, target], expected, atol=1e-4)


def test_predictions_are_the_largest_logits_of_the_rows_asked_for(fitted, states, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ROWS", 7)
    rows = np.random.default_rng(0).permutation(600)[:100]
    for layer in range(3):
        expected = fitted.logits(states["test"][layer][rows], layer).argmax(axis=-1).T
        assert np.array_equal(fitted.predict(states["test"][layer], rows, layer), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_state_that_is_not_finite_has_no_answer(fitted, states, value):
    spoiled = states["test"][2].copy()
    spoiled[40, 3] = value
    rows = np.arange(30, 50)
    with pytest.raises(FitError) as caught:
        fitted.predict(spoiled, rows, 2)
    assert str(caught.value) == (
        "States should be finite numbers, but row 40 of layer 2 has NaN or infinity. Check the cache, or encode again."
    )
    assert fitted.predict(spoiled, np.delete(rows, 10), 2).shape == (3, 19)


def test_half_precision_states_are_answered_in_float32(fitted, states):
    half = states["test"][1].astype(np.float16)
    assert fitted.logits(half, 1).dtype == np.float32
    assert np.array_equal(fitted.logits(half, 1), fitted.logits(half.astype(np.float32), 1))


def test_probes_come_back_from_disk_as_they_were(fitted, states, tmp_path):
    fitted.save(tmp_path / "probes" / "run")
    again = load_probes(tmp_path / "probes" / "run")
    for field in fields(FittedProbes):
        before, after = getattr(fitted, field.name), getattr(again, field.name)
        if isinstance(before, np.ndarray):
            assert (before.dtype, before.tobytes()) == (after.dtype, after.tobytes())
        else:
            assert before == after
    assert np.array_equal(predict(again, states["test"]), predict(fitted, states["test"]))


def test_saving_twice_writes_the_same_bytes(fitted, tmp_path):
    for name in ("first", "second"):
        fitted.save(tmp_path / name)
    fitted.save(tmp_path / "second")
    for file in ("probes.safetensors", "probes.json"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_names_are_kept_as_they_are_written(fitted, tmp_path):
    fitted.save(tmp_path)
    assert json.loads((tmp_path / "probes.json").read_text("utf-8")) == {
        "labels": ["a", "b", "c"],
        "targets": ["task", "word_type", "word_type"],
    }


@pytest.mark.parametrize("lost", ["probes.json", "probes.safetensors", "both"])
def test_probes_that_are_not_there_are_an_error(fitted, tmp_path, lost):
    folder = tmp_path / "run"
    if lost != "both":
        fitted.save(folder)
        (folder / lost).unlink()
    with pytest.raises(FitError) as caught:
        load_probes(folder)
    assert str(caught.value) == (
        f"Fitted probes were expected in {folder}, but there are none. Run the experiment again with --refresh."
    )
