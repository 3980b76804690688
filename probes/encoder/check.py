"""Proof, before anything is cached, that a text's states do not depend on what stands beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from probes.encoder.frozen import FrozenEncoder
from probes.encoder.text import Text
from probes.errors import EncoderError
from probes.types import Pair

CHECKED_PIECES = 128  # padding that is read shows as soon as there is some; longer texts would only take longer
# Share of a state's length by which rounding may move it: some ten times what was seen on a 6-block BERT.
# A wrong mask moves states by tenths.
TOLERANCE = {"float32": 1e-4, "float16": 3e-2, "bfloat16": 1e-1}


def check_invariance(encoder: FrozenEncoder, texts: list[Text]) -> None:
    """Read the shortest text alone, and again beside a longer one; raise EncoderError if its states differ.

    An encoder that ignores its attention mask mixes padding into every state.
    """
    longer = _thrice(max(texts, key=_length))
    limit = min(encoder.max_pieces, CHECKED_PIECES)
    # Half of the limit: a text that fills it would have no padding beside any other.
    first = encoder.tokenize([min(texts, key=_length)], max_pieces=max(3, limit // 2))
    second = encoder.tokenize([longer], max_pieces=limit)
    with _all_digits():
        alone = _states(encoder, dict(first))
        beside = _states(encoder, {name: [*first[name], *second[name]] for name in first})[:, :1, : alone.shape[2]]
    moved = (alone - beside).norm(dim=-1) / alone.norm(dim=-1).clamp_min(torch.finfo(torch.float32).tiny)
    worst = float(moved.max())
    precision = encoder.config.compute_dtype
    if not worst <= TOLERANCE[precision]:
        layer = encoder.layers[int(moved.flatten(1).max(dim=1).values.argmax())]
        raise EncoderError(
            f"The states of a text should not depend on padding, but those of {encoder.config.name!r} move by "
            f"{worst:.1%} at layer {layer} when the text stands beside a longer one ({precision} allows "
            f"{TOLERANCE[precision]:.2%}). This encoder ignores its attention mask, or gives NaN; do not probe it."
        )


@contextmanager
def _all_digits() -> Iterator[None]:
    """Products of float32 with all their digits, whatever was asked for: a mask is heeded or not at any precision."""
    asked = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(asked)


def _length(text: Text) -> int:
    return sum(map(len, text)) if isinstance(text, Pair) else len(text)


def _thrice(text: Text) -> Text:
    if isinstance(text, Pair):
        return Pair(*(" ".join([part] * 3) for part in text))
    return " ".join([text] * 3) if isinstance(text, str) else text * 3


def _states(encoder: FrozenEncoder, encoding: dict[str, Any]) -> Float[Tensor, "layer sentence piece dim"]:
    return torch.stack(encoder.forward(encoder.pad(encoding)).hidden_states).float()
