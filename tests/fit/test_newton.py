"""The exact solver against scikit-learn and Newton by hand, on inputs that break a careless one."""

import numpy as np
import pytest
import torch

from probes.errors import FitError
from probes.fit import block, read, search
from probes.fit.feature import FeatureStatistics, measure_features
from probes.fit.newton import NewtonSettings, Solution, solve_logistic
from probes.fit.read import SplitRows
from tests.reference.linear import minimise, objective, standardise

EXACT = NewtonSettings(tolerance=1e-12, low_precision=False)


def draw_states(num_rows: int, dim: int, seed: int = 0) -> np.ndarray:
    """Correlated states of unequal scales around a mean."""
    stream = np.random.default_rng(seed)
    mixing = np.eye(dim) + stream.normal(size=(dim, dim)) / np.sqrt(dim)
    states = stream.normal(size=(num_rows, dim)) @ mixing * np.exp(stream.normal(size=dim)) + stream.normal(size=dim)
    return states.astype(np.float32)


def draw_labels(states: np.ndarray, num_labels: int, *, seed: int = 1, rare: float = 0.0) -> np.ndarray:
    """Labels drawn from a softmax of the states; the last one gets a share of the rows, or its own score."""
    stream = np.random.default_rng(seed)
    features = standardise(states, states)
    scores = features @ stream.normal(size=(states.shape[1], num_labels)) / 2 + stream.gumbel(
        size=(len(states), num_labels)
    )
    if rare:
        scores[:, -1] -= np.quantile(scores[:, -1] - scores[:, :-1].max(axis=1), 1 - rare)
    return scores.argmax(axis=1)


def as_rows(*layers: np.ndarray) -> tuple[SplitRows, FeatureStatistics]:
    rows = SplitRows(layers, np.arange(len(layers[0]))[:, None])
    return rows, measure_features(rows, seed=0)


def solve(states: np.ndarray, *labels: np.ndarray, l2, num_labels: int, settings=None, **given) -> Solution:
    rows, statistics = as_rows(states)
    targets = torch.from_numpy(np.stack(labels))
    return solve_logistic(rows, 0, statistics, targets, num_labels, l2=l2, settings=settings, **given)


def value_of(solution: Solution, states: np.ndarray, labels: np.ndarray, l2: float, place=(0, 0)) -> float:
    """The objective of returned weights on features that were standardised apart, in float64."""
    weights, bias = solution.weights[place].numpy().T, solution.bias[place].numpy()
    return objective(standardise(states, states), labels, weights, np.asarray(bias), l2)


def reference(states: np.ndarray, labels: np.ndarray, l2: float) -> float:
    """scikit-learn's minimum; for two labels it fits one vector w, which two outputs share as +w/2 and -w/2."""
    features = standardise(states, states)
    is_binary = labels.max() == 1
    fitted = minimise(features, labels, l2 / 2 if is_binary else l2)
    weights, bias = fitted.coef_.T, np.asarray(fitted.intercept_)
    if is_binary:
        weights, bias = np.hstack([-weights, weights]) / 2, np.array([-bias[0], bias[0]]) / 2
    return objective(features, labels, weights, bias, l2)


def newton_by_hand(states: np.ndarray, labels: np.ndarray, num_labels: int, l2: float) -> float:
    """The minimum by full Newton steps with the whole Hessian, float64."""
    X = torch.from_numpy(np.hstack([standardise(states, states), np.ones((len(states), 1))]))
    y = torch.from_numpy(labels)
    penalty = torch.full((X.shape[1],), l2, dtype=torch.float64)
    penalty[-1] = 0

    def value(flat: torch.Tensor) -> torch.Tensor:
        weights = flat.view(X.shape[1], num_labels)
        loss = torch.nn.functional.cross_entropy(X @ weights, y)
        return loss + (penalty[:, None] * weights.square()).sum() / 2

    flat = torch.zeros(X.shape[1] * num_labels, dtype=torch.float64)
    for _ in range(12):
        gradient = torch.func.grad(value)(flat)
        hessian = torch.func.hessian(value)(flat)
        flat = flat - torch.linalg.pinv(hessian, hermitian=True) @ gradient
    assert torch.func.grad(value)(flat).abs().max() < 1e-12
    return float(value(flat))


