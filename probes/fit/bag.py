"""Floors that read the words of a sentence and no vectors: a linear model over which words, or pairs of them, occur."""

import json
import warnings
from collections.abc import Mapping
from hashlib import sha256

import numpy as np
from jaxtyping import Float, Int

from probes.fit.loss import beats_partner
from probes.types import Rows

# Inverse strengths of the penalty, in scikit-learn's terms, among which dev chooses.
STRENGTHS = (0.1, 1.0, 10.0)
MAX_STEPS = 200


# Answers by question: every encoder and twin is asked the same ones, and none is read here.
_known: dict[str, np.ndarray] = {}


def predict_bag(splits: Mapping[str, Rows], *, longest: int = 1) -> Int[np.ndarray, " example"]:
    """What logistic regression on the words of train (and on runs of up to `longest` words) answers for test.

    Words are lower-cased; one that train shows once only is not read. Where examples come in pairs, the two of a pair
    are compared. The penalty is chosen on dev. The same question is answered once in a process.
    """
    key = _hash(splits, longest)
    if key not in _known:
        _known[key] = _fit(splits["train"], splits["dev"], splits["test"], longest)
    return _known[key].copy()


def _hash(splits: Mapping[str, Rows], longest: int) -> str:
    digest = sha256(str(longest).encode())
    for name in ("train", "dev", "test"):
        rows = splits[name]
        partner = None if rows.partner is None else rows.partner.tolist()
        digest.update(json.dumps([rows.texts, rows.labels.tolist(), partner]).encode())
    return digest.hexdigest()


def _fit(train: Rows, dev: Rows, test: Rows, longest: int) -> Int[np.ndarray, " example"]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    # The tokens are those of the corpus: they stand between spaces.
    words = CountVectorizer(token_pattern=r"\S+", ngram_range=(1, longest), binary=True, min_df=2)
    try:
        features = words.fit_transform(train.texts)
    except ValueError:  # no word occurs twice
        return np.full(len(test), np.bincount(train.labels).argmax())
    found, best = None, -1.0
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=MAX_STEPS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a floor that is nearly at its optimum is one
            model.fit(features, train.labels)
        accuracy = float((_answers(model, words, dev) == dev.labels).mean())
        if accuracy > best:
            found, best = model, accuracy
    return _answers(found, words, test)


def _answers(model: object, words: object, rows: Rows) -> Int[np.ndarray, " example"]:
    features = words.transform(rows.texts)  # type: ignore[attr-defined]
    if rows.partner is None:
        return model.predict(features)  # type: ignore[attr-defined]
    margins: Float[np.ndarray, " example"] = model.decision_function(features)  # type: ignore[attr-defined]
    return beats_partner(margins, rows.partner).astype(np.int64)
