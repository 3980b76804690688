"""From the states of pieces to one vector a row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.encoder.align import pooled_span, word_spans
from probes.errors import CorpusError
from probes.types import Pair, Unit

if TYPE_CHECKING:
    from probes.encoder.frozen import FrozenEncoder


class RowPieces(NamedTuple):
    """The pieces that rows are the means of, found once for all layers of a batch."""

    pieces: Int[Tensor, " piece"]
    """Numbers of the pieces, counted through the padded texts."""
    row: Int[Tensor, " piece"] | None
    """The row of each piece; None where every row is one piece."""
    sizes: Int[Tensor, " row"]


def find_pieces(
    sentence: Int[Tensor, " row"], first: Int[Tensor, " row"], last: Int[Tensor, " row"], num_pieces: int
) -> RowPieces:
    """Pieces `first` to `last` of text `sentence` for each row, in texts padded to `num_pieces`."""
    start, sizes = sentence * num_pieces + first, last - first + 1
    if bool((sizes == 1).all()):
        return RowPieces(start, None, sizes)
    row = torch.repeat_interleave(torch.arange(len(sizes), device=sizes.device), sizes)
    within = torch.arange(len(row), device=row.device) - (torch.cumsum(sizes, dim=0) - sizes)[row]
    return RowPieces(start[row] + within, row, sizes)


def pool_rows(states: Float[Tensor, "sentence piece dim"], found: RowPieces) -> Float[Tensor, "row dim"]:
    """One vector a row, the mean of its pieces, in float32."""
    chosen = states.flatten(0, 1).index_select(0, found.pieces).float()
    if found.row is None:
        return chosen
    sums = chosen.new_zeros(len(found.sizes), chosen.shape[1]).index_add_(0, found.row, chosen)
    return sums / found.sizes[:, None]


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
    found = find_pieces(*chosen, num_pieces=reading.mask.shape[1])
    states = torch.stack([encoder.finish(pool_rows(state, found), unit) for state in reading.hidden_states])
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
