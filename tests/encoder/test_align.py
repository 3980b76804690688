"""From pieces to words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.config import EncoderConfig
from probes.encoder.align import Pieces, select_pieces, word_spans
from probes.encoder.frozen import FrozenEncoder

WORD_IDS = [[None, 0, 0, 0, 2, 3, 3, None], [None, 0, 1, None]]
KEPT = [np.array([0, 2, 3]), np.array([1])]


def as_lists(pieces: Pieces) -> tuple[list[int], list[int], list[int]]:
    return pieces.sentence.tolist(), pieces.position.tolist(), pieces.row.tolist()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("first", ([0, 0, 0, 1], [1, 4, 5, 2], [0, 1, 2, 3])),
        ("last", ([0, 0, 0, 1], [3, 4, 6, 2], [0, 1, 2, 3])),
        ("mean", ([0, 0, 0, 0, 0, 0, 1], [1, 2, 3, 4, 5, 6, 2], [0, 0, 0, 1, 2, 2, 3])),
    ],
)
def test_word_is_its_first_last_or_all_pieces(word: str, expected: tuple[list[int], ...]) -> None:
    assert as_lists(select_pieces(WORD_IDS, KEPT, "word", EncoderConfig(word=word))) == expected


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("cls", ([0, 1], [0, 0], [0, 1])),
        ("mean", ([0] * 8 + [1] * 4, [*range(8), *range(4)], [0] * 8 + [1] * 4)),
    ],
)
def test_sentence_is_cls_or_all_pieces(sentence: str, expected: tuple[list[int], ...]) -> None:
    rows = [np.zeros(1, dtype=np.int32)] * 2
    assert as_lists(select_pieces(WORD_IDS, rows, "sentence", EncoderConfig(sentence=sentence))) == expected


def test_only_kept_words_have_rows() -> None:
    kept = [np.array([], dtype=np.int32), np.array([0])]
    assert as_lists(select_pieces(WORD_IDS, kept, "word", EncoderConfig())) == ([1], [1], [0])
    nothing = select_pieces(WORD_IDS[:1], kept[:1], "word", EncoderConfig(word="mean"))
    assert as_lists(nothing) == ([], [], [])


def test_word_spans_of_special_pieces_alone_are_empty() -> None:
    assert word_spans([None, None]) == {}
    assert word_spans([]) == {}


@pytest.mark.parametrize("word", ["dog", "dogs", "don't", "New York", "...", "Ünïcode"])
def test_every_piece_of_a_word_belongs_to_it(word: str, toy: FrozenEncoder) -> None:
    encoding = toy.tokenize([("the", word, "cat")])
    pieces = toy.tokenizer.convert_ids_to_tokens(encoding["input_ids"][0])
    first, last = word_spans(encoding.word_ids(0))[1]
    assert pieces[first : last + 1] == toy.tokenizer.tokenize(word)


@settings(max_examples=50, deadline=None)
@given(words=st.lists(st.text(alphabet="abcdog'. ", min_size=1, max_size=8), min_size=1, max_size=6))
def test_spans_cover_all_pieces_without_overlap(words: list[str], toy: FrozenEncoder) -> None:
    encoding = toy.tokenize([tuple(words)])
    spans = word_spans(encoding.word_ids(0))
    covered = [position for first, last in spans.values() for position in range(first, last + 1)]
    assert covered == list(range(1, len(encoding["input_ids"][0]) - 1))
    assert set(spans) == {number for number, word in enumerate(words) if word.strip()}
