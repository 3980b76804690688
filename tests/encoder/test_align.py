"""From pieces to words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.encoder.align import How, pooled_span, word_spans
from probes.encoder.frozen import FrozenEncoder

WORD_IDS = [None, 0, 0, 0, 2, 3, 3, None]


@pytest.mark.parametrize(
    ("how", "expected"),
    [("first", [(1, 1), (4, 4), (5, 5)]), ("last", [(3, 3), (4, 4), (6, 6)]), ("mean", [(1, 3), (4, 4), (5, 6)])],
)
def test_word_is_its_first_last_or_all_pieces(how: How, expected: list[tuple[int, int]]) -> None:
    assert [pooled_span(span, how) for span in word_spans(WORD_IDS).values()] == expected


def test_sentence_is_cls_or_all_pieces() -> None:
    assert pooled_span((0, 7), "cls") == (0, 0)
    assert pooled_span((0, 7), "mean") == (0, 7)


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
