"""Pairs of rows: the product of two slots stands behind them, in fits and in predictions."""

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.fit.fit import fit_layers
from probes.fit.fitted import load_probes
from probes.fit.question import Question
from probes.fit.read import SplitRows
from probes.types import Rows, Task

SIZES = {"train": 3000, "dev": 400, "test": 400}
DIM = 6


@pytest.fixture(scope="module")
def pairs():
    """States of two layers, pairs of rows, and whether the sum of their products is positive: no sum of two linear
    functions says that."""
    stream = np.random.default_rng(0)
    states = stream.normal(size=(2, 500, DIM)).astype(np.float32)
    splits = {}
    for split, size in SIZES.items():
        index = stream.integers(0, 500, size=(size, 2))
        labels = (states[1][index[:, 0]] * states[1][index[:, 1]]).sum(axis=1) > 0
        splits[split] = Rows(index, labels.astype(np.int64), np.arange(size), np.full(size, -1))
    return states, splits


def fit(pairs, *, product):
    states, splits = pairs
    task = Task("edge", "word", ("none", "arc"), splits, product=product)
    layers = {split: list(states) for split in ("train", "dev")}
    question = Question(task, (), FitConfig(l2=(1e-5,), step_size=(0.05,)))
    return fit_layers(layers, [question], seed=0)[0]


def accuracy(probes, pairs, layer):
    states, splits = pairs
    test = splits["test"]
    return float((probes.predict(states[layer], test.index, layer)[0] == test.labels).mean())


def test_a_product_is_learned_with_the_product_and_not_without(pairs):
    with_product, without = fit(pairs, product=True), fit(pairs, product=False)
    assert accuracy(with_product, pairs, 1) > 0.9
    assert accuracy(without, pairs, 1) < 0.62
    assert accuracy(with_product, pairs, 0) < 0.62


def test_features_are_both_states_and_their_product(pairs):
    states, splits = pairs
    index = splits["dev"].index
    rows = SplitRows(list(states), index, product=True)
    assert rows.num_features == 3 * DIM
    found = rows.chunk(0, [0, 1], None)
    first, second = states[:, index[:, 0]], states[:, index[:, 1]]
    np.testing.assert_array_equal(found.numpy(), np.concatenate([first, second, first * second], axis=2))
    some = rows.take(np.array([3, 1]))
    assert torch.equal(some.chunk(0, [1], None), found[1:, [3, 1]])


def test_probes_that_were_saved_read_the_product_too(pairs, tmp_path):
    probes = fit(pairs, product=True)
    probes.save(tmp_path)
    again = load_probes(tmp_path)
    assert again.product
    assert accuracy(again, pairs, 1) == accuracy(probes, pairs, 1)


def test_questions_with_and_without_product_share_no_stack(pairs):
    _, splits = pairs
    one, other = (
        Question(Task("edge", "word", ("none", "arc"), splits, product=product), (), FitConfig())
        for product in (True, False)
    )
    assert not one.is_over_rows_of(other)
    assert one.is_over_rows_of(one)


def test_two_of_a_pair_are_told_apart_by_which_looks_better(pairs):
    states, splits = pairs
    probes, test = fit(pairs, product=True), splits["test"]
    partner = np.arange(len(test)) ^ 1
    found = probes.compare(states[1], test.index, 1, partner)[0]
    features = np.concatenate(
        [states[1][test.index[:, 0]], states[1][test.index[:, 1]], np.prod(states[1][test.index], axis=1)], axis=1
    )
    logits = probes.logits(features, 1)[:, 0]
    margins = logits[:, 1] - logits[:, 0]
    assert found.tolist() == (margins > margins[partner]).astype(int).tolist()
    assert (found[::2] + found[1::2] == 1).all()
