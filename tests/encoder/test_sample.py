"""Sentences in batches with the pieces of their words."""

import numpy as np
import pytest
import torch

from probes.encoder.pool import embed
from probes.encoder.sample import read_sample

SENTENCES = [("the", "dogs", "sees", "x12"), ("a", "cat"), ("don't", "often", "run"), ("the",)]


@pytest.mark.parametrize("how", ["first", "last", "mean"])
@pytest.mark.parametrize("budget", [1, 20, 2048])
def test_vectors_are_those_of_words_read_alone(how, budget, load):
    encoder = load(word=how, batch_pieces=budget, num_layers=2)
    sample = read_sample(encoder, SENTENCES)
    made = np.full((len(sample.num_pieces), 32), np.nan, dtype=np.float32)
    for batch in sample.batches():
        made[batch.rows] = batch.pool(encoder.forward(batch.inputs).hidden_states[1]).numpy()
    expected = np.concatenate([embed(encoder, [words], "word")[0][1] for words in SENTENCES])
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-5)


def test_every_piece_knows_its_word(toy):
    sample = read_sample(toy, SENTENCES)
    assert sample.first_word.tolist() == [0, 4, 6, 9]
    assert sample.num_pieces.tolist() == [1, 2, 1, 3, 1, 1, 5, 1, 3, 1]
    (batch,) = sample.batches()
    assert batch.word.tolist() == [
        [-1, 6, 6, 6, 6, 6, 7, 8, 8, 8, -1],
        [-1, 0, 1, 1, 2, 3, 3, 3, -1, -1, -1],
        [-1, 4, 5, -1, *[-1] * 7],
        [-1, 9, -1, *[-1] * 8],
    ]


def test_hidden_words_are_masks_and_nothing_else_changes(toy):
    sample = read_sample(toy, SENTENCES)
    (batch,) = sample.batches()
    is_hidden = np.zeros(10, dtype=bool)
    is_hidden[[0, 4, 6]] = True
    mask = toy.tokenizer.mask_token_id
    made = batch.hide(is_hidden, mask)["input_ids"]
    is_mask = made == mask
    assert is_mask.nonzero().tolist() == [*([0, piece] for piece in range(1, 6)), [1, 1], [2, 1]]
    assert torch.equal(made[~is_mask], batch.inputs["input_ids"][~is_mask])


def test_sentence_that_is_too_long_is_in_no_batch(load):
    encoder = load(max_pieces=8)
    sample = read_sample(encoder, SENTENCES)
    assert sample.too_long.tolist() == [True, False, True, False]
    assert sample.num_pieces.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 1]
    assert [batch.rows.tolist() for batch in sample.batches()] == [[4, 5, 9]]


def test_words_without_a_piece_have_no_row(toy):
    sample = read_sample(toy, [("the", "\u0000", "cat")])
    assert sample.num_pieces.tolist() == [1, 0, 1]
    assert [batch.rows.tolist() for batch in sample.batches()] == [[0, 2]]


def test_sentences_without_any_piece_have_no_rows(toy):
    (batch,) = read_sample(toy, [("\u0000",)]).batches()
    assert batch.pool(toy.forward(batch.inputs).hidden_states[0]).shape == (0, 32)
