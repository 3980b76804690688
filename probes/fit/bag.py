"""Floors that read the words of a sentence and no vectors: a linear model over which words, or pairs of them, occur."""

import warnings
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from probes.types import Rows

# Inverse strengths of the penalty, in scikit-learn's terms, among which dev chooses.
STRENGTHS = (0.1, 1.0, 10.0)
MAX_STEPS = 200


def predict_bag(splits: Mapping[str, Rows], *, longest: int = 1) -> Int[np.ndarray, " example"]:
    """What logistic regression on the words of train (and on runs of up to `longest` words) answers for test.

    Words are lower-cased; one that train shows once only is not read. Where examples come in pairs, the two of a pair
    are compared. The penalty is chosen on dev.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    train, dev, test = (splits[name] for name in ("train", "dev", "test"))
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
    return (margins > margins[rows.partner]).astype(np.int64)
