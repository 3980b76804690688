"""Counting, choosing and following heads: against loops, and by hand."""

import numpy as np
import pytest

from probes.metric.head import choose_heads, choose_offset, count_right, follow_heads


def draw(seed: int, *, num_words: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What 2 directions x 3 blocks x 4 heads attend to, the heads of words, their relations 0..2."""
    stream = np.random.default_rng(seed)
    attended = stream.integers(-1, 5, size=(2, 3, 4, num_words))
    return attended, stream.integers(0, 5, size=num_words), stream.integers(0, 3, size=num_words)


def test_counts_are_those_of_a_loop():
    attended, heads, relation = draw(0)
    of = relation[:, None] == np.arange(3)
    of[:, 0] = True
    found = count_right(attended, heads, of)
    for at in np.ndindex(2, 3, 4):
        right = [int(one == head) for one, head in zip(attended[at], heads, strict=True)]
        wanted = [sum(right), *(sum(r for r, k in zip(right, relation, strict=True) if k == code) for code in (1, 2))]
        assert found[at].tolist() == wanted


def test_chosen_head_is_the_best_of_its_block_and_block_the_best_of_all():
    stream = np.random.default_rng(1)
    right = stream.permutation(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(np.float32)
    choice = choose_heads(right)
    for relation in range(5):
        of_relation = right[..., relation]
        for block in range(3):
            best = of_relation[choice.direction[relation, block], block, choice.head[relation, block]]
            assert best == of_relation[:, block].max()
        block = int(choice.block[relation])
        assert of_relation[choice.direction[relation, block], block, choice.head[relation, block]] == of_relation.max()


def test_of_equal_heads_the_first_is_chosen():
    choice = choose_heads(np.ones((2, 3, 4, 1)))
    assert (choice.direction.tolist(), choice.head.tolist(), choice.block.tolist()) == ([[0] * 3], [[0] * 3], [0])


def test_every_word_follows_the_head_of_its_relation():
    attended, heads, relation = draw(2)
    choice = choose_heads(count_right(attended, heads, relation[:, None] == np.arange(3)))
    found = follow_heads(attended, relation, choice)
    for block in range(3):
        for word, code in enumerate(relation):
            at = (choice.direction[code, block], block, choice.head[code, block], word)
            assert found[block, word] == attended[at]


def test_what_is_followed_where_it_was_chosen_is_as_right_as_counted():
    attended, heads, relation = draw(3)
    right = count_right(attended, heads, relation[:, None] == np.arange(3))
    found = follow_heads(attended, relation, choose_heads(right)) == heads
    for code in range(3):
        best = right[..., code].max(axis=(0, 2))
        assert found[:, relation == code].sum(axis=1).tolist() == best.tolist()


@pytest.mark.parametrize(
    ("offsets", "chosen"),
    [([1, 1, -2], 1), ([-2, -2, 1], -2), ([3, -1, -1, 3], -1), ([1, -1], 1), ([6, 6, 6, -5], -5), ([9], 1), ([5], 5)],
)
def test_offset_is_the_most_frequent_within_reach_and_of_equals_the_nearest(offsets, chosen):
    assert choose_offset(np.array(offsets), largest=5) == chosen
