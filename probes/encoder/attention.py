"""From the attention maps of one block to what its heads do with words; nothing here outlives a batch.

Pieces become words as in Clark et al. (2019, section 4.1): attention to a word is the sum over its pieces, attention
from a word the mean over its pieces.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

DIRECTIONS = ("dependent_to_head", "head_to_dependent")
"""Whose attention tells the head of a word: its own, or that of all other words to it."""
STATISTICS = (
    "entropy_bits",
    "cls_share",
    "sep_share",
    "self_share",
    "previous_share",
    "next_share",
    "distance_words",
)
"""All but the last are over pieces: that is how the attention of an encoder is normalised."""


@dataclass(frozen=True, slots=True)
class PieceWords:
    """Which pieces of padded texts make which word."""

    membership: Float[Tensor, "text word piece"]
    """1 where the piece belongs to the word. Padding, special pieces and what was cut off belong to none."""
    place: Int[Tensor, "text word"]
    """Number of the word in its sentence, counted from 0; words without a piece have no slot here."""
    is_opening: Bool[Tensor, "text piece"]
    """The special pieces before a text: [CLS]."""
    is_closing: Bool[Tensor, "text piece"]
    """The special pieces after a text: [SEP]."""

    @property
    def is_word(self) -> Bool[Tensor, "text word"]:
        return self.membership.any(dim=-1)

    @property
    def is_other(self) -> Bool[Tensor, "text word word"]:
        """Pairs of two different words of a text."""
        is_word = self.is_word
        itself = torch.eye(is_word.shape[1], dtype=torch.bool, device=is_word.device)
        return is_word[:, :, None] & is_word[:, None, :] & ~itself


def word_maps(maps: Float[Tensor, "text head piece piece"], words: PieceWords) -> Float[Tensor, "text head word word"]:
    """Attention from word to word in float32: summed over the pieces attended to, averaged over those attending.

    What goes to [CLS] and [SEP] is left out, so rows sum to less than one.
    """
    size = words.membership.sum(dim=-1, keepdim=True).clamp_min(1)
    averaging, summing = words.membership / size, words.membership.transpose(1, 2)
    return averaging[:, None] @ maps.float() @ summing[:, None]


def most_attended(
    attention: Float[Tensor, "text head word word"], words: PieceWords
) -> Int[Tensor, "direction text head word"]:
    """For each word, in the order of DIRECTIONS, the other word it attends to most and the one that attends to it most.

    Itself, [CLS] and [SEP] do not count. -1 where no attention goes to or comes from another word: for the only word
    of a text, and in decoders for the first and the last word.
    """
    others = attention.masked_fill(~words.is_other[:, None], 0)
    found = [others.max(dim=dim) for dim in (-1, -2)]
    return torch.stack([torch.where(best > 0, word, -1) for best, word in found])


def describe_heads(
    maps: Float[Tensor, "text head piece piece"], attention: Float[Tensor, "text head word word"], words: PieceWords
) -> tuple[Float[Tensor, "statistic text head"], Float[Tensor, "statistic text head"]]:
    """Sums of each of STATISTICS over a text, and over how many pieces or words; special pieces attend unseen.

    The distance is the mean over the other words, weighted by the attention they get.
    """
    maps = maps.float()
    by_piece = torch.stack(
        [
            torch.special.entr(maps).sum(dim=-1) / math.log(2),
            _onto(words.is_opening, maps),
            _onto(words.is_closing, maps),
            maps.diagonal(dim1=-2, dim2=-1),
            torch.nn.functional.pad(maps.diagonal(offset=-1, dim1=-2, dim2=-1), (1, 0)),
            torch.nn.functional.pad(maps.diagonal(offset=1, dim1=-2, dim2=-1), (0, 1)),
        ]
    )
    of_word = words.membership.sum(dim=1)
    size = of_word.sum(dim=-1)
    sizes = [size, size * words.is_opening.any(dim=-1), size * words.is_closing.any(dim=-1), size, size, size]
    distance, num_words = _distance(attention, words)
    sums = torch.cat([(by_piece * of_word[:, None]).sum(dim=-1), distance[None]])
    return sums, torch.cat([torch.stack(sizes)[..., None].expand_as(sums[:-1]), num_words[None]])


def _onto(
    chosen: Bool[Tensor, "text piece"], maps: Float[Tensor, "text head piece piece"]
) -> Float[Tensor, "text head piece"]:
    return torch.einsum("thij,tj->thi", maps, chosen.float())


def _distance(
    attention: Float[Tensor, "text head word word"], words: PieceWords
) -> tuple[Float[Tensor, "text head"], Float[Tensor, "text head"]]:
    """Sum over the words that attend to another word, and how many these are."""
    others = attention.masked_fill(~words.is_other[:, None], 0)
    apart = (words.place[:, :, None] - words.place[:, None, :]).abs()
    total = others.sum(dim=-1)
    attends = total > 0
    mean = (others * apart[:, None]).sum(dim=-1) / torch.where(attends, total, 1)
    return mean.sum(dim=-1), attends.sum(dim=-1).float()