@pytest.mark.parametrize(
    ("num_rows", "dim", "num_labels", "l2"),
    [(20_000, 12, 6, 1e-4), (3_000, 12, 5, 1e-3), (2_000, 8, 2, 1e-4), (40, 30, 3, 1e-2), (2, 3, 2, 1e-1)],
)
def test_objective_is_scikit_learns_at_convergence(num_rows, dim, num_labels, l2):
    states = draw_states(num_rows, dim)
    labels = draw_labels(states, num_labels) if num_rows > 2 else np.array([0, 1])
    solution = solve(states, labels, l2=[l2], num_labels=num_labels)
    best = reference(states, labels, l2)
    assert value_of(solution, states, labels, l2) == pytest.approx(best, rel=1e-5)
    assert float(solution.objective) == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("sample_rows", [4_000, 32_768])
def test_a_class_of_one_row_in_a_thousand_is_fitted(sample_rows, monkeypatch):
    monkeypatch.setattr(search, "SAMPLE_ROWS", sample_rows)
    states = draw_states(20_000, 6)
    labels = draw_labels(states, 3, rare=0.001)
    assert np.bincount(labels)[-1] == 20
    solution = solve(states, labels, l2=[1e-5], num_labels=3)
    assert value_of(solution, states, labels, 1e-5) == pytest.approx(reference(states, labels, 1e-5), rel=1e-5)


def test_a_label_without_rows_changes_nothing():
    states = draw_states(500, 6)
    labels = draw_labels(states, 3)
    with_spare = solve(states, labels, l2=[1e-3], num_labels=4)
    without = solve(states, labels, l2=[1e-3], num_labels=3)
    torch.testing.assert_close(with_spare.objective, without.objective, rtol=1e-5, atol=0)
    assert with_spare.bias[0, 0, 3] < with_spare.bias[0, 0, :3].min() - 10


def test_one_label_only_costs_nothing():
    solution = solve(draw_states(50, 4), np.zeros(50, dtype=np.int64), l2=[1e-3], num_labels=1)
    assert float(solution.objective) == 0
    assert not solution.weights.any()


def test_dead_dimension_has_no_weight():
    states = draw_states(2_000, 8)
    labels = draw_labels(states, 3)
    states[:, 3] = 7.25
    solution = solve(states, labels, l2=[1e-4], num_labels=3)
    assert not solution.weights[..., 3].any()
    assert value_of(solution, states, labels, 1e-4) == pytest.approx(reference(states, labels, 1e-4), rel=1e-5)


def test_hyperplane_of_layer_norm_is_no_obstacle():
    states = draw_states(3_000, 10)
    states -= states.mean(axis=1, keepdims=True)
    labels = draw_labels(states, 5)
    solution = solve(states, labels, l2=[1e-5], num_labels=5)
    assert value_of(solution, states, labels, 1e-5) == pytest.approx(reference(states, labels, 1e-5), rel=1e-5)


@pytest.mark.parametrize("low_precision", [False, True])
def test_objective_is_that_of_newton_by_hand(low_precision):
    states = draw_states(400, 6)
    labels = draw_labels(states, 3)
    settings = NewtonSettings(tolerance=1e-10, low_precision=low_precision)
    solution = solve(states, labels, l2=[1e-3], num_labels=3, settings=settings)
    assert float(solution.objective) == pytest.approx(newton_by_hand(states, labels, 3, 1e-3), abs=1e-8)


def test_many_at_once_are_each_alone():
    states = draw_states(2_000, 8)
    targets = [draw_labels(states, 4, seed=seed) for seed in (1, 2, 3)]
    penalties = (1e-4, 1e-2, 1e-3)
    together = solve(states, *targets, l2=penalties, num_labels=4, settings=EXACT)
    for place, l2 in enumerate(penalties):
        for target, labels in enumerate(targets):
            alone = solve(states, labels, l2=[l2], num_labels=4, settings=EXACT)
            torch.testing.assert_close(together.weights[place, target], alone.weights[0, 0], atol=1e-4, rtol=0)
            torch.testing.assert_close(together.bias[place, target], alone.bias[0, 0], atol=1e-4, rtol=0)


