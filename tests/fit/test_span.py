"""Spans of words in batches: every word comes with the example that it belongs to."""

import numpy as np
import pytest
import torch

from probes.fit.read import Scale
from probes.fit.span import SpanBatches, make_span_rows

# Layer l of row r is r + 1000 l: every state says where it comes from.
NUM_ROWS = 30
LAYERS = [np.arange(NUM_ROWS, dtype=np.float32)[:, None] + 1000 * layer for layer in range(3)]
FIRST = np.array([[0, 5], [4, 2], [10, 29], [7, 7]])
LAST = np.array([[0, 8], [6, 2], [11, 29], [9, 7]])
PLAIN = Scale(torch.zeros(3, 1), torch.ones(3, 1))


def test_the_words_of_a_slot_stand_before_those_of_the_next():
    rows = make_span_rows(LAYERS, FIRST, LAST)
    assert rows.words.index[:, 0].tolist() == [0, 4, 5, 6, 10, 11, 7, 8, 9, 5, 6, 7, 8, 2, 29, 7]
    assert rows.starts.tolist() == [[0, 1, 4, 6, 9], [9, 13, 14, 15, 16]]
    assert rows.lengths.tolist() == [[1, 4], [3, 1], [2, 1], [3, 1]]
    assert len(rows) == 4


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("is_threaded", [False, True])
@pytest.mark.parametrize("batch_rows", [1, 3, 100])
def test_every_batch_has_the_words_of_its_examples_slot_by_slot(seed, is_threaded, batch_rows):
    rows = make_span_rows(LAYERS, FIRST, LAST)
    batches = SpanBatches(rows, PLAIN, batch_rows=batch_rows, seed=seed)
    batches.is_threaded, batches.layers = is_threaded, [0, 2]
    seen = []
    for states, examples in batches:
        words = [row for slot in range(2) for one in examples for row in range(FIRST[one, slot], LAST[one, slot] + 1)]
        assert states[..., 0].tolist() == [words, [row + 2000 for row in words]]
        seen += examples.tolist()
    assert sorted(seen) == [0, 1, 2, 3]
    assert len(list(batches)) == len(batches)


def test_states_are_scaled_by_what_train_says():
    rows = make_span_rows(LAYERS, FIRST[:1], LAST[:1])
    scale = Scale(torch.full((3, 1), 2.0), torch.full((3, 1), 0.5))
    ((states, _),) = SpanBatches(rows, scale, batch_rows=9)
    assert states[0, :, 0].tolist() == [-1, 1.5, 2, 2.5, 3]
