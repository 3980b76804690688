"""What the scikit-learn classifiers do: one fit of all layers, the scores of labels, and a folder without pickle."""

import json
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from probes.config import FitConfig
from probes.config.setting import parse
from probes.errors import ConfigError, FitError
from probes.fit.family import keep_all, make_family
from probes.fit.fit import fit_layers
from probes.fit.fitted import FittedProbes, load_probes
from probes.fit.question import SPLITS, Question
from probes.fit.read import CHUNK_ROWS
from probes.seed import generator
from probes.types import Rows, Task

FILE = "classifier.json"

Estimator = TypeVar("Estimator", bound=BaseEstimator)


def fit_vectors(
    layers: Sequence[Float[np.ndarray, "row dim"]],
    codes: Int[np.ndarray, " row"],
    labels: Sequence[str],
    config: FitConfig,
    *,
    share: float,
    seed: int,
) -> FittedProbes:
    """One probe a layer, fitted on some of the rows; a held-out `share` of them stands for dev."""
    kept, held = cut_rows(codes, share, seed)
    splits = {"train": _make_rows(codes, kept), "dev": _make_rows(codes, held)}
    question = Question(Task("y", "sentence", tuple(labels), splits), (), config)
    return fit_layers(dict.fromkeys(SPLITS, layers), [question], seed=seed)[0]


def cut_rows(
    codes: Int[np.ndarray, " row"], share: float, seed: int
) -> tuple[Int[np.ndarray, " kept"], Int[np.ndarray, " held"]]:
    """Rows to fit on and rows to choose on: the same share of every class, up to one row.

    Every class keeps a row to fit on. If fewer rows would be held out than there are classes, none is: all rows
    are then fitted on, and chosen on.

    >>> kept, held = cut_rows(np.array([0, 0, 0, 0, 1, 1, 1, 1]), share=0.25, seed=0)
    >>> len(kept), len(held)
    (6, 2)
    """
    stream = generator(seed, "fit.cut")
    every = np.arange(len(codes))
    shuffled = stream.permutation(every)
    by_class = shuffled[np.argsort(codes[shuffled], kind="stable")]
    # Along the classes one row in 1/share is taken, from a random start: a class gets its share, up to one row.
    ticks = np.floor(np.arange(len(codes) + 1) * share + stream.random())
    is_first = np.diff(codes[by_class], prepend=-1) != 0
    held = np.sort(by_class[(np.diff(ticks) > 0) & ~is_first])
    if len(held) < len(np.unique(codes)):
        return every, every
    return np.setdiff1d(every, held), held


def _make_rows(codes: Int[np.ndarray, " row"], chosen: Int[np.ndarray, " example"]) -> Rows:
    # Nothing resamples these rows, and nothing recurs in them.
    return Rows(chosen[:, None], codes[chosen], groups=chosen, words=np.full(len(chosen), -1))


def choose_layer(fitted: FittedProbes) -> int:
    """The layer with the highest accuracy on dev; of equals the one with the lowest loss there."""
    loss = fitted.grid.loss[np.arange(fitted.num_layers), fitted.grid.choice]
    return int(np.lexsort((loss, -fitted.dev_accuracy[:, 0]))[0])


def score_labels(
    fitted: FittedProbes, states: Float[np.ndarray, "row dim"], layer: int
) -> Float[np.ndarray, "row label"]:
    """Logits in float64: in float32 the scores of a row would depend on the rows that are asked with it."""
    family = make_family(fitted.config)
    parameters = {
        name: torch.from_numpy(value[layer : layer + 1]).double() for name, value in fitted.parameters.items()
    }
    parts = []
    for start in range(0, len(states), CHUNK_ROWS):
        features = states[start : start + CHUNK_ROWS].astype(np.float64)
        features -= fitted.mean[layer]
        features *= fitted.inverse_std[layer]
        parts.append(family.logits(parameters, torch.from_numpy(features)[None], keep_all)[0, 0].T.numpy())
    return np.concatenate(parts)


