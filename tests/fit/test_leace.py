"""LEACE: what it promises, what it leaves alone, and states that break a careless whitening."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from probes.errors import FitError
from probes.fit import leace
from probes.fit.leace import Eraser, Moments, erase_labels, erase_random, measure_moments, whiten
from tests.reference import erasure as reference


def draw(num_rows: int, dim: int, num_labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated states around a mean, moved by their label; labels of unequal shares."""
    stream = np.random.default_rng(seed)
    shares = np.arange(num_labels, 0, -1) / np.arange(1, num_labels + 1).sum()
    labels = stream.choice(num_labels, size=num_rows, p=shares)
    mixing = np.eye(dim) + stream.normal(size=(dim, dim)) / np.sqrt(dim)
    states = stream.normal(size=(num_rows, dim)) @ mixing + stream.normal(size=(num_labels, dim))[labels]
    return states * np.exp(stream.normal(size=dim)) + 5, labels


def moments_of(states: np.ndarray, labels: np.ndarray) -> Moments:
    return measure_moments(states, np.arange(len(states)), labels, num_labels=int(labels.max()) + 1)


def fit(states: np.ndarray, labels: np.ndarray) -> Eraser:
    moments = moments_of(states, labels)
    return erase_labels(whiten(moments), moments)


def apply(eraser: Eraser, states: np.ndarray) -> np.ndarray:
    return eraser(torch.from_numpy(states)).numpy()


def covariance_with_labels(states: np.ndarray, labels: np.ndarray) -> np.ndarray:
    hot = np.eye(labels.max() + 1)[labels]
    return (states - states.mean(axis=0)).T @ (hot - hot.mean(axis=0)) / len(states)


def probe(states: np.ndarray, labels: np.ndarray) -> tuple[LogisticRegression, np.ndarray]:
    """A linear probe all but without a penalty, and the standardised states that it reads."""
    features = (states - states.mean(axis=0)) / np.where(states.std(axis=0) > 0, states.std(axis=0), 1)
    return LogisticRegression(C=1e6, max_iter=2000).fit(features, labels), features


@pytest.mark.parametrize(("dim", "num_labels"), [(6, 2), (12, 3), (9, 5)])
def test_erased_states_are_those_of_the_slow_formula(dim, num_labels):
    states, labels = draw(3_000, dim, num_labels)
    assert np.allclose(apply(fit(states, labels), states), reference.erase(states, labels), atol=1e-9)


@pytest.mark.parametrize("num_labels", [2, 4])
def test_no_linear_probe_beats_the_majority_on_the_erased_rows(num_labels):
    states, labels = draw(2_000, 8, num_labels)
    before, features = probe(states, labels)
    assert before.score(features, labels) > np.bincount(labels).max() / len(labels) + 0.1
    erased = apply(fit(states, labels), states)
    assert np.abs(covariance_with_labels(erased, labels)).max() < 1e-12
    after, features = probe(erased, labels)
    assert np.abs(after.coef_).max() < 1e-4
    assert after.score(features, labels) == np.bincount(labels).max() / len(labels)


def test_a_planted_direction_goes_and_the_orthogonal_complement_stays():
    stream = np.random.default_rng(0)
    direction = stream.normal(size=6)
    labels = (stream.random(1_000) < 0.3).astype(np.int64)
    noise = stream.normal(size=(1_000, 6))
    hot = np.stack([labels, np.ones(1_000)], axis=1).astype(float)
    noise -= hot @ np.linalg.lstsq(hot, noise, rcond=None)[0]  # no label has another mean
    states = noise + labels[:, None] * direction
    change = apply(fit(states, labels), states) - states
    along = np.outer(change @ direction, direction) / (direction @ direction)
    assert np.abs(change).max() > 0.1
    assert np.allclose(change, along, atol=1e-12)


@pytest.mark.parametrize("num_labels", [2, 3, 6])
def test_rank_is_one_less_than_the_labels(num_labels):
    assert fit(*draw(2_000, 10, num_labels)).rank == num_labels - 1


def test_a_label_without_rows_asks_for_nothing():
    states, labels = draw(2_000, 6, 3)
    moments = measure_moments(states, np.arange(2_000), labels, num_labels=5)
    eraser = erase_labels(whiten(moments), moments)
    assert eraser.rank == 2
    assert np.allclose(apply(eraser, states), reference.erase(states, labels), atol=1e-9)


