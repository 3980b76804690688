"""Intervals resample groups: equal to the slow version, and as wide as clusters demand."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from probes.metric import interval
from probes.metric.interval import (
    detectable_difference,
    detectable_from_best,
    f1_counts,
    percentile_interval,
    resample_groups,
    resample_means,
    resample_sums,
    sum_by_group,
)
from probes.metric.score import macro_f1
from tests.reference.bootstrap import resample_rows, resample_statistic

NUM_GROUPS = 12


@pytest.fixture
def few_resamples(monkeypatch):
    monkeypatch.setattr(interval, "RESAMPLES", 200)
    return 200


@pytest.fixture
def clustered():
    """Right and wrong answers of 300 rows in groups of unequal sizes, in mixed order."""
    stream = np.random.default_rng(3)
    groups = stream.choice(NUM_GROUPS, size=300, p=np.arange(1, NUM_GROUPS + 1) / 78)
    ease = stream.beta(2, 1, size=NUM_GROUPS)
    return stream.random(300) < ease[groups], groups


def bootstrap_mean(values, groups, seed=0):
    """The interval of a mean, and its resampled values."""
    num_groups = int(groups.max()) + 1
    totals = resample_sums(sum_by_group(np.stack([values, np.ones(len(values))]), groups, num_groups), seed)
    return percentile_interval(float(values.mean()), totals[0] / totals[1])


@pytest.mark.parametrize("seed", [0, 7])
def test_interval_equals_resampling_groups_by_hand(clustered, few_resamples, seed):
    correct, groups = clustered
    resamples = resample_rows(groups, num_groups=NUM_GROUPS, num_resamples=few_resamples, seed=seed)
    means = resample_statistic(resamples, lambda rows: correct[rows].mean())
    found = bootstrap_mean(correct.astype(float), groups, seed)
    low, high = np.quantile(means, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)
    assert found.value == correct.mean()


def test_resampled_macro_f1_equals_brute_force(clustered, few_resamples):
    _, groups = clustered
    stream = np.random.default_rng(4)
    labels, predicted = stream.choice(4, size=300, p=[0.6, 0.3, 0.08, 0.02]), stream.integers(0, 4, 300)
    counts = f1_counts(labels, predicted, groups, num_labels=5, num_groups=NUM_GROUPS)
    found = macro_f1(np.moveaxis(resample_sums(counts, seed=0), -1, 0))
    resamples = resample_rows(groups, num_groups=NUM_GROUPS, num_resamples=few_resamples, seed=0)
    expected = resample_statistic(
        resamples, lambda rows: f1_score(labels[rows], predicted[rows], average="macro", zero_division=0)
    )
    assert np.allclose(found, expected, atol=1e-12)


def test_sum_by_group_equals_a_loop_for_any_leading_axes():
    stream = np.random.default_rng(5)
    values, groups = stream.normal(size=(2, 3, 50)), stream.integers(0, 6, 50)
    found = sum_by_group(values, groups, num_groups=7)
    for group in range(7):
        assert np.allclose(found[..., group], values[..., groups == group].sum(axis=-1))


def test_repeating_rows_inside_their_groups_leaves_the_interval_unchanged(clustered):
    correct, groups = clustered
    repeated = bootstrap_mean(np.repeat(correct, 3).astype(float), np.repeat(groups, 3))
    assert repeated == bootstrap_mean(correct.astype(float), groups)


def test_interval_does_not_depend_on_the_order_of_rows(clustered):
    correct, groups = clustered
    order = np.random.default_rng(6).permutation(len(correct))
    assert bootstrap_mean(correct[order].astype(float), groups[order]) == bootstrap_mean(correct.astype(float), groups)


def test_rows_taken_for_groups_give_a_narrower_interval():
    stream = np.random.default_rng(8)
    groups = np.repeat(np.arange(40), 25)
    correct = (stream.random(1000) < stream.beta(2, 1, size=40)[groups]).astype(float)
    by_group, by_row = bootstrap_mean(correct, groups), bootstrap_mean(correct, np.arange(1000))
    assert by_group.high - by_group.low > 2 * (by_row.high - by_row.low)


def test_interval_of_independent_rows_has_the_normal_width():
    correct = (np.random.default_rng(9).random(1000) < 0.8).astype(float)
    found = bootstrap_mean(correct, np.arange(1000))
    # A width from 2,000 resamples has a relative error of about 3 %.
    assert found.high - found.low == pytest.approx(2 * 1.96 * correct.std() / np.sqrt(1000), rel=0.1)


def simulate_coverage(by_group, repeats=400):
    stream = np.random.default_rng(10)
    groups = np.repeat(np.arange(60), 10)
    covered = 0
    for seed in range(repeats):
        correct = (stream.random(600) < stream.beta(8, 2, size=60)[groups]).astype(float)
        found = bootstrap_mean(correct, groups if by_group else np.arange(600), seed)
        covered += found.low <= 0.8 <= found.high
    return covered / repeats


def test_interval_over_groups_covers_the_truth_95_times_in_100(few_resamples):
    # Standard error of the share .011; 60 groups lose about one point of coverage.
    assert 0.91 <= simulate_coverage(by_group=True) <= 0.98


def test_interval_over_rows_covers_the_truth_too_seldom(monkeypatch):
    monkeypatch.setattr(interval, "RESAMPLES", 100)
    assert simulate_coverage(by_group=False, repeats=150) < 0.91


@pytest.mark.parametrize("chunk_values", [1, NUM_GROUPS * 7, NUM_GROUPS * 199, NUM_GROUPS * 200])
def test_chunks_do_not_change_the_resamples(few_resamples, monkeypatch, chunk_values):
    sums = np.random.default_rng(11).normal(size=(2, 3, NUM_GROUPS))
    expected = resample_sums(sums, seed=1)
    monkeypatch.setattr(interval, "CHUNK_VALUES", chunk_values)
    # Products of other shapes may add in another order.
    assert np.allclose(resample_sums(sums, seed=1), expected, rtol=0, atol=1e-12)
    assert expected.shape == (2, 3, 200)


def test_one_seed_draws_the_same_groups_for_every_curve():
    sums = np.random.default_rng(12).normal(size=(3, NUM_GROUPS))
    together = resample_sums(sums, seed=2)
    assert all(np.allclose(resample_sums(one, seed=2), part) for one, part in zip(sums, together, strict=True))
    assert not np.allclose(resample_sums(sums, seed=3), together)


def test_one_group_has_a_value_and_no_interval():
    found = bootstrap_mean(np.array([1.0, 0.0, 1.0, 1.0]), np.zeros(4, dtype=np.int64))
    assert found.value == 0.75
    assert np.isnan([found.low, found.high]).all()


def test_resamples_that_are_not_numbers_are_left_out():
    known = np.linspace(0, 1, 101)
    found = percentile_interval(0.5, np.concatenate([known, [np.nan, np.inf]]))
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))


def test_bounds_without_resamples_are_not_numbers():
    found = percentile_interval(0.5, np.full(3, np.nan))
    assert found.value == 0.5
    assert np.isnan([found.low, found.high]).all()


def test_detectable_difference_is_found_with_power_80():
    stream = np.random.default_rng(13)
    error = 0.01
    difference = detectable_difference(stream.normal(0, error, size=4000))
    observed = stream.normal(difference, error, size=4000)
    # Standard error of the share .006, and 1 % of the difference itself.
    assert np.mean(np.abs(observed) > 1.96 * error) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("resampled", [[], [0.1], [np.nan, np.nan, 0.1]])
def test_detectable_difference_of_fewer_than_two_resamples_is_not_a_number(resampled):
    assert np.isnan(detectable_difference(np.array(resampled)))


def test_mean_of_a_resample_is_that_of_the_examples_of_the_groups_drawn():
    stream = np.random.default_rng(1)
    groups, values = stream.integers(0, 6, 40), stream.normal(size=(2, 40))
    found = resample_means(values, groups, seed=3)
    draws = np.concatenate(list(resample_groups(int(groups.max()) + 1, seed=3)))
    for number in (0, 7, 1999):
        counted = draws[number][groups]
        np.testing.assert_allclose(found[:, number], (values * counted).sum(axis=1) / counted.sum())


def test_mean_of_a_resample_without_examples_is_none():
    """Two groups of which one has all examples: a quarter of the resamples draw only the other."""
    found = resample_means(np.ones((1, 3)), np.array([1, 1, 1]), seed=0)
    assert 0.2 < np.isnan(found).mean() < 0.3
    assert set(found[np.isfinite(found)]) == {1.0}


def test_power_is_against_the_best_curve_and_for_this_one_against_the_next():
    stream = np.random.default_rng(0)
    common, own = stream.normal(size=2000), stream.normal(size=(3, 2000))
    resampled = common + own * np.array([[0.1], [0.2], [0.3]])
    found = detectable_from_best(np.array([0.2, 0.9, 0.5]), resampled)
    pairs = [(0, 1), (1, 2), (2, 1)]
    assert found == [detectable_difference(resampled[one] - resampled[other]) for one, other in pairs]
    assert found[0] < found[2]
    assert detectable_from_best(np.array([0.2]), resampled[:1]) == [None]
