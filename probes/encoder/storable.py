"""Whether the states of a batch can be stored, and which sentence is in the way."""

import numpy as np
import torch

from probes.encoder.make import Making
from probes.errors import EncoderError

LARGEST_FLOAT16 = 65504.0


def check_states(making: Making, number: int, states: torch.Tensor, largest: torch.Tensor) -> None:
    """Raise EncoderError for a state of a batch that is no number or that its precision on disk cannot hold.

    `states` are [layer, row, dim] as they will be stored, `largest` the largest size in each layer before that.
    """
    is_number = torch.isfinite(largest)
    limit = LARGEST_FLOAT16 if states.dtype == torch.float16 else float("inf")
    if bool(is_number.all()) and float(largest.max()) <= limit:
        return
    layer = int((~is_number | (largest > limit)).nonzero()[0])
    # Not below the limit: NaN is not, and 65510 is stored as 65504.
    bad = (~(states[layer].abs() < limit)).any(dim=1).nonzero()
    sentence_id, split = _sentence_of(making, int(making.plan.rows.rows(number)[int(bad[0])]))
    if not bool(is_number[layer]):
        raise EncoderError(
            f"States should be finite numbers, but sentence {sentence_id!r} of split {split!r} has NaN or "
            f"infinity at layer {layer}. Look at this sentence, or compute in float32. "
            f"What was computed before stays for the next call."
        )
    raise EncoderError(
        f"States stored as float16 should stay within 65504, but sentence {sentence_id!r} of split "
        f"{split!r} has {float(largest[layer]):.0f} at layer {layer}. Set encoder.store_dtype to float32."
    )


def _sentence_of(making: Making, row: int) -> tuple[str, str]:
    scan = making.scan
    sentence = int(np.searchsorted(scan.row_offsets, row, side="right")) - 1
    for split, ids in scan.ids.items():
        if sentence < len(ids):
            return ids[sentence], split
        sentence -= len(ids)
    raise IndexError(row)
