"""Scores of trees: equal to slow ones, and the traps of each."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from probes.metric.tree import (
    chain_distances,
    count_edges,
    distance_spearman,
    find_roots,
    has_choice_of_root,
    macro_over_lengths,
    spearman,
    tree_depths,
    tree_distances,
)
from tests.reference.tree import find_edges, row_correlations, walk_distances
from tests.trees import random_heads

LENGTHS = [2, 3, 7, 16]


def draw_trees(num_words: int, size: int = 6, seed: int = 0) -> np.ndarray:
    """Heads [sentence, word] as places, -1 for the root."""
    stream = np.random.default_rng([seed, num_words])
    return np.array([random_heads(stream, num_words) for _ in range(size)]) - 1


def draw_distances(heads: np.ndarray, curves: int = 3, seed: int = 0) -> np.ndarray:
    """Symmetric distances with many ties, zeros among them."""
    num_sentences, num_words = heads.shape
    drawn = np.random.default_rng(seed).integers(0, 6, size=(curves, num_sentences, num_words, num_words)) / 2
    distances = np.triu(drawn, k=1)
    return distances + distances.swapaxes(2, 3)


def draw_scored(heads: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(heads.shape) < 0.8


@pytest.mark.parametrize("num_words", [1, *LENGTHS])
def test_distances_and_depths_are_those_of_a_walk(num_words):
    heads = draw_trees(num_words)
    distances, depths = tree_distances(heads), tree_depths(heads)
    for one, distance, depth in zip(heads.tolist(), distances, depths, strict=True):
        np.testing.assert_array_equal(distance, walk_distances(one))
        np.testing.assert_array_equal(depth, walk_distances(one)[one.index(-1)])


def test_a_chain_of_a_hundred_words_is_measured():
    heads = np.arange(100)[None] - 1
    np.testing.assert_array_equal(tree_distances(heads)[0], chain_distances(100))
    np.testing.assert_array_equal(tree_depths(heads)[0], np.arange(100))


@pytest.mark.parametrize("num_words", LENGTHS)
@pytest.mark.parametrize("has_punctuation", [True, False])
def test_edges_found_are_those_of_kruskal(num_words, has_punctuation):
    heads = draw_trees(num_words)
    is_scored = np.ones(heads.shape, dtype=bool) if has_punctuation else draw_scored(heads)
    distances = draw_distances(heads)
    found, total = count_edges(distances, heads, is_scored)
    for curve, sentence in np.ndindex(found.shape):
        expected = find_edges(distances[curve, sentence], heads[sentence].tolist(), is_scored[sentence].tolist())
        assert (found[curve, sentence], total[sentence]) == expected


@pytest.mark.parametrize("num_words", LENGTHS)
def test_the_distances_of_the_tree_find_every_edge_and_have_its_order(num_words):
    heads = draw_trees(num_words)
    wanted = tree_distances(heads)
    found, total = count_edges(wanted[None].astype(float), heads, np.ones(heads.shape, dtype=bool))
    assert found.tolist() == [total.tolist()] == [[num_words - 1] * len(heads)]
    np.testing.assert_allclose(distance_spearman(wanted[None].astype(float), wanted), 1)


@pytest.mark.parametrize("change", [np.square, lambda values: values + 7, lambda values: 1e-300 * values])
def test_edges_depend_on_the_order_of_distances_alone(change):
    heads = draw_trees(9)
    is_scored = draw_scored(heads)
    distances = draw_distances(heads)
    for before, after in zip(
        count_edges(distances, heads, is_scored), count_edges(change(distances), heads, is_scored), strict=True
    ):
        np.testing.assert_array_equal(before, after)


def test_words_at_no_distance_are_joined_first():
    heads = np.array([[-1, 2, 0]])
    distances = np.array([[[[0.0, 1.0, 2.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]]])
    assert count_edges(distances, heads, np.ones((1, 3), dtype=bool))[0].tolist() == [[1]]


@pytest.mark.parametrize("num_scored", [0, 1])
def test_a_sentence_without_two_scored_words_has_no_edge(num_scored):
    heads = draw_trees(4)
    is_scored = np.zeros(heads.shape, dtype=bool)
    is_scored[:, :num_scored] = True
    found, total = count_edges(draw_distances(heads), heads, is_scored)
    assert not found.any()
    assert not total.any()


def test_an_edge_through_a_punctuation_mark_is_no_edge_of_the_others():
    heads = np.array([[-1, 0, 1]])
    found, total = count_edges(chain_distances(3)[None, None], heads, np.array([[True, False, True]]))
    assert (found.tolist(), total.tolist()) == ([[0]], [0])


def test_root_is_the_scored_word_of_least_depth_and_of_equals_the_first():
    heads = np.array([[1, -1, 1], [-1, 0, 0], [1, 2, -1]])
    depths = np.array([[[0.0, 0.5, 1.0], [2.0, 2.0, 2.0], [2.0, 2.0, 2.0]]])
    is_scored = np.array([[False, True, True], [True, True, True], [True, True, True]])
    assert find_roots(depths, heads, is_scored).tolist() == [[True, True, False]]


def test_a_root_is_to_be_found_among_two_scored_words_at_least():
    heads = np.array([[1, -1, 1]] * 3)
    is_scored = np.array([[True, True, False], [False, True, False], [True, False, True]])
    assert has_choice_of_root(heads, is_scored).tolist() == [True, False, False]


@pytest.mark.parametrize("num_words", [3, 7, 16])
def test_rank_correlation_is_scipys(num_words):
    stream = np.random.default_rng(num_words)
    predicted = stream.integers(0, 5, size=(20, num_words)).astype(float)
    predicted[:, 0] = 9  # SciPy has no answer where all are equal
    wanted = stream.integers(0, 4, size=(20, num_words))
    wanted[:, 1] = 7
    expected = [spearmanr(one, other).statistic for one, other in zip(predicted, wanted, strict=True)]
    np.testing.assert_allclose(spearman(predicted, wanted), expected, atol=1e-12)


def test_equal_predictions_show_no_order():
    assert spearman(np.full(4, 0.3), np.arange(4)).tolist() == 0
    assert spearman(np.arange(4.0), np.full(4, 2)).tolist() == 0


def test_rows_of_distances_hold_the_zero_of_the_diagonal():
    heads = draw_trees(8)
    wanted = tree_distances(heads)
    distances = draw_distances(heads) + 1
    distances[:, :, range(8), range(8)] = 0
    found = distance_spearman(distances, wanted)
    for curve, sentence in np.ndindex(found.shape):
        expected = np.mean(row_correlations(distances[curve, sentence], wanted[sentence]))
        assert found[curve, sentence] == pytest.approx(expected, abs=1e-12)


def test_each_length_that_is_there_weighs_the_same():
    sums, sizes = np.array([[8.0, 0.0, 0.5], [4.0, 0.0, 1.0]]), np.array([16.0, 0.0, 1.0])
    assert macro_over_lengths(sums, sizes).tolist() == [0.5, 0.625]
    assert np.isnan(macro_over_lengths(np.zeros(2), np.zeros(2)))
