"""Maps whose words, shares and entropies are known by hand."""

import math

import pytest
import torch

from probes.encoder.attention import STATISTICS, PieceWords, describe_heads, most_attended, word_maps


def words_of(pieces: list[list[int]], length: int, *, places: list[int] | None = None, padding: int = 0) -> PieceWords:
    """One text of [CLS], the words with these pieces, and [SEP]; behind it padding."""
    membership = torch.zeros(1, len(pieces), length + padding)
    for word, part in enumerate(pieces):
        membership[0, word, part] = 1
    position = torch.arange(length + padding)[None]
    place = torch.tensor([places or list(range(len(pieces)))])
    return PieceWords(membership, place, position == 0, position == length - 1)


# [CLS] a ##b c [SEP]: what the first word gives is the mean of its rows, what it gets the sum of its columns.
MAP = torch.tensor(
    [
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.1, 0.2, 0.3, 0.4, 0.0],
        [0.5, 0.1, 0.2, 0.0, 0.2],
        [0.1, 0.3, 0.2, 0.1, 0.3],
        [0.0, 0.0, 0.0, 0.0, 1.0],
    ]
)[None, None]
WORDS = words_of([[1, 2], [3]], length=5)


def test_attention_is_averaged_from_pieces_and_summed_to_pieces():
    torch.testing.assert_close(word_maps(MAP, WORDS)[0, 0], torch.tensor([[0.4, 0.2], [0.5, 0.1]]))


def test_what_a_word_gives_is_one_with_cls_and_sep():
    stream = torch.Generator().manual_seed(0)
    maps = torch.softmax(torch.randn(1, 3, 9, 9, generator=stream), dim=-1)
    words = words_of([[1], [2, 3, 4], [5, 6], [7]], length=9)
    sums, sizes = describe_heads(maps, word_maps(maps, words), words)
    # Over pieces, since shares of [CLS] and [SEP] are: words weighted by their pieces.
    weighted = word_maps(maps, words).sum(dim=-1) @ torch.tensor([1.0, 3.0, 2.0, 1.0])
    torch.testing.assert_close((sums[1] + sums[2] + weighted) / sizes[1], torch.ones(1, 3))


def test_most_attended_word_is_another_word():
    attention = torch.tensor([[0.9, 0.1, 0.2], [0.3, 0.8, 0.1], [0.2, 0.4, 0.9]])[None, None]
    words = words_of([[1], [2], [3]], length=5)
    to_head, to_dependent = most_attended(attention, words)
    assert to_head[0, 0].tolist() == [2, 0, 1]
    assert to_dependent[0, 0].tolist() == [1, 2, 0]


def test_only_word_attends_to_no_other():
    words = words_of([[1]], length=3)
    assert most_attended(torch.ones(1, 1, 1, 1), words).tolist() == [[[[-1]]], [[[-1]]]]


def test_without_any_attention_to_others_there_is_no_most_attended_word():
    words = words_of([[1], [2]], length=4)
    attention = torch.tensor([[0.5, 0.0], [0.25, 0.5]])[None, None]
    assert most_attended(attention, words).tolist() == [[[[-1, 0]]], [[[1, -1]]]]


def test_uniform_attention_has_known_statistics():
    length = 8
    words = words_of([[1], [2], [3, 4], [5], [6]], length=length, places=[0, 1, 2, 4, 5])
    maps = torch.full((1, 1, length, length), 1 / length)
    sums, sizes = describe_heads(maps, word_maps(maps, words), words)
    found = dict(zip(STATISTICS, (sums / sizes)[:, 0, 0].tolist(), strict=True))
    # The third word gets double attention, since it has two pieces; word 3 of the sentence has none, and no slot.
    first, second = (1 + 2 * 2 + 4 + 5) / 5, (1 + 2 * 1 + 3 + 4) / 5
    distances = [first, second, (2 + 1 + 2 + 3) / 4, (4 + 3 + 2 * 2 + 1) / 5, (5 + 4 + 2 * 3 + 1) / 5]
    assert found == pytest.approx(
        {
            "entropy_bits": math.log2(length),
            **dict.fromkeys(STATISTICS[1:6], 1 / length),
            "distance_words": sum(distances) / 5,
        },
        rel=1e-6,
    )
    assert sizes[:, 0, 0].tolist() == [6, 6, 6, 6, 6, 6, 5]


def test_padding_changes_nothing():
    padded = words_of([[1, 2], [3]], length=5, padding=3)
    maps = torch.zeros(1, 1, 8, 8)
    maps[..., :5, :5] = MAP
    maps[..., 5:, :5] = 0.2  # padding attends too; it is nobody's business
    for short, long in zip(
        (word_maps(MAP, WORDS), *describe_heads(MAP, word_maps(MAP, WORDS), WORDS)),
        (word_maps(maps, padded), *describe_heads(maps, word_maps(maps, padded), padded)),
        strict=True,
    ):
        torch.testing.assert_close(short, long)


def test_no_special_pieces_no_shares_of_them():
    nothing = torch.zeros(1, 5, dtype=torch.bool)
    words = PieceWords(WORDS.membership, WORDS.place, nothing, nothing)
    _, sizes = describe_heads(MAP, word_maps(MAP, words), words)
    assert dict(zip(STATISTICS, sizes[:, 0, 0].tolist(), strict=True)) == {
        **dict.fromkeys(STATISTICS, 3),
        "cls_share": 0,
        "sep_share": 0,
        "distance_words": 2,
    }
