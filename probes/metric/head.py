"""Attention heads as predictors of syntactic heads: counted on one split, chosen, and followed on another."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int


class Choice(NamedTuple):
    """A predictor for each relation in each block, by its place in the array that it was chosen from."""

    direction: Int[np.ndarray, "relation block"]
    head: Int[np.ndarray, "relation block"]
    block: Int[np.ndarray, " relation"]
    """The block whose predictor is the best of all."""


def count_right(
    attended: Int[np.ndarray, "*head word"], heads: Int[np.ndarray, " word"], of: Bool[np.ndarray, "word relation"]
) -> Float[np.ndarray, "*head relation"]:
    """How many words of each relation are attached to their heads; a word may count for several relations.

    >>> count_right(np.array([[2, 0], [1, 1]]), np.array([2, 1]), np.array([[True, True], [True, False]])).tolist()
    [[1.0, 1.0], [1.0, 0.0]]
    """
    return (attended == heads).astype(np.float32) @ of.astype(np.float32)


def choose_heads(right: Float[np.ndarray, "direction block head relation"]) -> Choice:
    """For each relation the predictor with most words right, in each block and of all; of equals the first."""
    num_directions, num_blocks, num_heads, num_relations = right.shape
    flat = right.transpose(3, 1, 0, 2).reshape(num_relations, num_blocks, num_directions * num_heads)
    best = flat.argmax(axis=2)
    return Choice(best // num_heads, best % num_heads, flat.max(axis=2).argmax(axis=1))


def follow_heads(
    attended: Int[np.ndarray, "direction block head word"], relation: Int[np.ndarray, " word"], choice: Choice
) -> Int[np.ndarray, "block word"]:
    """What the chosen predictor of each word's relation says, in each block."""
    num_words = attended.shape[-1]
    blocks = np.arange(attended.shape[1])[:, None]
    return attended[choice.direction[relation].T, blocks, choice.head[relation].T, np.arange(num_words)]


def choose_offset(offsets: Int[np.ndarray, " word"], largest: int) -> int:
    """The distance to the right, or to the left where negative, at which most heads stand; of equals the nearest.

    >>> choose_offset(np.array([1, 1, -2, -2, -7, -7, -7]), largest=5)
    1
    """
    candidates = sorted((offset for offset in range(-largest, largest + 1) if offset), key=lambda one: (abs(one), -one))
    return max(candidates, key=lambda offset: int((offsets == offset).sum()))
