"""Fitted probes answer from raw hidden states, and come back from disk as they were."""

import json
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit import fitted as module
from probes.fit.fitted import load_probes
from tests.fit.conftest import fit_states, predict


def test_logits_are_states_times_coefficients_plus_bias(fitted, states):
    for layer in range(3):
        logits = fitted.logits(states["test"][layer], layer)
        for target in range(3):
            weights, bias = fitted.coefficients(layer, target)
            expected = states["test"][layer] @ weights.T + bias
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


def flatten(value):
    """Every array and setting inside, by its name."""
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        return {f"{name}.{inner}": leaf for name, part in value.items() for inner, leaf in flatten(part).items()}
    return {"": (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value}


def test_probes_come_back_from_disk_as_they_were(fitted, states, tmp_path):
    fitted.save(tmp_path / "probes" / "run")
    again = load_probes(tmp_path / "probes" / "run")
    assert flatten(again) == flatten(fitted)
    assert np.array_equal(predict(again, states["test"]), predict(fitted, states["test"]))


def test_saving_twice_writes_the_same_bytes(fitted, tmp_path):
    for name in ("first", "second"):
        fitted.save(tmp_path / name)
    fitted.save(tmp_path / "second")
    for file in ("probes.safetensors", "probes.json"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_names_are_kept_as_they_are_written(fitted, tmp_path):
    fitted.save(tmp_path)
    texts = json.loads((tmp_path / "probes.json").read_text("utf-8"))
    assert texts["labels"] == ["a", "b", "c"]
    assert texts["targets"] == ["task", "word_type", "word_type"]
    assert texts["settings"] == [{"l2": l2, "step_size": 0.05} for l2 in (1e-4, 1e-2)]


def test_probes_of_an_earlier_version_are_refused(fitted, tmp_path):
    fitted.save(tmp_path)
    (tmp_path / "probes.json").write_text('{"labels": ["a"], "targets": ["task"]}', "utf-8")
    with pytest.raises(FitError) as caught:
        load_probes(tmp_path)
    assert str(caught.value) == (
        f"Fitted probes of this version were expected in {tmp_path}, but an earlier one wrote them. "
        f"Run the experiment again with --refresh."
    )


def test_coefficients_are_those_of_linear_probes_only(tmp_path, states, planted):
    config = FitConfig(rank=2, l2=1e-3, epochs=1, min_steps=16, step_size=0.05)
    probes = fit_states(tmp_path, states, planted, config=config)
    with pytest.raises(FitError) as caught:
        probes.coefficients(0)
    assert str(caught.value) == (
        "Coefficients are those of a linear probe of full rank, but this is 'linear' with parameters weight_0, "
        "weight_1, bias_1. Read FittedProbes.parameters."
    )


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
