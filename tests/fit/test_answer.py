"""Numbers and several labels at once, from cache to predictions; how they are scored is tested in test_loss."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from probes.fit.fit import fit_layers
from probes.fit.question import Question
from tests.fit.conftest import layers_of, make_task, one_penalty, random_labels
from tests.reference.linear import standardise

L2 = 1e-2
SLOW = {"min_steps": 2000, "step_size": 0.05, "batch_rows": 300, "select": "log_likelihood"}


def number_task(numbers, name="task"):
    num_outputs = numbers["train"].reshape(len(numbers["train"]), -1).shape[1]
    return replace(make_task(numbers, name), answer="number", labels=tuple("xyz"[:num_outputs]))


def labels_task(labels, name="task"):
    return replace(make_task(labels, name), answer="labels", labels=tuple("xyz"[: labels["train"].shape[1]]))


@pytest.fixture(scope="module")
def numbers(states):
    """A number that is linear in layer 1 and one that nothing predicts, of unlike units."""
    stream, direction = np.random.default_rng(0), np.random.default_rng(1).normal(size=8)
    spread = states["train"][1].std(axis=0)
    drawn = {}
    for split, part in states.items():
        known = (part[1] / spread).astype(np.float64) @ direction + 0.3 * stream.normal(size=part.shape[1])
        drawn[split] = np.stack([1000 * known + 5, 0.01 * stream.normal(size=part.shape[1]) - 3], axis=1)
    return drawn


@pytest.fixture(scope="module")
def several(planted):
    """Two labels that layer 1 tells, with noise, and one that nothing predicts."""
    chance = random_labels(shares=(0.5, 0.5))
    flip = random_labels(seed=7, shares=(0.9, 0.1))
    return {
        split: np.stack([(part == 0) ^ flip[split], (part == 1) ^ flip[split], chance[split]], axis=1).astype(int)
        for split, part in planted.items()
    }


def fit(states, task, *controls, **settings):
    question = Question(task, controls, one_penalty(L2, **settings))
    return fit_layers(layers_of(states), [question], seed=0)[0]


def on_train(states):
    """Train as its own dev: the epoch that is kept is the one nearest to the optimum."""
    return {"train": states["train"], "dev": states["train"]}


def test_a_number_in_the_states_is_learned_and_a_random_one_is_not(states, numbers):
    probes = fit(states, number_task(numbers), min_steps=400)
    found = [probes.predict(states["test"][layer], np.arange(600), layer)[0] for layer in range(3)]
    error = [((answers - numbers["test"]) ** 2).mean(axis=0) / numbers["test"].var(axis=0) for answers in found]
    assert error[1][0] < 0.1
    assert min(error[0][0], error[2][0]) > 0.5
    # R2 of what nothing predicts: zero, less what eight weights overfit on 1,200 rows.
    assert all(0.97 < layer[1] < 1.1 for layer in error)


def test_a_fit_of_numbers_nears_the_optimum_of_ridge(states, numbers):
    states, numbers = on_train(states), on_train(numbers)
    probes = fit(states, number_task(numbers), **SLOW)
    mean, spread = numbers["train"].mean(axis=0), numbers["train"].std(axis=0)
    wanted = (numbers["train"] - mean) / spread
    for layer in range(3):
        features = standardise(states["train"][layer], states["train"][layer])

        def objective(weights, bias, features=features):
            error = features @ weights.T + bias - wanted
            return (error**2).sum(axis=1).mean() / 2 + L2 / 2 * (weights**2).sum()

        ridge = Ridge(alpha=L2 * len(wanted)).fit(features, wanted)
        own = objective(probes.parameters["weight_0"][layer, 0], probes.parameters["bias_0"][layer, 0, :, 0])
        # Steps of 75 rows stop a little short; the objective is about .5 for each number.
        assert 0 <= own - objective(ridge.coef_, ridge.intercept_) < 3e-3


def test_numbers_in_another_unit_are_the_same_numbers(states, numbers):
    other = {split: part * [0.001, 40.0] + [70.0, 0.5] for split, part in numbers.items()}
    answers = [
        fit(states, number_task(one), precision="float64").predict(states["test"][1], np.arange(600), 1)[0]
        for one in (numbers, other)
    ]
    # Predictions are float32: 1e-7 of their size, which the mean of -3 makes large beside the spread of .01.
    assert np.allclose(answers[0] * [0.001, 40.0] + [70.0, 0.5], answers[1], rtol=0, atol=1e-3 * np.array([1, 0.1]))


def test_one_number_an_example_may_come_without_an_axis(states, numbers):
    flat, column = ({split: part[:, 0].reshape(shape) for split, part in numbers.items()} for shape in ((-1,), (-1, 1)))
    one, other = (fit(states, number_task(each)) for each in (flat, column))
    assert np.array_equal(one.parameters["weight_0"], other.parameters["weight_0"])
    assert one.predict(states["test"][0], np.arange(9), 0).shape == (1, 9, 1)


def test_a_control_of_numbers_is_not_learned_and_has_no_gap(states, numbers):
    stream = np.random.default_rng(4)
    shuffled = {split: stream.permutation(part) for split, part in numbers.items()}
    probes = fit(states, number_task(numbers), number_task(shuffled, "word_type"), min_steps=200)
    assert probes.targets == ("task", "word_type")
    assert probes.dev_accuracy[1, 0] > 0.4  # the mean R2 of one number that is known and one that is not
    assert probes.dev_accuracy[:, 1].max() < 0.1
    assert np.isnan(probes.gap).all()
    assert not probes.converged.any()


def test_labels_in_the_states_are_learned_and_a_random_one_is_not(states, several):
    probes = fit(states, labels_task(several), min_steps=300)
    right = [
        (probes.predict(states["test"][layer], np.arange(600), layer)[0] == several["test"]).mean(axis=0)
        for layer in range(3)
    ]
    assert right[1][:2].min() > 0.78  # one in ten was flipped
    assert max(right[0][:2].max(), right[2][:2].max()) < 0.75
    assert all(layer[2] < 0.57 for layer in right)  # .5 with a standard error of .02


def test_several_labels_are_answered_with_zero_or_one_by_the_sign_of_the_logit(states, several):
    probes = fit(states, labels_task(several))
    answers = probes.predict(states["test"][1], np.arange(600), 1)[0]
    logits = probes.logits(states["test"][1], 1)[:, 0]
    assert np.array_equal(answers, logits > 0)
    assert 0 < answers.sum(axis=1).max() <= 3
    assert len(np.unique(answers.sum(axis=1))) > 1  # none, one or more: nothing makes them exclude each other


def test_a_fit_of_several_labels_nears_the_optimum_of_each_logistic_regression(states, several):
    states, several = on_train(states), on_train(several)
    probes = fit(states, labels_task(several), **SLOW)
    for layer in range(3):
        features = standardise(states["train"][layer], states["train"][layer])
        for output in range(3):
            signs = 2 * several["train"][:, output] - 1

            def objective(weights, bias, features=features, signs=signs):
                return np.logaddexp(0, -signs * (features @ weights + bias)).mean() + L2 / 2 * (weights**2).sum()

            best = LogisticRegression(C=1 / (L2 * len(signs)), tol=1e-10, max_iter=10_000).fit(features, signs)
            own = objective(
                probes.parameters["weight_0"][layer, 0, output], probes.parameters["bias_0"][layer, 0, output, 0]
            )
            # Steps of 75 rows stop a little short.
            assert 0 <= own - objective(best.coef_[0], best.intercept_[0]) < 2e-3


@pytest.mark.parametrize("answer", ["labels", "number"])
def test_outputs_are_fitted_as_if_each_were_alone(states, several, numbers, answer):
    make, values = (labels_task, several) if answer == "labels" else (number_task, numbers)
    # One epoch: dev, which reads all outputs together, has nothing to choose.
    settings = {"precision": "float64", "min_steps": 1, "epochs": 1}
    whole = fit(states, make(values), **settings)
    for output in range(values["train"].shape[1]):
        alone = fit(states, make({split: part[:, [output]] for split, part in values.items()}), **settings)
        for name, found in alone.parameters.items():
            expected = whole.parameters[name][:, :, [output]]
            assert (np.abs(found - expected) <= 1e-10 + np.spacing(np.abs(expected))).all()


def test_a_control_of_several_labels_is_not_learned(states, several):
    stream = np.random.default_rng(4)
    shuffled = {split: stream.permutation(part) for split, part in several.items()}
    probes = fit(states, labels_task(several), labels_task(shuffled, "word_type"), min_steps=200)
    shares = np.maximum(several["dev"].mean(axis=0), 1 - several["dev"].mean(axis=0)).mean()
    assert probes.dev_accuracy[1, 0] > shares + 0.05
    assert (probes.dev_accuracy[:, 1] < shares + 0.03).all()
