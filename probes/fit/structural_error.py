"""Structural probes (Hewitt and Manning 2019): a linear map after which squared lengths are distances in a tree.

Distances between words are ||B(h_i - h_j)||^2, depths of words ||B h_i||^2.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

Kind = Literal["distance", "depth"]
Wanted = Mapping[int, Shaped[Tensor, "sentence word *other"]]
"""For sentences of each length their distances [sentence, word, word] or depths [sentence, word]."""


def squared_distances(projected: Float[Tensor, "*case word rank"]) -> Float[Tensor, "*case word word"]:
    """Squared distance of every two words: ||a||^2 + ||b||^2 - 2ab as one batched product."""
    num_words, rank = projected.shape[-2:]
    words = projected.reshape(-1, num_words, rank)
    square = words.square().sum(dim=2)
    sums = square[:, :, None] + square[:, None, :]
    found = torch.baddbmm(sums, words, words.transpose(1, 2), alpha=-2)
    return found.view(*projected.shape[:-1], num_words)


def squared_lengths(projected: Float[Tensor, "*case word rank"]) -> Float[Tensor, "*case word"]:
    """Squared length of every word."""
    return projected.square().sum(dim=-1)


def mean_error(
    kind: Kind, projected: Float[Tensor, "layer sentence word rank"], wanted: Shaped[Tensor, "sentence word *other"]
) -> Float[Tensor, "layer sentence"]:
    """Mean absolute error over the pairs of words of each sentence, or over its words: the loss of a probe.

    A pair counts in both directions, and a word with itself (Hewitt and Manning 2019, section 3.2).
    """
    found = squared_distances(projected) if kind == "distance" else squared_lengths(projected)
    return (found - wanted).abs().flatten(2).mean(dim=2)


def slope(
    kind: Kind, projected: Float[Tensor, "layer sentence word rank"], wanted: Shaped[Tensor, "sentence word *other"]
) -> Float[Tensor, "layer sentence word rank"]:
    """Derivative of the mean of `mean_error` over sentences, by what was projected.

    With s_ij the sign of the error it is, for distances, 4 (sum_j s_ij a_i - sum_j s_ij a_j) and for depths 2 s_i a_i:
    one more batched product, where automatic differentiation would pass ten times over all pairs.
    """
    _, num_sentences, num_words, rank = projected.shape
    if kind == "depth":
        sign = (squared_lengths(projected) - wanted).sign_()
        return projected * sign.mul_(2 / (num_words * num_sentences))[..., None]
    sign = squared_distances(projected).sub_(wanted).sign_().view(-1, num_words, num_words)
    words = projected.reshape(-1, num_words, rank)
    change = torch.baddbmm(sign.sum(dim=2, keepdim=True) * words, sign, words, alpha=-1)
    return change.mul_(4 / (num_words**2 * num_sentences)).view(projected.shape)


def predict_trees(
    kind: Kind, maps: Float[Tensor, "layer rank dim"], states: Float[Tensor, "layer sentence word dim"]
) -> Float[Tensor, "layer sentence word *other"]:
    """What every layer's probe says of some sentences: distances, those of a word to itself 0, or depths."""
    projected = torch.einsum("lswd,lrd->lswr", states, maps)
    if kind == "depth":
        return squared_lengths(projected)
    found = squared_distances(projected).clamp_min_(0)
    found.diagonal(dim1=2, dim2=3).zero_()
    return found
