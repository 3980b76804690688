"""A planned batch: its padded pieces, and its rows in every cache that lacks them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from probes.encoder.make import Making, store_dtype
from probes.encoder.one_pass import Pass
from probes.encoder.pool import find_pieces, pool_rows


class PlannedBatches(Dataset):
    """Padded pieces of each batch, and for every cache that lacks it the pieces that its rows are made from."""

    def __init__(self, one_pass: Pass) -> None:
        self.one_pass = one_pass

    def __len__(self) -> int:
        return len(self.one_pass.mine)

    def __getitem__(self, position: int) -> dict[str, Any]:
        number = self.one_pass.mine[position]
        lacking = self.one_pass.lacking(number)
        making = lacking[0]
        scan, windows = making.scan, making.plan.windows[number]
        pieces, segments = (
            [scan.columns[name][scan.piece_offsets[w] : scan.piece_offsets[w + 1]] for w in windows]
            for name in ("piece", "segment")
        )
        return {
            "number": number,
            "inputs": making.encoder.pad_pieces(pieces, segments),
            "rows": [pieces_of_rows(one, number) for one in lacking],
        }


def pieces_of_rows(making: Making, number: int) -> tuple[torch.Tensor, ...]:
    """Of each row of a batch: its text, and the first and last of the pieces that it is the mean of."""
    scan, plan = making.scan, making.plan
    rows = plan.rows.rows(number)
    ranges = slice(int(plan.rows.offsets[number]), int(plan.rows.offsets[number + 1]))
    texts = np.repeat(plan.text[ranges], plan.rows.size[ranges])
    first, last = (scan.columns[name][rows].astype(np.int64) for name in ("first", "last"))
    return tuple(torch.from_numpy(part) for part in (texts, first, last))


def pool_batch(
    making: Making, hidden: Sequence[torch.Tensor], rows: Sequence[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """States of a batch in the precision of a cache, and the largest size in each layer."""
    encoder, device = making.encoder, hidden[0].device
    shape = (len(hidden), len(rows[0]), encoder.dim)
    states = torch.empty(shape, dtype=getattr(torch, store_dtype(encoder, making.unit)), device=device)
    largest = torch.zeros(len(hidden), device=device)
    found = find_pieces(*rows, num_pieces=hidden[0].shape[1])
    for layer, state in enumerate(hidden):
        vectors = encoder.finish(pool_rows(state, found), making.unit)
        states[layer] = vectors
        # NaN stays NaN here. On a CPU this is ten times as fast as a norm, or as looking for finite numbers.
        largest[layer] = torch.stack(torch.aminmax(vectors)).abs().max() if len(vectors) else 0.0
    return states, largest
