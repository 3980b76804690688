"""Scores on the test splits of other corpora: the same probes, on text of another kind."""

from collections.abc import Iterator

import numpy as np

from probes.cache import Cache
from probes.fit.floor import predict_by_labels
from probes.metric.interval import percentile_interval, resample_means
from probes.result import Score
from probes.study.collect import Fitted, answer
from probes.types import Rows


def score_elsewhere(fitted: Fitted, cache: Cache, seed: int) -> Iterator[Score]:
    """Accuracy of every layer on each split beside test, with the floors there: what train's majorities answer."""
    train = fitted.task.splits["train"]
    for split, rows in fitted.task.splits.items():
        if not split.startswith("test-"):
            continue
        for layer in range(len(cache.layers)):
            predicted = answer(fitted.probes, cache.layer(layer, split), rows, layer)[0]
            yield _score(predicted == rows.labels, rows, seed, variant="task", layer=layer, split=split)
        for name, predicted in predict_by_labels(train, rows).items():
            yield _score(predicted == rows.labels, rows, seed, variant=name, layer=None, split=split)


def _score(correct: np.ndarray, rows: Rows, seed: int, *, variant: str, layer: int | None, split: str) -> Score:
    one = percentile_interval(float(correct.mean()), resample_means(correct[None], rows.groups, seed)[0])
    groups = len(np.unique(rows.groups))
    return Score(variant=variant, layer=layer, split=split, n=len(rows), groups=groups, **one.fields)