def test_a_penalty_may_belong_to_one_target():
    states = draw_states(1_000, 6)
    labels = draw_labels(states, 3)
    mixed = solve(states, labels, labels, l2=torch.tensor([[1e-2, 1e-4], [1e-3, 1e-1]]), num_labels=3, settings=EXACT)
    plain = solve(states, labels, l2=[1e-2, 1e-3, 1e-4, 1e-1], num_labels=3, settings=EXACT)
    torch.testing.assert_close(mixed.objective.flatten(), plain.objective[[0, 2, 1, 3], 0], atol=1e-9, rtol=0)


def test_gap_is_the_distance_to_the_optimum():
    states = draw_states(3_000, 8)
    labels = draw_labels(states, 4)
    best = float(solve(states, labels, l2=[1e-4], num_labels=4, settings=EXACT).objective)
    early = solve(states, labels, l2=[1e-4], num_labels=4, settings=NewtonSettings(max_iterations=1))
    above = float(early.objective) - best
    assert above > 1e-4
    assert 0.5 * above < float(early.gap) < 2 * above


def test_gap_from_a_sample_is_that_from_all_rows(monkeypatch):
    states = draw_states(20_000, 8)
    labels = draw_labels(states, 4)
    best = float(solve(states, labels, l2=[1e-4], num_labels=4, settings=EXACT).objective)
    monkeypatch.setattr(search, "SAMPLE_ROWS", 2_000)
    loose = solve(states, labels, l2=[1e-4], num_labels=4, settings=NewtonSettings(tolerance=1e-3))
    assert 0.7 < float(loose.gap) / (float(loose.objective) - best) < 1.5
    exact = solve(states, labels, l2=[1e-4], num_labels=4)
    assert float(exact.objective) == pytest.approx(best, rel=1e-5)


def test_blocks_change_only_the_way(monkeypatch):
    states = draw_states(3_000, 8)
    labels = [draw_labels(states, 5, seed=seed) for seed in (1, 2)]
    without = solve(states, *labels, l2=[1e-3, 1e-6], num_labels=5, settings=EXACT)
    built = []
    monkeypatch.setattr(search, "SLOW_PRODUCTS", 0)
    monkeypatch.setattr(search, "invert_blocks", lambda *given: built.append(1) or block.invert_blocks(*given))
    with_blocks = solve(states, *labels, l2=[1e-3, 1e-6], num_labels=5, settings=EXACT)
    assert len(built) > 4
    torch.testing.assert_close(with_blocks.objective, without.objective, atol=1e-9, rtol=0)


def test_random_labels_end_near_the_entropy_of_their_shares():
    states = draw_states(5_000, 8)
    labels = np.random.default_rng(3).choice(3, size=5_000, p=[0.5, 0.3, 0.2])
    shares = np.bincount(labels) / len(labels)
    solution = solve(states, labels, l2=[1e-3], num_labels=3)
    entropy = -(shares * np.log(shares)).sum()
    assert entropy - 0.005 < float(solution.objective) < entropy


def test_order_of_rows_does_not_matter():
    states = draw_states(2_000, 8)
    labels = draw_labels(states, 4)
    order = np.random.default_rng(2).permutation(len(states))
    one = solve(states, labels, l2=[1e-4], num_labels=4, settings=EXACT)
    other = solve(states[order], labels[order], l2=[1e-4], num_labels=4, settings=EXACT)
    torch.testing.assert_close(one.objective, other.objective, atol=1e-9, rtol=0)


