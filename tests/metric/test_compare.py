"""Comparisons of curves: exact where all sign patterns can be enumerated, and right as often as they say."""

import numpy as np
import pytest
from scipy.stats import kstest

from probes.metric import compare
from probes.metric.compare import flip_signs, max_t, may_be_best
from tests.reference.permutation import enumerate_p_values, enumerate_signs


@pytest.fixture
def few_flips(monkeypatch):
    monkeypatch.setattr(compare, "FLIPS", 400)


def layers_and_groups(seed, num_layers=4, num_groups=9, shift=0.0):
    """Summed differences that share the difficulty of a group, as layers of one encoder do."""
    stream = np.random.default_rng(seed)
    shared = stream.normal(size=(1, num_groups))
    return shared + stream.normal(size=(num_layers, num_groups)) + shift


def test_first_pattern_of_signs_is_the_data_as_it_came():
    signs = flip_signs(30, seed=0)
    assert signs.shape == (10_001, 30)
    assert (signs[0] == 1).all()
    assert set(np.unique(signs)) == {-1.0, 1.0}
    # Standard error of a column's mean is .01.
    assert np.abs(signs[1:].mean(axis=0)).max() < 0.05


def test_signs_depend_on_the_seed_alone():
    assert np.array_equal(flip_signs(8, seed=4), flip_signs(8, seed=4))
    assert not np.array_equal(flip_signs(8, seed=4), flip_signs(8, seed=5))


@pytest.mark.parametrize("shift", [0.0, 0.6, 1.5])
def test_p_values_equal_enumeration_within_monte_carlo_error(shift):
    sums = layers_and_groups(1, shift=shift)
    expected = enumerate_p_values(sums)
    found = max_t(sums, flip_signs(9, seed=0))
    # 10,000 flips have a standard error of at most .005.
    assert np.allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("shift", [0.0, 0.6, 1.5])
def test_p_values_equal_enumeration_exactly_on_the_same_signs(shift):
    sums = layers_and_groups(2, shift=shift)
    found = max_t(sums, enumerate_signs(9).astype(np.float32))
    assert np.allclose(found, enumerate_p_values(sums), rtol=0, atol=1e-12)


def test_adjusted_p_values_are_never_below_raw_ones():
    for seed in range(20):
        raw, adjusted = max_t(layers_and_groups(seed, shift=0.3), flip_signs(9, seed=seed))
        assert (adjusted >= raw).all()


def test_one_layer_needs_no_adjustment():
    raw, adjusted = max_t(layers_and_groups(3, num_layers=1, shift=0.5), flip_signs(9, seed=0))
    assert np.array_equal(raw, adjusted)


def test_p_values_do_not_depend_on_which_curve_comes_first():
    sums, signs = layers_and_groups(4, shift=0.5), flip_signs(9, seed=0)
    assert np.array_equal(max_t(sums, signs), max_t(-sums, signs))


def test_p_values_do_not_depend_on_the_scale_of_a_layer():
    sums, signs = layers_and_groups(5, shift=0.5), flip_signs(9, seed=0)
    # Powers of two scale without rounding.
    assert np.array_equal(max_t(sums, signs), max_t(sums * np.array([[1], [4], [64], [0.5]]), signs))


def test_identical_curves_have_p_one():
    raw, adjusted = max_t(np.zeros((3, 10)), flip_signs(10, seed=0))
    assert raw.tolist() == adjusted.tolist() == [1, 1, 1]


def test_a_layer_without_difference_leaves_the_others_as_they_are():
    sums, signs = layers_and_groups(6, shift=1.0), flip_signs(9, seed=0)
    raw, adjusted = max_t(np.vstack([sums, np.zeros((1, 9))]), signs)
    assert np.array_equal(np.stack([raw, adjusted])[:, :4], max_t(sums, signs))
    assert (raw[4], adjusted[4]) == (1, 1)


def test_a_planted_difference_is_found_at_its_layer_alone():
    sums = np.random.default_rng(7).normal(size=(5, 60))
    sums[2] += 1.0
    _, adjusted = max_t(sums, flip_signs(60, seed=0))
    assert adjusted[2] == pytest.approx(1 / 10_001)
    assert np.delete(adjusted, 2).min() > 0.05


def test_raw_p_values_are_uniform_when_there_is_no_difference(few_flips):
    found = [max_t(layers_and_groups(seed, 1, 20), flip_signs(20, seed))[0][0] for seed in range(300)]
    assert kstest(found, "uniform").pvalue > 0.01


def test_adjusted_p_values_keep_the_familywise_error(few_flips):
    smallest = [max_t(layers_and_groups(seed, 6, 20), flip_signs(20, seed))[1].min() for seed in range(300)]
    # Standard error .013; max-T is exact, so the share is not far below the level either.
    assert 0.02 <= np.mean(np.array(smallest) <= 0.05) <= 0.09


def correct_sums(seed, lead, num_groups=40, size=30):
    """Sums of correct answers; each layer answers right with probability .7 plus its lead."""
    stream = np.random.default_rng(seed)
    ease = stream.normal(0, 0.05, size=num_groups)
    return stream.binomial(size, np.clip(0.7 + np.array(lead)[:, None] + ease, 0, 1)).astype(float)


def test_a_clear_winner_is_kept_alone():
    kept = may_be_best(correct_sums(0, [-0.2, 0.0, 0.15, -0.1]), flip_signs(40, seed=0))
    assert kept.tolist() == [False, False, True, False]


def test_layers_that_answer_alike_are_all_kept():
    sums = np.repeat(correct_sums(1, [0.0]), 5, axis=0)
    assert may_be_best(sums, flip_signs(40, seed=0)).all()


def test_one_layer_is_kept():
    assert may_be_best(correct_sums(2, [0.0]), flip_signs(40, seed=0)).tolist() == [True]


def test_two_equal_winners_are_kept_and_the_rest_left_out():
    kept = may_be_best(correct_sums(3, [0.1, -0.15, 0.1]), flip_signs(40, seed=0))
    assert kept.tolist() == [True, False, True]


def test_the_layer_with_most_correct_answers_is_always_kept(few_flips):
    for seed in range(30):
        sums = correct_sums(seed, [0.0, 0.02, 0.04, 0.0])
        assert may_be_best(sums, flip_signs(40, seed))[sums.sum(axis=1).argmax()]


def test_kept_layers_follow_their_rows():
    sums, order = correct_sums(4, [-0.1, 0.0, 0.03, 0.02]), [2, 0, 3, 1]
    signs = flip_signs(40, seed=0)
    assert np.array_equal(may_be_best(sums[order], signs), may_be_best(sums, signs)[order])


def test_a_best_layer_is_left_out_at_most_five_times_in_100(few_flips):
    # The hardest case: every other layer is as good. Standard error .013.
    left_out = [not may_be_best(correct_sums(seed, [0.0] * 6), flip_signs(40, seed))[0] for seed in range(300)]
    assert np.mean(left_out) <= 0.09
