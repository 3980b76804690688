"""What dev chooses, and what a fit refuses to be asked."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit.choose import choose_settings
from probes.fit.fit import fit_layers
from probes.fit.question import Question
from probes.types import Rows
from tests.fit.conftest import fit_states, make_states, make_task, predict, random_labels


def choose(accuracy, loss=None, **settings):
    accuracy = np.array(accuracy, dtype=float)
    loss = np.zeros_like(accuracy) if loss is None else np.array(loss, dtype=float)
    return choose_settings(FitConfig(**settings), accuracy, loss).choice.tolist()


@pytest.mark.parametrize(
    ("accuracy", "l2", "chosen"),
    [
        ([[0.5, 0.7, 0.6]], (1e-6, 1e-5, 1e-4), [1]),
        ([[0.7, 0.7, 0.6], [0.6, 0.6, 0.6]], (1e-6, 1e-5, 1e-4), [1, 2]),
        ([[0.7, 0.7, 0.6], [0.6, 0.6, 0.6]], (1e-4, 1e-6, 1e-5), [0, 0]),
        ([[0.3]], (0.0,), [0]),
        ([[np.nan, 0.1]], (1e-6, 1e-5), [1]),
    ],
)
def test_of_equally_accurate_penalties_the_strongest_is_chosen(accuracy, l2, chosen):
    assert choose(accuracy, l2=l2) == chosen


def test_of_equal_penalties_the_smallest_step_is_chosen():
    # Candidates: (l2 1e-5, steps .1 and .01), (l2 1e-6, steps .1 and .01).
    settings = {"l2": (1e-5, 1e-6), "step_size": (0.1, 0.01)}
    assert choose([[0.5, 0.5, 0.5, 0.5], [0.4, 0.5, 0.6, 0.6]], **settings) == [1, 3]


def test_likelihood_chooses_where_it_is_asked_to():
    accuracy, loss = [[0.9, 0.8], [0.9, 0.8]], [[0.5, 0.4], [0.3, np.nan]]
    assert choose(accuracy, loss, l2=(1e-6, 1e-5)) == [0, 0]
    assert choose(accuracy, loss, l2=(1e-6, 1e-5), select="log_likelihood") == [1, 0]


def test_a_layer_at_which_everything_diverged_is_an_error():
    with pytest.raises(FitError) as caught:
        choose([[0.5], [np.nan]], l2=1e-5, step_size=30)
    assert str(caught.value) == (
        "At least one candidate should stay finite, but at layer 1 every one diverged. Lower fit.step_size (now 30)."
    )


def error_of(task, controls=()):
    with pytest.raises(FitError) as caught:
        Question(task, tuple(controls), FitConfig())
    return str(caught.value)


def changed(task, split, **arrays):
    """The task with other arrays in one split; shapes are not checked, as in a process that runs no tests."""
    rows = object.__new__(Rows)
    for name in ("index", "labels", "groups", "words"):
        object.__setattr__(rows, name, arrays.get(name, getattr(task.splits[split], name)))
    return replace(task, splits={**task.splits, split: rows})


def test_questions_that_cannot_be_asked_are_refused():
    task = make_task(random_labels())
    short = changed(task, "dev", labels=np.zeros(7, dtype=np.int64))
    assert error_of(task, [replace(short, name="word_type")]) == (
        "Control 'word_type' should have the 300 examples that task 'task' has in split 'dev', but has 7. "
        "Make it with Task.with_labels."
    )
    assert error_of(short) == (
        "Task 'task' should have one label for each of its 300 examples in split 'dev', but has 7. "
        "Check how its rows are made."
    )
    nothing = {name: np.zeros((0, 1) if name == "index" else 0, dtype=np.int64) for name in ("index", "labels")}
    assert error_of(changed(task, "train", **nothing)) == (
        "Task 'task' needs examples in split 'train', but has none. Check what it filters."
    )
    numbers = np.zeros((1200, 1))
    numbers[17] = np.inf
    assert error_of(changed(replace(task, answer="number", labels=("depth",)), "train", labels=numbers)) == (
        "Labels should be finite numbers, but example 17 of task 'task' in split 'train' has [inf]. "
        "Leave such examples out."
    )


@pytest.mark.parametrize("solver", ["stack", "exact"])
def test_one_class_and_more_classes_than_rows_are_fitted(tmp_path, solver):
    config = FitConfig(l2=1e-2, min_steps=60, step_size=0.05, solver=solver)
    states = make_states({"train": 2, "dev": 4, "test": 6}, dims=4, layers=2)
    labels = {"train": np.array([0, 1]), "dev": np.array([0, 1, 1, 0]), "test": np.zeros(6, dtype=np.int64)}
    few = fit_states(tmp_path / "few", states, labels, config=config)
    assert np.isfinite(few.parameters["weight_0"]).all()
    one = {split: np.ones_like(part) for split, part in labels.items()}
    probes = fit_states(tmp_path / "one", states, one, config=config)
    assert (predict(probes, states["test"]) == 1).all()


def planted_numbers(states):
    """Two numbers, linear in the states of layer 1, of unlike units, with noise."""
    stream = np.random.default_rng(0)
    numbers = {}
    for split, part in states.items():
        exact = part[1].astype(np.float64) @ np.random.default_rng(1).normal(size=(8, 2))
        numbers[split] = (exact + stream.normal(size=exact.shape)) * [1000.0, 0.01] + [5.0, -3.0]
    return numbers


@pytest.mark.parametrize("solver", ["stack", "exact"])
def test_numbers_are_predicted_where_they_are_and_nowhere_else(states, solver):
    from sklearn.linear_model import Ridge

    config = FitConfig(l2=1e-2, min_steps=400, step_size=0.05, solver=solver, precision="float32")
    task = replace(make_task(planted_numbers(states)), answer="number", labels=("size", "depth"))
    layers = {split: list(part) for split, part in states.items()}
    (probes,) = fit_layers(layers, [Question(task, (), config)], seed=0)
    assert probes.dev_accuracy[1, 0] > 0.75  # the noise leaves .79
    assert max(probes.dev_accuracy[0, 0], probes.dev_accuracy[2, 0]) < 0.5
    found = probes.predict(states["test"][1], np.arange(600), 1)[0]
    raw = states["train"][1].astype(np.float64)
    mean, spread = raw.mean(axis=0), raw.std(axis=0)
    ridge = Ridge(alpha=1e-2 * 1200).fit((raw - mean) / spread, planted_numbers(states)["train"])
    expected = ridge.predict((states["test"][1] - mean) / spread)
    scale = planted_numbers(states)["train"].std(axis=0)
    # Steps of 75 rows stop short of the optimum; the closed form is stored in float32.
    assert (np.abs(found - expected) / scale).max() < (0.2 if solver == "stack" else 1e-4)


def test_several_labels_at_once_are_learned_each_by_itself(states, planted):
    layers = {split: list(part) for split, part in states.items()}
    chance = random_labels(shares=(0.5, 0.5))
    labels = {
        split: np.stack([planted[split] == 0, planted[split] == 1, chance[split]], axis=1).astype(int)
        for split in planted
    }
    task = replace(make_task(labels), answer="labels")
    (probes,) = fit_layers(layers, [Question(task, (), FitConfig(l2=1e-3, min_steps=300, step_size=0.05))], seed=0)
    found = probes.predict(states["test"][1], np.arange(600), 1)[0]
    right = (found == labels["test"]).mean(axis=0)
    assert min(right[:2]) > 0.88
    assert right[2] < 0.6


def test_several_labels_have_no_exact_solver(states, planted):
    labels = {split: np.eye(3, dtype=int)[part] for split, part in planted.items()}
    question = Question(replace(make_task(labels), answer="labels"), (), FitConfig(solver="exact"))
    with pytest.raises(FitError) as caught:
        fit_layers({split: list(part) for split, part in states.items()}, [question], seed=0)
    assert str(caught.value) == (
        "Solver 'exact' is for one class or for numbers, but task 'task' has several labels an example. "
        "Use fit.solver=stack."
    )


def test_numbers_are_fitted_in_units_of_train():
    labels = {split: np.array([[1.0, -5.0], [3.0, -5.0]]) * scale for split, scale in (("train", 1), ("dev", 2))}
    task = replace(make_task(labels), answer="number", labels=("a", "b"))
    question = Question(task, (), FitConfig())
    assert question.wanted("train", [task]).tolist() == [[[-1.0, 0.0], [1.0, 0.0]]]
    assert question.wanted("dev", [task])[0, :, 0].tolist() == [0.0, 4.0]
    assert torch.equal(question.unit[0], torch.tensor([2.0, -5.0]))