def test_size_of_chunks_does_not_matter(monkeypatch):
    states = draw_states(2_000, 8)
    labels = draw_labels(states, 4)
    (rows, statistics), targets = as_rows(states), torch.from_numpy(labels)[None]
    one = solve_logistic(rows, 0, statistics, targets, 4, l2=[1e-4], settings=EXACT)
    monkeypatch.setattr(read, "CHUNK_ROWS", 333)
    other = solve_logistic(rows, 0, statistics, targets, 4, l2=[1e-4], settings=EXACT)
    torch.testing.assert_close(one.objective, other.objective, atol=1e-9, rtol=0)


def test_mapped_float16_states_are_read_where_they_lie(tmp_path):
    states = draw_states(3_000, 8).astype(np.float16)
    mapped = np.memmap(tmp_path / "states", dtype=np.float16, mode="w+", shape=states.shape)
    mapped[:] = states
    mapped.flush()
    labels = draw_labels(states, 3)
    solution = solve(
        np.memmap(tmp_path / "states", np.float16, "r", shape=states.shape), labels, l2=[1e-4], num_labels=3
    )
    assert value_of(solution, states, labels, 1e-4) == pytest.approx(reference(states, labels, 1e-4), rel=1e-5)


def test_layer_and_rows_are_those_asked_for():
    states = draw_states(2_000, 8)
    labels = draw_labels(states, 3)
    chosen = np.random.default_rng(4).permutation(2_000)[:900]
    rows = SplitRows([np.zeros_like(states), states], chosen[:, None])
    targets = torch.from_numpy(labels[chosen])[None]
    solution = solve_logistic(rows, 1, measure_features(rows, seed=0), targets, 3, l2=[1e-3])
    assert float(solution.objective) == pytest.approx(reference(states[chosen], labels[chosen], 1e-3), rel=1e-5)


def test_a_solution_is_a_start_that_needs_one_look():
    states = draw_states(2_000, 8)
    labels = draw_labels(states, 3)
    first = solve(states, labels, l2=[1e-4], num_labels=3)
    again = solve(states, labels, l2=[1e-4], num_labels=3, start=(first.weights[0], first.bias[0]))
    torch.testing.assert_close(again.objective, first.objective, rtol=1e-5, atol=0)
    assert again.passes < first.passes


def test_same_seed_same_numbers(monkeypatch):
    monkeypatch.setattr(search, "SAMPLE_ROWS", 500)
    states = draw_states(2_000, 8)
    labels = draw_labels(states, 3)
    one, two = (solve(states, labels, l2=[1e-4], num_labels=3) for _ in range(2))
    assert torch.equal(one.weights, two.weights)
    other = solve(states, labels, l2=[1e-4], num_labels=3, settings=NewtonSettings(seed=1))
    assert not torch.equal(one.weights, other.weights)


def test_no_finite_optimum_ends_with_what_there_is():
    states = draw_states(200, 3)
    labels = (states[:, 0] > states[:, 0].mean()).astype(np.int64)
    solution = solve(states, labels, l2=[0.0], num_labels=2, settings=NewtonSettings(max_iterations=8))
    assert torch.isfinite(solution.weights).all()
    assert float(solution.gap) > 1e-5 * float(solution.objective)


@pytest.mark.parametrize("wrong", [-1, 3])
def test_labels_beyond_the_outputs_are_refused(wrong):
    states = draw_states(10, 3)
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, wrong])
    with pytest.raises(FitError) as caught:
        solve(states, np.abs(labels) % 3, labels, l2=[1e-3], num_labels=3)
    assert str(caught.value) == (
        f"Labels should be 0 to 2, but target 1 of layer 0 has {min(wrong, 0)} to {max(wrong, 2)}. "
        f"Number the labels of the task from 0, or ask for more outputs."
    )


def test_no_rows_are_refused():
    rows, statistics = as_rows(draw_states(10, 3))
    empty = SplitRows(rows.layers, rows.index[:0])
    with pytest.raises(FitError) as caught:
        solve_logistic(empty, 0, statistics, torch.zeros((1, 0), dtype=torch.long), 2, l2=[1e-3])
    assert str(caught.value) == (
        "A fit needs at least one training row, but layer 0 got none. "
        "Check the train split of the task, or the portion of it that is fitted."
    )
