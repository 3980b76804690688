"""Scores on the test splits of other corpora: the same probes, on text of another kind."""

from collections.abc import Iterator

import numpy as np

from probes.cache import Cache
from probes.fit.floor import predict_majority, predict_word_majority
from probes.metric.interval import percentile_interval, resample_sums, sum_by_group
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
        floors = {"majority": predict_majority(train, rows)}
        if (rows.words >= 0).all() and (train.words >= 0).all():
            floors["word_majority"] = predict_word_majority(train, rows)
        for name, predicted in floors.items():
            yield _score(predicted == rows.labels, rows, seed, variant=name, layer=None, split=split)


def _score(correct: np.ndarray, rows: Rows, seed: int, *, variant: str, layer: int | None, split: str) -> Score:
    num_groups = int(rows.groups.max()) + 1
    sums = sum_by_group(np.vstack([correct, np.ones(len(rows))]), rows.groups, num_groups)
    totals = resample_sums(sums, seed)
    one = percentile_interval(float(correct.mean()), totals[0] / totals[1])
    return Score(
        variant=variant,
        layer=layer,
        split=split,
        value=one.value,
        low=one.low,
        high=one.high,
        n=len(rows),
        groups=len(np.unique(rows.groups)),
    )