def fit_estimator(estimator: Any, X: Any, y: Any, *, num_layers: Any) -> tuple[FittedProbes, np.ndarray]:
    X, y = validate_data(estimator, X, y, dtype=np.float32)
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        # The type that scikit-learn expects of a classifier that cannot be fitted to these rows.
        raise ValueError(
            f"{type(estimator).__name__} needs rows of at least two classes, but y has one class, "
            f"{classes.tolist()[0]!r}, in {len(y)} rows. Give rows of another class as well."
        )
    config = _make_config(estimator)
    layers = _split_columns(X, num_layers)
    seed = int(check_random_state(estimator.random_state).randint(2**31 - 1))
    labels, share = [str(label) for label in classes], float(estimator.validation_fraction)
    return fit_vectors(layers, codes, labels, config, share=share, seed=seed), classes


def _make_config(estimator: Any) -> FitConfig:
    share = estimator.validation_fraction
    if not isinstance(share, Real) or not 0 <= float(share) < 1:
        raise ConfigError(
            f"{type(estimator).__name__}: Key 'validation_fraction' should be at least 0 and less than 1, "
            f"but is {share!r}. Change it."
        )
    keys = ("l2", "solver", "probe", "hidden")
    settings = {key: getattr(estimator, key) for key in keys}
    # Held-out rows are few here: their likelihood still tells candidates apart that have equal accuracy.
    settings |= {"select": "log_likelihood", "precision": "float32", "gap": "none"}
    return parse(FitConfig, settings, type(estimator).__name__)


def _split_columns(X: Float[np.ndarray, "row column"], num_layers: Any) -> list[np.ndarray]:
    num_columns = X.shape[1]
    if not isinstance(num_layers, Integral) or num_layers < 1 or num_columns % num_layers:
        raise FitError(
            f"X should have the columns of num_layers={num_layers!r} layers side by side, as many of each, but has "
            f"{num_columns} columns. Set num_layers to the number of layers whose vectors are in X."
        )
    return np.hsplit(X, num_layers)


def read_layers(estimator: Any, X: Any) -> list[np.ndarray]:
    check_is_fitted(estimator)
    X = validate_data(estimator, X, dtype=np.float32, reset=False)
    return np.hsplit(X, estimator.probes_.num_layers)


def margins(scores: Float[np.ndarray, "row label"]) -> np.ndarray:
    return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores


def save_estimator(estimator: Any, folder: Path) -> None:
    check_is_fitted(estimator)
    classes, names = estimator.classes_, getattr(estimator, "feature_names_in_", None)
    described = {
        "kind": type(estimator).__name__,
        "parameters": estimator.get_params(deep=False),
        "classes": classes.tolist(),
        "classes_type": classes.dtype.str,
        "num_features": estimator.n_features_in_,
        "feature_names": None if names is None else names.tolist(),
    }
    text = json.dumps(described, default=_to_json)
    estimator.probes_.save(folder)
    (folder / FILE).write_text(text, "utf-8")


def _to_json(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise FitError(
        f"A saved classifier holds numbers and text, but this one has {value!r} of type {type(value).__name__} among "
        f"its classes or parameters. Fit it with others, such as an int for random_state."
    )


def load_estimator(kind: type[Estimator], folder: Path) -> Estimator:
    path = folder / FILE
    if not path.is_file():
        raise FitError(f"A saved classifier was expected in {folder}, but {FILE} is not there. Check the folder.")
    described = json.loads(path.read_text("utf-8"))
    if described["kind"] != kind.__name__:
        raise FitError(
            f"{path} should hold a {kind.__name__}, but holds a {described['kind']}. "
            f"Load it with {described['kind']}.load."
        )
    parameters = described["parameters"].items()
    loaded: Any = kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in parameters})
    loaded.probes_ = load_probes(folder)
    loaded.classes_ = np.array(described["classes"], dtype=described["classes_type"])
    loaded.n_features_in_ = described["num_features"]
    if described["feature_names"] is not None:
        loaded.feature_names_in_ = np.array(described["feature_names"], dtype=object)
    return loaded
