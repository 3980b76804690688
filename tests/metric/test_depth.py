"""Expected layer and centre of gravity: by hand, by another formula, and against published curves."""

import numpy as np
import pytest
from scipy import stats

from probes.metric.depth import centre_of_gravity, expected_layer, refit_interval, relative_depth, score_gains
from probes.metric.interval import resample_sums, sum_by_group
from tests.reference.bootstrap import resample_rows
from tests.reference.depth import resample_expected_layers, slow_expected_layer

# Cumulative F1 of BERT-base on dev, P(0..0) to P(0..12), from the output that was released with Tenney, Das and Pavlick
# 2019 (ACL). The paper prints expected layers of BERT-large alone, for which no cumulative scores were released.
POS = [88.40, 93.48, 94.96, 95.42, 95.97, 96.44, 96.39, 96.42, 96.56, 96.48, 96.59, 96.40, 96.48]
COREF = [80.01, 82.52, 84.30, 85.19, 86.94, 87.58, 88.28, 88.89, 90.27, 90.38, 90.57, 90.28, 90.16]


@pytest.mark.parametrize(
    ("scores", "layer"),
    [
        ([0.2, 0.9], 1.0),
        ([0.2, 0.2, 0.9], 2.0),
        ([0.2, 0.9, 0.9, 0.9], 1.0),
        ([0.0, 0.25, 0.5, 1.0], 2.25),
        ([0.0, 0.75, 0.5], 0.5),  # below the first layer: what layer 2 loses counts against it
        ([0.0, -0.5, 0.5], 3.0),  # beyond the last
    ],
)
def test_expected_layers_by_hand(scores, layer):
    assert expected_layer(np.array(scores)) == pytest.approx(layer, abs=1e-12)


@pytest.mark.parametrize("scores", [[0.5], [0.5, 0.5], [0.3, 0.8, 0.3]])
def test_where_nothing_is_gained_in_sum_no_layer_is_expected(scores):
    assert np.isnan(expected_layer(np.array(scores)))


@pytest.mark.parametrize(("scores", "layer"), [(POS, 1.764), (COREF, 3.617)])
def test_expected_layers_of_a_published_curve(scores, layer):
    curve = np.array(scores) / 100
    # Summed by parts: (L * P(L) - the sum of P(0) to P(L-1)) / (P(L) - P(0)).
    by_parts = (12 * curve[-1] - curve[:-1].sum()) / (curve[-1] - curve[0])
    assert expected_layer(curve) == pytest.approx(by_parts, abs=1e-12)
    assert expected_layer(curve) == pytest.approx(layer, abs=5e-4)


def test_an_expected_layer_does_not_depend_on_the_unit_or_the_floor_of_the_score():
    scores = np.random.default_rng(0).random(7)
    assert expected_layer(100 * scores + 3) == pytest.approx(expected_layer(scores))


def test_resamples_are_joint_over_layers_as_in_a_slow_loop(monkeypatch):
    stream = np.random.default_rng(1)
    groups = stream.integers(0, 12, size=150)
    right = (stream.random((5, 150)) < np.linspace(0.4, 0.9, 5)[:, None]).astype(float)
    monkeypatch.setattr("probes.metric.interval.RESAMPLES", 40)
    totals = resample_sums(sum_by_group(np.vstack([right, np.ones((1, 150))]), groups, 12), seed=3)
    resamples = resample_rows(groups, num_groups=12, num_resamples=40, seed=3)
    slow = resample_expected_layers(right, resamples)
    np.testing.assert_allclose(expected_layer(totals[:-1] / totals[-1]), slow, atol=1e-10)
    assert len(np.unique(slow.round(6))) > 30


def test_many_curves_at_once_are_each_by_itself():
    scores = np.random.default_rng(2).random((6, 4))
    expected = [slow_expected_layer(scores[:, column]) for column in range(4)]
    np.testing.assert_allclose(expected_layer(scores), expected)
    np.testing.assert_allclose(score_gains(scores).sum(axis=0), scores[-1] - scores[0])


def test_the_centre_of_gravity_is_the_mean_layer_under_the_weights():
    weights = np.array([[0.0, 0.0, 1.0], [0.25, 0.25, 0.5]])
    assert centre_of_gravity(weights).tolist() == [2.0, 1.25]
    assert centre_of_gravity(np.full(13, 1 / 13)) == pytest.approx(6)


def test_relative_depth_is_one_at_the_last_block():
    assert [relative_depth(layer, 24) for layer in (0, 12, 24)] == [0, 0.5, 1]
    assert np.isnan(relative_depth(0, 0))


def test_the_interval_of_refits_is_students():
    refits = np.array([3.1, 2.9, 3.4, 3.0])
    found = refit_interval(3.2, refits)
    low, high = stats.t.interval(0.95, df=3, loc=3.2, scale=refits.std(ddof=1))
    assert (found.value, found.low, found.high) == pytest.approx((3.2, low, high))


@pytest.mark.parametrize("refits", [[], [3.0]])
def test_less_than_two_refits_give_no_interval(refits):
    found = refit_interval(3.2, np.array(refits))
    assert found.value == 3.2
    assert np.isnan([found.low, found.high]).all()
