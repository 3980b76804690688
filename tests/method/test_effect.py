"""Intervals and p-values of an erasure, against resamples and signs put together by hand."""

import numpy as np
import pytest

from probes.method.effect import Answers, accuracy_rows, compare_with_random
from probes.metric.interval import RESAMPLES
from probes.types import Rows
from tests.reference.bootstrap import resample_rows, resample_statistic
from tests.reference.permutation import enumerate_p_values

NUM_GROUPS, SIZE = 9, 45


@pytest.fixture
def answers() -> Answers:
    """Three layers, two draws; LEACE is worse than random at the last layer alone."""
    stream = np.random.default_rng(0)
    groups = np.sort(stream.integers(0, NUM_GROUPS, size=SIZE))
    rows = Rows(np.arange(SIZE)[:, None], stream.integers(0, 2, size=SIZE), groups, np.full(SIZE, -1))
    leace = stream.random((3, SIZE)) < np.array([[0.8], [0.75], [0.4]])
    before, random = stream.random((3, SIZE)) < 0.9, stream.random((2, 3, SIZE)) < 0.85
    return Answers("task", rows, before, leace, random, stream.random(SIZE) < 0.5)


def test_intervals_are_those_of_resampled_groups(answers):
    resamples = resample_rows(answers.rows.groups, num_groups=NUM_GROUPS, num_resamples=RESAMPLES, seed=3)
    found = {(one.metric, one.variant, one.layer, one.draw): one for one in accuracy_rows(answers, seed=3)}
    for layer in range(3):
        before, leace = answers.before[layer].astype(float), answers.leace[layer].astype(float)
        mean = answers.random[:, layer].mean(axis=0)
        for metric, variant, draw, values in (
            ("accuracy", "before", None, before),
            ("accuracy", "leace", None, leace),
            ("accuracy", "random", None, mean),
            ("accuracy", "random", 1, answers.random[1, layer]),
            ("accuracy_drop", "leace", None, before - leace),
            ("accuracy_drop", "random", None, before - mean),
        ):
            one = found[metric, variant, layer, draw]
            low, high = np.quantile(
                resample_statistic(resamples, lambda rows, v=values: v[rows].mean()), [0.025, 0.975]
            )
            assert (one.value, one.low, one.high) == pytest.approx((values.mean(), low, high))
        lost = resample_statistic(resamples, lambda rows, v=before - leace: v[rows].mean()).std(ddof=1)
        assert found["accuracy", "before", layer, None].detectable == pytest.approx(2.8 * lost)
        assert found["accuracy", "leace", layer, None].detectable == pytest.approx(2.8 * lost)


def test_p_values_are_adjusted_over_the_layers(answers):
    differences = answers.leace - answers.random.mean(axis=0)
    sums = np.array([[row[answers.rows.groups == group].sum() for group in range(NUM_GROUPS)] for row in differences])
    raw, adjusted = enumerate_p_values(sums)
    assert np.abs(raw - adjusted).max() > 0.05
    assert compare_with_random(answers, seed=0) == pytest.approx(adjusted, abs=0.02)