def test_labels_whose_means_are_equal_ask_for_nothing():
    half = np.random.default_rng(0).normal(size=(50, 4))
    states, labels = np.concatenate([half, half]), np.repeat([0, 1], 50)
    eraser = fit(states, labels)
    assert eraser.rank == 0
    assert np.array_equal(apply(eraser, states), states)


def test_a_label_of_three_rows_is_erased_like_any_other():
    states, labels = draw(5_000, 6, 2)
    labels[[10, 200, 3_000]] = 2
    eraser = fit(states, labels)
    assert eraser.rank == 2
    assert np.abs(covariance_with_labels(apply(eraser, states), labels)).max() < 1e-12


def test_labels_as_many_as_dimensions_leave_the_mean_only():
    states, labels = draw(500, 3, 6)
    assert np.allclose(apply(fit(states, labels), states), states.mean(axis=0), atol=1e-9)


def test_erasing_twice_is_erasing_once_and_moves_no_mean():
    states, labels = draw(2_000, 8, 3)
    eraser = fit(states, labels)
    erased = apply(eraser, states)
    assert np.allclose(apply(eraser, erased), erased, atol=1e-10)
    assert np.allclose(erased.mean(axis=0), states.mean(axis=0), atol=1e-10)


def test_an_affine_map_of_the_states_is_that_of_the_erased_states():
    states, labels = draw(2_000, 8, 3)
    turn, shift = np.random.default_rng(1).normal(size=(8, 8)), np.arange(8.0)
    erased = apply(fit(states, labels), states)
    assert np.allclose(
        apply(fit(states @ turn + shift, labels), states @ turn + shift), erased @ turn + shift, atol=1e-7
    )


def test_projection_and_bias_are_the_same_map():
    states, labels = draw(2_000, 8, 3)
    eraser = fit(states, labels)
    assert np.allclose(states @ eraser.projection.numpy().T + eraser.bias.numpy(), apply(eraser, states), atol=1e-10)


def test_states_change_less_than_by_projecting_out_the_difference_of_means():
    states, labels = draw(3_000, 8, 2)
    inverse = np.linalg.inv(np.cov(states.T))
    leace, other = (
        change - states for change in (apply(fit(states, labels), states), reference.project_out(states, labels))
    )
    assert np.abs(covariance_with_labels(states + other, labels)).max() < 1e-10  # it erases too
    for metric in (np.eye(8), inverse):
        assert np.einsum("ni,ij,nj", leace, metric, leace) < 0.9 * np.einsum("ni,ij,nj", other, metric, other)


@pytest.mark.parametrize("seed", range(20))
def test_variance_never_rises_and_what_is_taken_is_counted(seed):
    stream = np.random.default_rng(seed)
    states, labels = draw(int(stream.integers(20, 200)), int(stream.integers(2, 15)), int(stream.integers(2, 6)), seed)
    labels = np.unique(labels, return_inverse=True)[1]
    moments = moments_of(states, labels)
    eraser = erase_labels(whiten(moments), moments)
    before, after = states.var(axis=0).sum(), apply(eraser, states).var(axis=0).sum()
    assert after <= before * (1 + 1e-12)
    assert eraser.removed_share(moments) == pytest.approx(1 - after / before, abs=1e-9)


def test_moments_are_those_of_the_rows_asked_for_in_chunks(monkeypatch):
    states, labels = draw(900, 5, 3)
    rows = np.random.default_rng(2).permutation(900)[:700]
    monkeypatch.setattr(leace, "CHUNK_ROWS", 128)
    found = measure_moments(states, rows, labels[rows], num_labels=3)
    assert np.allclose(found.mean.numpy(), states[rows].mean(axis=0))
    assert np.allclose(found.covariance.numpy(), np.cov(states[rows].T, bias=True))
    assert np.allclose(found.cross.numpy(), covariance_with_labels(states[rows], labels[rows]))
    assert np.allclose(found.shares.numpy(), np.bincount(labels[rows]) / 700)


def test_small_variance_far_from_zero_is_not_lost():
    states, labels = draw(1_000, 5, 2)
    far = states * 1e-3 + 50
    assert np.allclose(apply(fit(far, labels), far) - 50, apply(fit(states, labels), states) * 1e-3, atol=1e-10)


