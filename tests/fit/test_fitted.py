"""Fitted probes answer from raw hidden states, and come back from disk as they were."""

import json
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit import fitted as module
from probes.fit.family import keep_all, make_family
from probes.fit.fit import fit_layers
from probes.fit.fitted import load_probes
from probes.fit.question import Question
from tests.fit.conftest import fit_states, layers_of, make_task, measure, one_penalty, predict, read_all


def test_logits_are_states_times_coefficients_plus_bias(fitted, states):
    for layer in range(3):
        logits = fitted.logits(states["test"][layer], layer)
        for target in range(3):
            weights, bias = fitted.coefficients(layer, target)
            expected = states["test"][layer] @ weights.T + bias
            assert np.allclose(logits[:, target], expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_logits_on_raw_states_equal_those_of_the_family_on_standardised_ones(tmp_path, states, planted, kind):
    probes = fit_states(tmp_path, states, planted, config=one_penalty(1e-3, probe=kind, hidden=(5,)))
    parameters = {name: torch.from_numpy(values) for name, values in probes.parameters.items()}
    features = read_all(states["test"], measure(states["train"]))
    expected = make_family(probes.config).logits(parameters, features, keep_all)[:, 0].transpose(1, 2).numpy()
    for layer in range(3):
        # float32: logits are of order one.
        assert np.allclose(probes.logits(states["test"][layer], layer)[:, 0], expected[layer], atol=1e-4)


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


@pytest.mark.parametrize("answer", ["class", "number"])
def test_answers_have_the_shape_of_what_was_asked(fitted, states, planted, answer):
    if answer == "class":
        assert fitted.predict(states["test"][0], np.arange(10), 0).shape == (3, 10)
        return
    config = one_penalty(1e-3)
    (probes,) = fit_layers(layers_of(states), [Question(numbers_of(planted), (), config)], seed=0)
    found = probes.predict(states["test"][0], np.arange(10), 0)
    assert found.shape == (1, 10, 2)
    weights, bias = probes.coefficients(0)
    # The units of train are folded in: float32 products of numbers up to 200.
    assert np.allclose(found[0], states["test"][0][:10] @ weights.T + bias, atol=1e-3)


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


def numbers_of(labels):
    """A task of two numbers over all rows."""
    numbers = {split: np.stack([part * 100.0, 3 - part], axis=1) for split, part in labels.items()}
    return replace(make_task(numbers), answer="number", labels=("size", "depth"))


@pytest.fixture(scope="module", params=["class", "mlp", "number", "exact", "raw"])
def kept(request, states, planted, fitted):
    """Fitted probes of several kinds; a step size that diverges leaves NaN in the grid of `mlp`."""
    if request.param == "class":
        return fitted
    settings = {
        "mlp": {"probe": "mlp", "hidden": (5, 4), "step_size": (0.05, 1e37)},
        "number": {"optimizer": "sgd", "init": 3},
        "exact": {"solver": "exact"},
        "raw": {"features": "raw", "patience": 2},
    }[request.param]
    task = numbers_of(planted) if request.param == "number" else make_task(planted)
    return fit_layers(layers_of(states), [Question(task, (), one_penalty(1e-3, **settings))], seed=0)[0]


def test_probes_come_back_from_disk_as_they_were(kept, states, tmp_path):
    kept.save(tmp_path / "probes" / "run")
    again = load_probes(tmp_path / "probes" / "run")
    assert again.dev_curve is None, "what the record holds is not kept twice"
    assert flatten(again) == flatten(replace(kept, dev_curve=None))
    assert again.config == kept.config
    assert again.grid.settings == kept.grid.settings
    assert np.array_equal(predict(again, states["test"]), predict(kept, states["test"]))


def test_the_comparison_sees_a_change_of_any_field(fitted):
    for field in fields(fitted):
        changed = deepcopy(fitted)
        object.__setattr__(changed, field.name, "other")
        assert flatten(changed) != flatten(fitted)
    changed = deepcopy(fitted)
    changed.grid.choice[0] += 1
    assert flatten(changed) != flatten(fitted)


def test_saving_twice_writes_the_same_bytes(fitted, tmp_path):
    for name in ("first", "second"):
        fitted.save(tmp_path / name)
    fitted.save(tmp_path / "second")
    (tmp_path / "other").touch()
    assert {path.stat().st_mode for path in (tmp_path / "second").iterdir()} == {(tmp_path / "other").stat().st_mode}
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
