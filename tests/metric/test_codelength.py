"""Numbers made of code lengths, by hand."""

import numpy as np
import pytest
from scipy.stats import entropy

from probes.metric.codelength import compression, entropy_bits, sample_complexity, surplus_bits

PORTIONS, SIZES = np.array([2.0, 1.0, 0.4, 0.1]), np.array([10, 20, 30, 40])


def test_entropy_is_that_of_scipy():
    labels = np.random.default_rng(0).integers(0, 7, 500) ** 2 % 7
    assert entropy_bits(labels) == pytest.approx(entropy(np.bincount(labels), base=2), rel=1e-12)
    assert entropy_bits(np.zeros(9, dtype=int)) == 0


def test_compression_is_one_for_the_code_it_is_compared_with():
    assert compression(1000 * np.log2(17), 1000, float(np.log2(17))) == pytest.approx(1)


@pytest.mark.parametrize(("tolerated", "bits"), [(0.0, 20 + 20 + 12 + 4), (0.4, 16 + 12), (1.0, 10), (2.0, 0)])
def test_surplus_counts_what_is_above(tolerated, bits):
    assert surplus_bits(PORTIONS, SIZES, tolerated) == pytest.approx(bits)


@pytest.mark.parametrize(("tolerated", "examples"), [(2.0, 0), (1.0, 10), (0.4, 30), (0.2, 60)])
def test_sample_complexity_is_what_came_before_the_first_cheap_portion(tolerated, examples):
    assert sample_complexity(PORTIONS, SIZES, tolerated) == examples


def test_sample_complexity_is_undefined_where_no_portion_is_cheap():
    assert np.isnan(sample_complexity(PORTIONS, SIZES, 0.05))
