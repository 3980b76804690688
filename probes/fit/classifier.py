"""Probes as scikit-learn classifiers: of the vectors of one layer, or of all layers side by side."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.extmath import softmax
from sklearn.utils.validation import check_consistent_length, column_or_1d

from probes.fit.layerwise import (
    choose_layer,
    fit_estimator,
    load_estimator,
    margins,
    read_layers,
    save_estimator,
    score_labels,
)

L2 = (1e-4, 1e-3, 1e-2, 1e-1)


class LayerProbe(ClassifierMixin, BaseEstimator):
    """A probe of the vectors of one layer, X [row, dim], as a scikit-learn classifier.

    Rows held out of `X` choose the penalty and the best epoch; no row of them is fitted on. If fewer rows would be
    held out than there are classes, or `validation_fraction` is 0, the fitted rows themselves choose. Vectors are
    standardised inside, in float32.

    After `fit`: `classes_`, and `probes_`, which are the engine's own (`probes_.grid` says what was chosen).

    >>> probe = LayerProbe(random_state=0).fit([[0.0], [1.0], [5.0], [6.0]], ["low", "low", "high", "high"])
    >>> probe.predict([[0.5], [5.5]]).tolist()
    ['low', 'high']
    """

    # The types stand here: scikit-learn asks that __init__ takes anything and that `fit` refuses it.
    l2: float | tuple[float, ...]
    """Penalty, or candidates: mean negative log-likelihood + l2/2 |W|^2 on standardised features."""
    solver: str
    """`exact` or `stack`, as in FitConfig; an mlp needs `stack`."""
    probe: str
    """As in FitConfig: `linear`, `mlp`, or one that another package offers."""
    hidden: tuple[int, ...]
    """Hidden units of an mlp, one number for each hidden layer."""
    validation_fraction: float
    """Share of the rows, of every class, that is held out to choose."""
    random_state: int | np.random.RandomState | None
    """Of the cut, the order of the rows and an mlp's start; the same int gives the same probe."""

    def __init__(
        self, *, l2=L2, solver="exact", probe="linear", hidden=(50,), validation_fraction=0.1, random_state=None
    ) -> None:
        self.l2 = l2
        self.solver = solver
        self.probe = probe
        self.hidden = hidden
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "LayerProbe":
        self.probes_, self.classes_ = fit_estimator(self, X, y, num_layers=1)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits [row, class]; for two classes the second's less the first's, [row]."""
        return margins(self._scores(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Share of every class, [row, class]."""
        return softmax(self._scores(X))

    def predict(self, X: Any) -> np.ndarray:
        """The class of every row."""
        codes = self._scores(X).argmax(axis=1)
        return self.classes_[codes]

    def save(self, folder: str | Path) -> None:
        """Write safetensors and JSON; raises FitError for classes or parameters that JSON cannot hold."""
        save_estimator(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> "LayerProbe":
        """A classifier written by `save`; raises FitError if there is none of this kind."""
        return load_estimator(cls, Path(folder))

    def _scores(self, X: Any) -> Float[np.ndarray, "row label"]:
        (states,) = read_layers(self, X)
        return score_labels(self.probes_, states, layer=0)


class LayerwiseClassifier(ClassifierMixin, BaseEstimator):
    """One probe for each layer, fitted all at once; X [row, layer*dim] has the vectors of the layers side by side.

    `predict`, `predict_proba` and `decision_function` answer with the best layer, `layer_`: the one with the highest
    accuracy on the held-out rows, of equals the one with the lowest loss there. The rest is as in LayerProbe.

    >>> X = np.array([[7.0, 0.0], [7.0, 1.0], [7.0, 5.0], [7.0, 6.0]])
    >>> probes = LayerwiseClassifier(num_layers=2, random_state=0).fit(X, ["low", "low", "high", "high"])
    >>> probes.layer_, probes.predict_layers(X).shape
    (1, (2, 4))
    """

    num_layers: int
    """Layers in `X`: as many blocks of columns, of one width."""
    l2: float | tuple[float, ...]
    """As in LayerProbe, and so all that follow."""
    solver: str
    probe: str
    hidden: tuple[int, ...]
    validation_fraction: float
    random_state: int | np.random.RandomState | None

    def __init__(
        self,
        num_layers=1,
        *,
        l2=L2,
        solver="exact",
        probe="linear",
        hidden=(50,),
        validation_fraction=0.1,
        random_state=None,
    ) -> None:
        self.num_layers = num_layers
        self.l2 = l2
        self.solver = solver
        self.probe = probe
        self.hidden = hidden
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "LayerwiseClassifier":
        self.probes_, self.classes_ = fit_estimator(self, X, y, num_layers=self.num_layers)
        self.layer_ = choose_layer(self.probes_)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits [row, class] of the best layer; for two classes the second's less the first's, [row]."""
        return margins(self._scores(X))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Share of every class at the best layer, [row, class]."""
        return softmax(self._scores(X))

    def predict(self, X: Any) -> np.ndarray:
        """The class of every row at the best layer."""
        codes = self._scores(X).argmax(axis=1)
        return self.classes_[codes]

    def predict_layers(self, X: Any) -> np.ndarray:
        """The class of every row at every layer, [layer, row]."""
        layers = read_layers(self, X)
        codes = [score_labels(self.probes_, states, layer).argmax(axis=1) for layer, states in enumerate(layers)]
        return self.classes_[np.stack(codes)]

    def score_layers(self, X: Any, y: Any) -> Float[np.ndarray, " layer"]:
        """Accuracy of every layer."""
        predicted = self.predict_layers(X)
        check_consistent_length(predicted[0], y)
        return (predicted == column_or_1d(y)).mean(axis=1)

    def save(self, folder: str | Path) -> None:
        """Write safetensors and JSON; raises FitError for classes or parameters that JSON cannot hold."""
        save_estimator(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> "LayerwiseClassifier":
        """A classifier written by `save`; raises FitError if there is none of this kind."""
        loaded = load_estimator(cls, Path(folder))
        loaded.layer_ = choose_layer(loaded.probes_)
        return loaded

    def _scores(self, X: Any) -> Float[np.ndarray, "row label"]:
        layers = read_layers(self, X)
        return score_labels(self.probes_, layers[self.layer_], self.layer_)
