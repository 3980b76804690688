"""From the states of pieces to one vector a row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.encoder.align import pooled_span, word_spans
from probes.errors import CorpusError
from probes.types import Pair, Unit

if TYPE_CHECKING:
    from probes.encoder.frozen import FrozenEncoder


def pool_rows(
    states: Float[Tensor, "sentence piece dim"],
    sentence: Int[Tensor, " row"],
    first: Int[Tensor, " row"],
    last: Int[Tensor, " row"],
) -> Float[Tensor, "row dim"]:
    """One vector a row: the mean of pieces `first` to `last` of text `sentence`, in float32."""
    num_texts, num_pieces, dim = states.shape
    pieces = states.reshape(num_texts * num_pieces, dim)
    start, sizes = sentence * num_pieces + first, last - first + 1
    if bool((sizes == 1).all()):
        return pieces.index_select(0, start).float()
    row = torch.repeat_interleave(torch.arange(len(sizes), device=sizes.device), sizes)
    within = torch.arange(len(row), device=row.device) - (torch.cumsum(sizes, dim=0) - sizes)[row]
    chosen = pieces.index_select(0, start[row] + within).float()
    return chosen.new_zeros(len(sizes), dim).index_add_(0, row, chosen) / sizes[:, None]


def embed(
    encoder: "FrozenEncoder", texts: Sequence[str | Pair] | Sequence[Sequence[str]], unit: Unit
) -> list[Float[Tensor, "layer row dim"]]:
    """The vectors of a few texts without a cache: for each text all layers, one row a word or one in all.

    Raises CorpusError for a word that the tokenizer loses and EncoderError for a text that is too long.
    """
    reading = encoder(texts)
    encoding = encoder.tokenize(texts)
    spans = [_row_spans(encoder, text, encoding.word_ids(number), unit) for number, text in enumerate(texts)]
    numbers = [number for number, rows in enumerate(spans) for _ in rows]
    ends = np.asarray([span for rows in spans for span in rows], dtype=np.int64).reshape(-1, 2)
    chosen = [torch.as_tensor(part, device=encoder.device) for part in (numbers, ends[:, 0], ends[:, 1])]
    states = torch.stack([pool_rows(state, *chosen) for state in reading.hidden_states])
    return list(states.split([len(rows) for rows in spans], dim=1))


def _row_spans(
    encoder: "FrozenEncoder", text: str | Sequence[str], word_ids: list[int | None], unit: Unit
) -> list[tuple[int, int]]:
    how = encoder.pooling(unit)
    if unit == "sentence":
        return [pooled_span((0, len(word_ids) - 1), how)]
    spans = word_spans(word_ids)
    for number, word in enumerate(text):
        if number not in spans:
            raise CorpusError(
                f"The tokenizer of {encoder.config.name!r} should give every word a piece, but loses {word!r}. "
                f"Leave this word out."
            )
    return [pooled_span(spans[number], how) for number in range(len(text))]
