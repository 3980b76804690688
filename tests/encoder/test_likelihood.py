"""Pseudo-log-likelihood, against one piece at a time with plain transformers."""

import numpy as np
import pytest

from probes.config import EncoderConfig
from probes.encoder.likelihood import pseudo_log_likelihood
from probes.encoder.load import load_encoder
from probes.encoder.output import load_head
from probes.errors import EncoderError
from tests.reference.likelihood import score_text

TEXTS = ["the dog sees a cat", "x12", "a small zebra runs often and often", "The DOG"]


def score(folder, texts, **settings):
    return pseudo_log_likelihood(load_head(load_encoder(EncoderConfig(name=str(folder), **settings))), texts).nats


@pytest.fixture(scope="module")
def found(toy_masked_bert):
    return score(toy_masked_bert, TEXTS)


def test_output_is_that_of_one_piece_at_a_time(found, toy_masked_bert):
    assert found[-1] == pytest.approx([score_text(toy_masked_bert, text) for text in TEXTS], rel=1e-5)


@pytest.mark.parametrize("layer", [0, 1])
def test_head_reads_every_layer(found, toy_masked_bert, layer):
    assert found.shape == (3, 4)
    assert found[layer, 2] == pytest.approx(score_text(toy_masked_bert, TEXTS[2], layer=layer), rel=1e-5)


def test_it_does_not_depend_on_batches(found, toy_masked_bert):
    np.testing.assert_allclose(score(toy_masked_bert, TEXTS, batch_pieces=16), found, rtol=1e-5)


def test_text_without_pieces_is_certain(toy_masked_bert):
    assert score(toy_masked_bert, ["", "a"])[:, 0].tolist() == [0, 0, 0]


def test_text_that_is_too_long_is_named(toy_masked_bert):
    with pytest.raises(EncoderError) as error:
        score(toy_masked_bert, ["a", "a " * 70])
    name = str(toy_masked_bert)
    assert str(error.value) == (
        f"Encoder {name!r} reads at most 64 pieces, but text 1 has 72: {('a ' * 30)!r}. Leave it out."
    )
