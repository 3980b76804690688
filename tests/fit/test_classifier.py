"""Probes as scikit-learn classifiers: the contract, the engine behind it, and what they learn."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from probes.config import FitConfig
from probes.errors import ConfigError, FitError
from probes.fit.classifier import L2, LayerProbe, LayerwiseClassifier
from probes.fit.fit import fit_layers
from probes.fit.layerwise import cut_rows
from probes.fit.question import Question
from probes.types import Rows, Task

NUM_LAYERS, DIM = 3, 4
NAMES = np.array(["noun", "verb", "other"])


@parametrize_with_checks([LayerProbe(), LayerwiseClassifier()])
def test_scikit_learn_finds_its_contract_kept(estimator, check):
    check(estimator)


def make_vectors(num_rows=240, *, layer=1, seed=0):
    """Rows of three layers side by side; the label is the largest of three linear functions of one layer."""
    stream = np.random.default_rng(seed)
    X = stream.normal(size=(num_rows, NUM_LAYERS, DIM)) * [[[1], [5], [0.2]]] + 3
    direction = np.random.default_rng(5).normal(size=(DIM, len(NAMES)))
    codes = ((X[:, layer] - 3) @ direction).argmax(axis=1)
    return X.reshape(num_rows, -1), NAMES[codes]


@pytest.fixture(scope="module")
def vectors():
    return make_vectors()


@pytest.fixture(scope="module")
def unseen():
    return make_vectors(400, seed=1)


@pytest.fixture(scope="module")
def layerwise(vectors):
    return LayerwiseClassifier(NUM_LAYERS, random_state=0).fit(*vectors)


@pytest.fixture(scope="module")
def probe(vectors):
    X, y = vectors
    return LayerProbe(random_state=0).fit(X[:, DIM : 2 * DIM], y)


def make_rows(codes, chosen):
    return Rows(chosen[:, None], codes[chosen], np.arange(len(chosen)), np.full(len(chosen), -1))


def test_a_fit_is_the_engines_over_the_rows_that_are_kept(vectors, unseen, layerwise):
    X, y = vectors
    classes, codes = np.unique(y, return_inverse=True)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    kept, held = cut_rows(codes, 0.1, seed)
    splits = {"train": make_rows(codes, kept), "dev": make_rows(codes, held)}
    layers = [X[:, place : place + DIM].astype(np.float32) for place in range(0, X.shape[1], DIM)]
    config = FitConfig(l2=L2, solver=layerwise.solver, select="log_likelihood", precision="float32", gap="none")
    question = Question(Task("y", "sentence", tuple(classes), splits), (), config)
    [fitted] = fit_layers({"train": layers, "dev": layers}, [question], seed=seed)
    for name, value in fitted.parameters.items():
        assert np.array_equal(layerwise.probes_.parameters[name], value)
    assert np.array_equal(layerwise.probes_.grid.choice, fitted.grid.choice)
    every = np.arange(len(unseen[0]))[:, None]
    states = np.split(unseen[0].astype(np.float32), NUM_LAYERS, axis=1)
    expected = np.stack([fitted.predict(part, every, layer)[0] for layer, part in enumerate(states)])
    assert np.array_equal(layerwise.predict_layers(unseen[0]), classes[expected])
    logits = fitted.logits(states[1], 1)[:, 0]
    # The engine's logits are float32, of size 10 at the most.
    assert np.allclose(layerwise.decision_function(unseen[0]), logits, atol=1e-4)


def test_a_layer_alone_and_among_others_gives_the_same_predictions(probe, layerwise, unseen):
    X = unseen[0]
    assert np.array_equal(probe.classes_, layerwise.classes_)
    assert np.mean(probe.predict(X[:, DIM : 2 * DIM]) == layerwise.predict_layers(X)[1]) > 0.99


def test_the_layer_of_a_planted_feature_is_found(unseen):
    for layer in range(NUM_LAYERS):
        X, y = make_vectors(layer=layer)
        found = LayerwiseClassifier(NUM_LAYERS, random_state=0).fit(X, y)
        assert found.layer_ == layer
        test, wanted = make_vectors(400, layer=layer, seed=1)
        scores = found.score_layers(test, wanted)
        assert scores[layer] == found.score(test, wanted) > 0.9
        # The other layers are drawn apart from it: a third of the labels, standard error .025.
        assert np.delete(scores, layer).max() < 0.5
        assert np.array_equal(found.predict(test), found.predict_layers(test)[layer])


def test_random_labels_are_not_learned(vectors, unseen):
    y = np.random.default_rng(3).permutation(vectors[1])
    scores = LayerwiseClassifier(NUM_LAYERS, random_state=0).fit(vectors[0], y).score_layers(*unseen)
    majority = np.mean(unseen[1] == pd.Series(y).mode()[0])
    # Standard error of a share of 400 rows .025.
    assert (scores < majority + 0.1).all()


def test_an_mlp_learns_what_no_linear_probe_does():
    stream = np.random.default_rng(0)
    X = stream.uniform(-1, 1, size=(600, 2))
    y = X[:, 0] * X[:, 1] > 0
    linear, mlp = (
        LayerProbe(solver="stack", probe=kind, hidden=(16,), random_state=0)
        .fit(X[:400], y[:400])
        .score(X[400:], y[400:])
        for kind in ("linear", "mlp")
    )
    assert linear < 0.65
    assert mlp > 0.9


def test_shares_and_margins_are_those_of_the_prediction(layerwise, unseen):
    X, margins = unseen[0], layerwise.decision_function(unseen[0])
    shares = layerwise.predict_proba(X)
    powers = np.exp(margins)
    assert np.allclose(shares, powers / powers.sum(axis=1, keepdims=True), rtol=1e-12)
    assert np.array_equal(layerwise.classes_[shares.argmax(axis=1)], layerwise.predict(X))


def test_probes_work_inside_a_pipeline_and_a_search(vectors, unseen):
    X, y = vectors
    pipeline = make_pipeline(StandardScaler(), LayerwiseClassifier(NUM_LAYERS, random_state=0))
    assert pipeline.fit(X, y).score(*unseen) > 0.9
    assert cross_val_score(LayerProbe(random_state=0), X[:, DIM : 2 * DIM], y, cv=3).min() > 0.8
    search = GridSearchCV(pipeline, {"layerwiseclassifier__l2": [100.0, 1e-3]}, cv=2).fit(X, y)
    assert search.best_params_ == {"layerwiseclassifier__l2": 1e-3}
    assert search.best_estimator_[-1].layer_ == 1


def test_a_clone_is_unfitted_and_fits_the_same(layerwise, vectors, unseen):
    again = clone(layerwise)
    assert not hasattr(again, "probes_")
    assert again.get_params() == layerwise.get_params()
    again.fit(*vectors)
    assert again.decision_function(unseen[0]).tobytes() == layerwise.decision_function(unseen[0]).tobytes()


def test_another_random_state_cuts_other_rows(layerwise, vectors):
    other = clone(layerwise).set_params(random_state=1).fit(*vectors)
    assert not np.array_equal(other.probes_.mean, layerwise.probes_.mean)


def test_a_pandas_frame_keeps_its_names(layerwise, vectors, unseen):
    names = [f"layer{layer}_{dim}" for layer in range(NUM_LAYERS) for dim in range(DIM)]
    frame = pd.DataFrame(vectors[0], columns=names)
    fitted = clone(layerwise).fit(frame, pd.Series(vectors[1]))
    assert fitted.feature_names_in_.tolist() == names
    test = pd.DataFrame(unseen[0], columns=names)
    assert np.array_equal(fitted.predict(test), layerwise.predict(unseen[0]))
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(test[names[::-1]])


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.3])
def test_held_out_rows_are_the_same_share_of_every_class(fraction):
    codes = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 3], [100, 60, 40, 1]))
    kept, held = cut_rows(codes, fraction, seed=0)
    assert sorted([*kept, *held]) == list(range(len(codes)))
    counts = np.bincount(codes[held], minlength=4)[:3]
    assert np.abs(counts - fraction * np.array([100, 60, 40])).max() <= 1
    # The only row of a class is one to fit on, wherever the cut begins.
    assert all(3 not in codes[cut_rows(codes, fraction, seed)[1]] for seed in range(100))
    assert not np.array_equal(held, cut_rows(codes, fraction, seed=1)[1])


@pytest.mark.parametrize(
    ("codes", "fraction"), [([0, 1] * 5, 0.1), ([0, 1, 2], 0.9), ([0, 1] * 50, 0.0)], ids=["few", "single", "none"]
)
def test_rows_too_few_to_cut_are_all_fitted_on_and_chosen_on(codes, fraction):
    kept, held = cut_rows(np.array(codes), fraction, seed=0)
    assert kept.tolist() == held.tolist() == list(range(len(codes)))


def test_held_out_rows_choose_the_layer_and_the_penalty():
    # Layer 0 has noise in as many columns as tell every row apart, layer 1 a feature that is right for 85 %.
    stream = np.random.default_rng(0)
    y = np.arange(120) % 2
    by_heart = stream.normal(size=(120, 119))
    feature = np.where(stream.random(120) < 0.85, y, 1 - y)[:, None] + stream.normal(0, 0.01, (120, 119))
    X = np.hstack([by_heart, feature])
    held = LayerwiseClassifier(2, validation_fraction=0.3, random_state=0).fit(X, y)
    assert held.layer_ == 1
    assert LayerwiseClassifier(2, validation_fraction=0.0, random_state=0).fit(X, y).layer_ == 0


def test_a_saved_classifier_answers_with_the_same_bytes(tmp_path, layerwise, probe, unseen):
    X = unseen[0]
    for saved, vectors in ((layerwise, X), (probe, X[:, :DIM])):
        folder = tmp_path / type(saved).__name__
        saved.save(str(folder))
        assert sorted(path.name for path in folder.iterdir()) == [
            "classifier.json",
            "probes.json",
            "probes.safetensors",
        ]
        loaded = type(saved).load(folder)
        assert loaded.get_params() == saved.get_params()
        assert vars(loaded).keys() == vars(saved).keys()
        assert loaded.predict(vectors).dtype == saved.predict(vectors).dtype
        for method in ("predict", "decision_function", "predict_proba"):
            assert getattr(loaded, method)(vectors).tobytes() == getattr(saved, method)(vectors).tobytes()


@pytest.mark.parametrize(
    "classes",
    [
        np.array([3, 7]),
        np.array([False, True]),
        np.array([0.0, 1.0]),
        np.array(["b", "a"], dtype=object),
        pd.Series(["b", "a"]),
    ],
    ids=["int", "bool", "float", "object", "pandas"],
)
def test_classes_of_every_type_come_back_from_a_folder(tmp_path, classes):
    X, y = pd.DataFrame({"one": [0.0, 1, 5, 6], "two": [1.0, 0, 1, 0]}), np.asarray(classes)[[0, 0, 1, 1]]
    fitted = LayerProbe(l2=np.float64(1e-2), random_state=np.int64(0)).fit(X, y)
    fitted.save(tmp_path)
    loaded = LayerProbe.load(tmp_path)
    assert loaded.get_params() == fitted.get_params()
    assert loaded.predict(X).tolist() == fitted.predict(X).tolist() == y.tolist()
    assert loaded.classes_.dtype == fitted.classes_.dtype
    assert loaded.feature_names_in_.tolist() == ["one", "two"]


def test_a_pickle_answers_with_the_same_bytes(layerwise, unseen):
    again = pickle.loads(pickle.dumps(layerwise))
    assert again.decision_function(unseen[0]).tobytes() == layerwise.decision_function(unseen[0]).tobytes()


def message(kind, call, *arguments):
    with pytest.raises(kind) as caught:
        call(*arguments)
    assert type(caught.value) is kind
    return str(caught.value)


@pytest.mark.parametrize("num_layers", [0, 5, 2.0, "3", -3])
def test_layers_that_do_not_fill_the_columns_are_refused(vectors, num_layers):
    assert message(FitError, LayerwiseClassifier(num_layers).fit, *vectors) == (
        f"X should have the columns of num_layers={num_layers!r} layers side by side, as many of each, but has 12 "
        f"columns. Set num_layers to the number of layers whose vectors are in X."
    )


@pytest.mark.parametrize("kind", [LayerProbe, LayerwiseClassifier])
@pytest.mark.parametrize("share", [1, -0.1, float("nan"), "0.1"])
def test_a_share_that_cannot_be_held_out_is_refused(vectors, kind, share):
    assert message(ConfigError, kind(validation_fraction=share).fit, *vectors) == (
        f"{kind.__name__}: Key 'validation_fraction' should be at least 0 and less than 1, but is {share!r}. Change it."
    )


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("solver", "newton", "LayerProbe: Key 'solver' should be 'stack' or 'exact', but is 'newton'. Change it."),
        ("l2", -1, "LayerProbe: Key 'l2.0' should be greater than or equal to 0, but is -1. Change it."),
        ("hidden", 50, "LayerProbe: Key 'hidden' should be a valid tuple, but is 50. Change it."),
    ],
)
def test_a_wrong_parameter_is_named_when_it_is_fitted(vectors, key, value, expected):
    assert message(ConfigError, LayerProbe(**{key: value}).fit, *vectors) == expected


def test_one_class_is_refused():
    assert message(ValueError, LayerProbe().fit, [[0.0], [1.0]], ["a", "a"]) == (
        "LayerProbe needs rows of at least two classes, but y has one class, 'a', in 2 rows. "
        "Give rows of another class as well."
    )


def test_answers_for_another_number_of_rows_are_refused(layerwise, unseen):
    assert message(ValueError, layerwise.score_layers, unseen[0], unseen[1][:-1]) == (
        "Found input variables with inconsistent numbers of samples: [400, 399]"
    )


def test_a_folder_without_a_classifier_is_refused(tmp_path):
    assert message(FitError, LayerProbe.load, tmp_path) == (
        f"A saved classifier was expected in {tmp_path}, but classifier.json is not there. Check the folder."
    )


def test_a_classifier_of_another_kind_is_refused(tmp_path, probe):
    probe.save(tmp_path)
    assert message(FitError, LayerwiseClassifier.load, tmp_path) == (
        f"{tmp_path / 'classifier.json'} should hold a LayerwiseClassifier, but holds a LayerProbe. "
        f"Load it with LayerProbe.load."
    )


def test_what_json_cannot_hold_is_refused_before_anything_is_written(tmp_path, vectors):
    state = np.random.RandomState(0)
    fitted = LayerProbe(random_state=state).fit(*vectors)
    assert message(FitError, fitted.save, tmp_path / "new") == (
        f"A saved classifier holds numbers and text, but this one has {state!r} of type RandomState among its classes "
        f"or parameters. Fit it with others, such as an int for random_state."
    )
    assert not (tmp_path / "new").exists()


def test_parameters_are_readable_in_the_folder(tmp_path, layerwise):
    layerwise.save(tmp_path)
    described = json.loads((tmp_path / "classifier.json").read_text("utf-8"))
    assert described["parameters"]["num_layers"] == NUM_LAYERS
    assert described["classes"] == ["noun", "other", "verb"]
