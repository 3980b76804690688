"""From the states of pieces to one vector a row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.encoder.align import select_pieces
from probes.errors import CorpusError
from probes.types import Unit

if TYPE_CHECKING:
    from probes.encoder.frozen import FrozenEncoder


def pool_rows(
    hidden_states: Sequence[Float[Tensor, "sentence piece dim"]],
    sentence: Int[Tensor, " chosen"],
    position: Int[Tensor, " chosen"],
    row: Int[Tensor, " chosen"],
    how: Literal["first", "last", "mean", "cls"],
) -> Float[Tensor, "layer row dim"]:
    """One vector a row from chosen pieces: piece `position` of text `sentence` belongs to `row`."""
    picked = torch.stack([state[sentence, position] for state in hidden_states]).float()
    return mean_by_row(picked, row) if how == "mean" else picked


def mean_by_row(pieces: Float[Tensor, "layer piece dim"], row: Int[Tensor, " piece"]) -> Float[Tensor, "layer row dim"]:
    """Mean of the pieces of each row."""
    sizes = torch.bincount(row)
    sums = pieces.new_zeros(pieces.shape[0], len(sizes), pieces.shape[2])
    return sums.index_add_(1, row, pieces) / sizes[None, :, None]


def embed(
    encoder: "FrozenEncoder", texts: Sequence[str] | Sequence[Sequence[str]], unit: Unit
) -> list[Float[Tensor, "layer row dim"]]:
    """The vectors of a few texts without a cache: for each text all layers, one row a word or one in all.

    Raises CorpusError for a word that the tokenizer loses and EncoderError for a text that is too long.
    """
    reading = encoder(texts)
    encoding = encoder.tokenize(texts)
    word_ids = [encoding.word_ids(number) for number in range(len(texts))]
    kept = [np.arange(1 if unit == "sentence" else len(text)) for text in texts]
    for text, words, ids in zip(texts, kept, word_ids, strict=True):
        missing = sorted(set(words.tolist()) - set(ids)) if unit == "word" else []
        if missing:
            raise CorpusError(
                f"The tokenizer of {encoder.config.name!r} should give every word a piece, but loses "
                f"{text[missing[0]]!r}. Leave this word out."
            )
    pieces = select_pieces(word_ids, kept, unit, encoder.config)
    chosen = (torch.from_numpy(part).to(encoder.device) for part in (pieces.sentence, pieces.position, pieces.row))
    how = encoder.config.word if unit == "word" else encoder.config.sentence
    states = pool_rows(reading.hidden_states, *chosen, how=how)
    return list(states.split([len(words) for words in kept], dim=1))