def test_hyperplane_and_dead_dimensions_of_layer_norm():
    states, labels = draw(3_000, 8, 3)
    states -= states.mean(axis=1, keepdims=True)
    noise = np.random.default_rng(3).normal(size=(3_000, 8)) * 1e-7
    states = np.hstack([states + noise, np.full((3_000, 1), 2.5), 1e-9 * (labels[:, None] + noise[:, :1])])
    moments = moments_of(states, labels)
    whitening = whiten(moments)
    assert len(whitening.into) == 7
    assert whitening.into.abs().max() < 1e3
    erased = apply(erase_labels(whitening, moments), states)
    assert np.abs(covariance_with_labels(erased[:, :8], labels)).max() < 1e-8
    assert np.array_equal(erased[:, 8:], states[:, 8:])


def test_states_that_are_all_the_same_stay():
    states, labels = np.full((100, 4), 0.3), np.arange(100) % 2
    moments = moments_of(states, labels)
    eraser = erase_labels(whiten(moments), moments)
    assert (eraser.rank, erase_random(whiten(moments), 1, np.random.default_rng(0)).rank) == (0, 0)
    assert np.array_equal(apply(eraser, states), states)
    assert np.isnan(eraser.removed_share(moments)) or eraser.removed_share(moments) == 0


def test_fewer_rows_than_dimensions():
    states, labels = draw(20, 40, 2)
    assert np.abs(covariance_with_labels(apply(fit(states, labels), states), labels)).max() < 1e-9


def test_a_random_subspace_erases_nothing_of_the_label():
    states, labels = draw(3_000, 40, 3)
    moments = moments_of(states, labels)
    eraser = erase_random(whiten(moments), 2, np.random.default_rng(0))
    erased = apply(eraser, states)
    assert eraser.rank == 2
    full, features = probe(states, labels)
    kept, after = probe(erased, labels)
    assert kept.score(after, labels) > full.score(features, labels) - 0.05
    assert np.allclose(apply(eraser, erased), erased, atol=1e-9)


def test_a_random_subspace_takes_the_same_share_of_white_coordinates():
    states, labels = draw(3_000, 10, 3)
    whitening = whiten(moments_of(states, labels))
    erased = apply(erase_random(whitening, 4, np.random.default_rng(0)), states)
    white = (erased - states.mean(axis=0)) @ whitening.into.numpy().T
    assert np.allclose(np.linalg.eigvalsh(np.cov(white.T, bias=True)), [0, 0, 0, 0, *[1] * 6], atol=1e-8)


def test_random_subspaces_are_drawn_from_all_directions_alike():
    whitening = whiten(moments_of(*draw(500, 5, 2)))
    stream, total = np.random.default_rng(0), np.zeros((5, 5))
    for _ in range(2_000):
        eraser = erase_random(whitening, 2, stream)
        total += (whitening.into @ eraser.left @ eraser.right @ whitening.out).numpy() / 2_000
    assert np.allclose(total, 2 / 5 * np.eye(5), atol=0.04)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_states_keep_their_type_and_shape(dtype):
    states, labels = draw(500, 6, 2)
    eraser = fit(states, labels)
    given = torch.from_numpy(states[:60]).to(dtype)
    found = eraser(given.reshape(5, 12, 6))
    assert (found.dtype, found.shape) == (dtype, (5, 12, 6))
    exact = apply(eraser, given.double().numpy()).reshape(5, 12, 6)
    assert torch.equal(found, torch.from_numpy(exact).to(dtype)) or torch.allclose(
        found.double(), torch.from_numpy(exact), rtol=2 * torch.finfo(dtype).eps, atol=1e-5
    )


def test_no_examples_are_refused():
    with pytest.raises(FitError) as caught:
        measure_moments(np.zeros((3, 2)), np.arange(0), np.arange(0), num_labels=2)
    assert str(caught.value) == (
        "Moments are those of at least one example, but came none. Check the train split of the task."
    )


def test_a_state_that_is_no_number_is_refused():
    states = np.zeros((5, 2))
    states[3, 1] = np.inf
    with pytest.raises(FitError) as caught:
        measure_moments(states, np.array([0, 3, 4]), np.zeros(3, dtype=np.int64), num_labels=2)
    assert str(caught.value) == (
        "States should be finite numbers, but row 3 has NaN or infinity. Check the cache, or encode again."
    )
