"""How complex a fitted probe is: known weights, and probes whose rank is limited."""

import numpy as np
import pytest

from probes.errors import FitError
from probes.fit.complexity import count_parameters, linear_weights, nuclear_norm, weight_rank
from tests.fit.conftest import NUM_LABELS, fit_states, one_penalty

DIMS = 8


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, DIMS * NUM_LABELS + NUM_LABELS),
        ({"rank": 2}, 2 * DIMS + 2 * NUM_LABELS + NUM_LABELS),
        ({"probe": "mlp", "hidden": (5,)}, 5 * DIMS + 5 + 5 * NUM_LABELS + NUM_LABELS),
        ({"probe": "mlp", "hidden": (5, 4)}, 5 * DIMS + 5 + 5 * 4 + 4 + 4 * NUM_LABELS + NUM_LABELS),
    ],
    ids=["linear", "rank", "mlp-1", "mlp-2"],
)
def test_parameters_are_those_of_one_probe(settings, expected, states, planted, tmp_path):
    probes = fit_states(tmp_path, states, planted, planted, config=one_penalty(1e-4, **settings))
    assert count_parameters(probes) == expected


def test_weights_are_those_that_the_logits_are_made_with(states, planted, tmp_path):
    for settings in ({}, {"rank": 2}):
        probes = fit_states(tmp_path, states, planted, config=one_penalty(1e-4, **settings))
        features = (states["test"][1][:5] - probes.mean[1]) * probes.inverse_std[1]
        bias = next(value for name, value in probes.parameters.items() if "bias" in name)[1, 0, :, 0]
        expected = features @ linear_weights(probes)[1].T + bias
        np.testing.assert_allclose(probes.logits(states["test"][1][:5], 1)[:, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 2])
def test_rank_of_the_weights_is_the_limit(rank, states, planted, tmp_path):
    probes = fit_states(tmp_path, states, planted, config=one_penalty(1e-4, rank=rank))
    assert weight_rank(linear_weights(probes)).tolist() == [rank] * 3


def test_rank_and_norm_by_hand():
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    weights = rotation @ np.diag([5.0, 2.0, 1e-12]) @ rotation.T
    assert weight_rank(weights[None]).tolist() == [2]
    assert nuclear_norm(weights[None]) == pytest.approx([7.0])
    assert weight_rank(np.zeros((1, 2, 3))).tolist() == [0]


def test_mlp_has_no_one_matrix(states, planted, tmp_path):
    probes = fit_states(tmp_path, states, planted, config=one_penalty(1e-4, probe="mlp", hidden=(3,)))
    with pytest.raises(FitError) as caught:
        linear_weights(probes)
    assert str(caught.value) == (
        "A linear probe has one matrix of weights, but this is 'mlp'. Use the number of its parameters."
    )
