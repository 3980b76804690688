"""Windows over long texts: every word once, whole, and where it has the most context."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.encoder.frozen import FrozenEncoder
from probes.encoder.window import Ends, cut_windows, take_window
from probes.errors import CorpusError

Case = tuple[dict[int, tuple[int, int]], int, int]


def spans_of(sizes: list[int]) -> dict[int, tuple[int, int]]:
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    return {number: (start, start + size - 1) for number, (start, size) in enumerate(zip(starts, sizes, strict=True))}


sizes_and_room = st.tuples(st.lists(st.integers(1, 4), min_size=8, max_size=60), st.integers(8, 20))
# Spans of the words, number of all pieces, room in a window; only texts that do not fit into one.
long_texts = sizes_and_room.filter(lambda case: sum(case[0]) > case[1]).map(
    lambda case: (spans_of(case[0]), sum(case[0]), case[1])
)


@given(long_texts)
def test_every_word_is_read_once_and_whole(case: Case) -> None:
    spans, total, room = case
    windows = cut_windows(spans, total, room)
    assert [word for words in windows.values() for word in words] == list(spans)
    for start, words in windows.items():
        assert 0 <= start <= total - room
        assert all(start <= spans[word][0] and spans[word][1] < start + room for word in words)


@given(long_texts)
def test_no_other_window_gives_a_word_more_context(case: Case) -> None:
    spans, total, room = case
    starts = sorted({*range(0, total - room, room // 2), total - room})

    def nearest_edge(start: int, word: int) -> int:
        first, last = spans[word]
        edges = [first - start] * (start > 0) + [start + room - 1 - last] * (start + room < total)
        return min(edges, default=total)

    for start, words in cut_windows(spans, total, room).items():
        for word in words:
            first, last = spans[word]
            holding = [other for other in starts if other <= first and last < other + room]
            assert nearest_edge(start, word) == max(nearest_edge(other, word) for other in holding)


def test_word_that_no_window_holds_is_named() -> None:
    with pytest.raises(CorpusError) as caught:
        cut_windows({0: (0, 0), 1: (1, 9), 2: (10, 19)}, 20, room=8)
    assert str(caught.value) == "word 2 has 9 pieces, too many for windows of 8 that overlap by half"


def test_window_stands_between_the_special_pieces_of_the_text(toy: FrozenEncoder) -> None:
    (encoding,) = toy.cut_into_pieces([("the", "dogs", "sees", "a", "cat")])
    ends = Ends.of(encoding)
    assert (ends.opening, ends.closing) == (1, 1)
    pieces, segments = take_window(encoding, ends, 1, 4)
    assert toy.tokenizer.convert_ids_to_tokens(pieces) == ["[CLS]", "dog", "##s", "sees", "[SEP]"]
    assert segments == [0] * 5


def test_text_of_special_pieces_alone_is_all_opening(toy: FrozenEncoder) -> None:
    (encoding,) = toy.cut_into_pieces([("\u200b",)])
    assert Ends.of(encoding) == Ends(2, 0)
    assert take_window(encoding, Ends.of(encoding), 0, 0) == (encoding.ids, encoding.type_ids)
