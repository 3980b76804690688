"""Vectors of words and sentences from the states of pieces."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from probes.encoder.frozen import FrozenEncoder
from probes.encoder.pool import embed, find_pieces, pool_rows
from probes.errors import CorpusError, EncoderError
from probes.types import Corpus, Sentence
from tests.reference.states import SlowReader

Load = Callable[..., FrozenEncoder]
SENTENCES = [("the", "dogs", "sees", "x12"), ("a", "cat"), ("don't", "often", "run")]
CORPUS = Corpus("few", {"test": [Sentence(str(number), words) for number, words in enumerate(SENTENCES)]})


STATES = torch.arange(24.0).reshape(2, 3, 4)


def rows(*spans: tuple[int, int, int]) -> list[list[float]]:
    """The rows made from pieces `first` to `last` of texts: (text, first, last)."""
    found = find_pieces(*torch.tensor(spans, dtype=torch.int64).reshape(-1, 3).T, num_pieces=3)
    return pool_rows(STATES, found).tolist()


def test_single_pieces_are_rows_in_order() -> None:
    assert rows((1, 2, 2), (0, 0, 0)) == [[20, 21, 22, 23], [0, 1, 2, 3]]


def test_several_pieces_are_their_mean() -> None:
    assert rows((1, 0, 2), (0, 1, 1), (0, 1, 2)) == [[16, 17, 18, 19], [4, 5, 6, 7], [6, 7, 8, 9]]


def test_same_piece_may_make_several_rows() -> None:
    assert rows((0, 0, 1), (0, 1, 2), (0, 0, 1)) == [[2, 3, 4, 5], [6, 7, 8, 9], [2, 3, 4, 5]]


def test_no_rows_are_no_rows() -> None:
    assert rows() == []


@pytest.mark.parametrize("last", [0, 1])
def test_rows_are_float32_whatever_the_states(last: int) -> None:
    found = find_pieces(*torch.tensor([[0], [0], [last]]), num_pieces=2)
    made = pool_rows(torch.ones(1, 2, 3, dtype=torch.bfloat16), found)
    assert made.dtype == torch.float32


@pytest.mark.parametrize("how", ["first", "last", "mean"])
def test_word_vectors_equal_the_slow_reader(how: str, load: Load, slow: SlowReader) -> None:
    vectors = embed(load(word=how), SENTENCES, "word")
    assert [tuple(rows.shape) for rows in vectors] == [(13, len(words), 32) for words in SENTENCES]
    expected = slow.word_rows(CORPUS, "test", how)
    np.testing.assert_allclose(torch.cat(vectors, dim=1).numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("how", ["cls", "mean"])
def test_sentence_vectors_equal_the_slow_reader(how: str, load: Load, slow: SlowReader) -> None:
    vectors = embed(load(sentence=how), [" ".join(words) for words in SENTENCES], "sentence")
    assert [tuple(rows.shape) for rows in vectors] == [(13, 1, 32)] * 3
    expected = slow.sentence_rows(CORPUS, "test", how)
    np.testing.assert_allclose(torch.cat(vectors, dim=1).numpy(), expected, rtol=0, atol=1e-5)


def test_lost_word_is_named(toy: FrozenEncoder) -> None:
    with pytest.raises(CorpusError) as caught:
        embed(toy, [("the", "dog"), ("a", "\u200b")], "word")
    assert str(caught.value) == (
        f"The tokenizer of {toy.config.name!r} should give every word a piece, but loses '\\u200b'. "
        f"Leave this word out."
    )


def test_too_long_text_is_refused_and_not_cut(load: Load, toy_bert: Path) -> None:
    with pytest.raises(EncoderError) as caught:
        embed(load(length="truncate", max_pieces=5), [("the", "dog", "sees", "cat")], "word")
    assert str(caught.value) == (
        f"Encoder '{toy_bert}' reads at most 5 pieces, but a text has 6. "
        f"Shorten it, or encode a corpus with length: truncate."
    )
