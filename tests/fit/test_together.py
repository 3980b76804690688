"""What is fitted in one stack is what would have been fitted alone: questions, controls, candidates."""

from dataclasses import replace

import numpy as np
import pytest

from probes.config import FitConfig
from probes.fit import fit as module
from probes.fit.fit import fit_layers
from probes.fit.question import Question
from tests.fit.conftest import layers_of, make_task, one_penalty, predict, random_labels

CONFIG = one_penalty(1e-3, precision="float64")


def ask(labels, config=CONFIG, *, controls=(), part=slice(None)):
    """A question over some rows of every split."""
    task, *others = (make_task({split: one[part] for split, one in each.items()}) for each in (labels, *controls))
    places = {split: np.arange(len(one))[part, None] for split, one in labels.items()}

    def move(task, name):
        splits = {split: replace(rows, index=places[split]) for split, rows in task.splits.items()}
        return replace(task, name=name, splits=splits)

    return Question(move(task, "task"), tuple(move(one, "word_type") for one in others), config)


def check_same(one, other):
    """Equal within 1e-10 in float64. Parameters are kept as float32, where that may round to a neighbour."""
    for name in ("accuracy", "loss"):
        assert np.abs(getattr(one.grid, name) - getattr(other.grid, name)).max() < 1e-10
    for name, values in other.parameters.items():
        assert (np.abs(one.parameters[name] - values) <= 1e-10 + np.spacing(np.abs(values))).all()
    for name in ("epochs", "dev_accuracy", "has_diverged"):
        assert np.array_equal(getattr(one, name), getattr(other, name))
    assert np.array_equal(one.grid.choice, other.grid.choice)


@pytest.fixture
def stacks(monkeypatch):
    """How many banks each stack had."""
    sizes, fit_stack = [], module.fit_stack

    def count(banks, *rest, **settings):
        sizes.append(len(banks))
        fit_stack(banks, *rest, **settings)

    monkeypatch.setattr(module, "fit_stack", count)
    return sizes


def test_questions_fitted_together_equal_those_fitted_alone(states, planted, stacks):
    control = random_labels(seed=2)
    questions = [
        ask(planted, controls=[control, random_labels(seed=3)]),
        ask(random_labels(seed=1), CONFIG.model_copy(update={"l2": (1e-2, 1e-5)}), controls=[control]),
        ask(planted, CONFIG.model_copy(update={"probe": "mlp", "hidden": (5,), "dropout": 0.2})),
        ask(planted, CONFIG.model_copy(update={"optimizer": "sgd", "schedule": "plateau", "patience": 1})),
    ]
    together = fit_layers(layers_of(states), questions, seed=0)
    assert stacks == [4, 2]  # the tasks, then the controls of the two questions that have some
    for question, probes in zip(questions, together, strict=True):
        (alone,) = fit_layers(layers_of(states), [question], seed=0)
        check_same(probes, alone)
        assert np.array_equal(predict(probes, states["test"]), predict(alone, states["test"]))


def test_questions_over_other_rows_are_fitted_by_themselves_and_come_back_in_their_order(states, planted, stacks):
    half = slice(0, None, 2)
    questions = [ask(planted), ask(planted, part=half), ask(random_labels(seed=1)), ask(planted, part=slice(1, None))]
    together = fit_layers(layers_of(states), questions, seed=0)
    assert stacks == [2, 1, 1]
    for question, probes in zip(questions, together, strict=True):
        check_same(probes, fit_layers(layers_of(states), [question], seed=0)[0])
    # The rows of one question alone, as a corpus of their own.
    fewer = {split: part[:, half] for split, part in states.items()}
    labels = {split: part[half] for split, part in planted.items()}
    check_same(together[1], fit_layers(layers_of(fewer), [ask(labels)], seed=0)[0])


@pytest.mark.parametrize("change", [{"epochs": 2}, {"batch_rows": 50}, {"features": "standard"}, {"solver": "exact"}])
def test_questions_with_other_batches_features_or_solver_share_no_stack(states, planted, stacks, change):
    questions = [ask(planted), ask(planted, CONFIG.model_copy(update=change))]
    together = fit_layers(layers_of(states), questions, seed=0)
    assert stacks == ([1] if "solver" in change else [1, 1])
    for question, probes in zip(questions, together, strict=True):
        check_same(probes, fit_layers(layers_of(states), [question], seed=0)[0])


def test_a_control_is_fitted_as_if_it_were_the_task(states, planted):
    draws = [random_labels(seed=seed) for seed in (1, 2)]
    (both,) = fit_layers(layers_of(states), [ask(planted, controls=draws)], seed=0)
    for target, labels in enumerate((planted, *draws)):
        (alone,) = fit_layers(layers_of(states), [ask(labels)], seed=0)
        for name, values in alone.parameters.items():
            assert (np.abs(both.parameters[name][:, [target]] - values) <= 1e-10 + np.spacing(np.abs(values))).all()
        assert np.array_equal(both.dev_accuracy[:, target], alone.dev_accuracy[:, 0])


@pytest.mark.parametrize("kind", [{}, {"probe": "mlp", "hidden": (5,)}])
@pytest.mark.parametrize("steps", [(0.05, 1e308), (1e308, 0.05)])
def test_of_two_step_sizes_one_diverges_and_the_other_is_chosen_as_if_alone(states, planted, kind, steps):
    settings = {"l2": (1e-3,), "epochs": 1, "min_steps": 40, "precision": "float64"} | kind
    questions = [ask(planted, FitConfig(step_size=step, **settings)) for step in (0.05, steps)]
    (alone,), (both,) = (fit_layers(layers_of(states), [question], seed=0) for question in questions)
    good = steps.index(0.05)
    assert [both.grid.chosen(layer).step_size for layer in range(3)] == [0.05] * 3
    assert not np.isfinite(both.grid.loss[:, 1 - good]).any()
    # Products of another number of probes may differ in their last bits.
    np.testing.assert_allclose(both.grid.loss[:, good], alone.grid.loss[:, 0], rtol=1e-12)
    assert np.array_equal(both.grid.accuracy[:, good], alone.grid.accuracy[:, 0])
    for name, values in alone.parameters.items():
        assert both.parameters[name].tobytes() == values.tobytes()
    assert np.array_equal(both.epochs, alone.epochs)
    assert not both.has_diverged.any()
