"""An ordinary pass through a frozen encoder that can go on from any of its layers with other states.

What an encoder does with a feature shows when its states are changed at one layer and the rest of the encoder is left
to work on them (amnesic probing: Elazar et al. 2021, section 3; activation patching: Vig et al. 2020).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from probes.encoder.frozen import FrozenEncoder
from probes.errors import EncoderError

# Their blocks stand in a row, each made from the states of the one before, and nothing comes after the last.
FAMILIES = ("bert", "roberta")


@dataclass(frozen=True)
class Pass:
    """A batch of texts as an encoder read it; made by `begin_pass`."""

    encoder: FrozenEncoder
    states: tuple[Float[Tensor, "text piece dim"], ...]
    """All hidden states: 0 is the output of the embeddings, k that of block k."""
    arguments: tuple[Any, ...]
    """What transformers gives to every block behind its states: masks in the form of the attention in use."""
    options: Mapping[str, Any]

    def resume(
        self, layer: int, edited: Float[Tensor, "text piece dim"]
    ) -> tuple[Float[Tensor, "text piece dim"], ...]:
        """Hidden states `layer` to L if state `layer` had been `edited`: that itself, and what later blocks make of it.

        With the pass's own states these come back bit for bit. Raises EncoderError for a layer that does not exist.
        """
        last = len(self.states) - 1
        if not 0 <= layer <= last:
            raise EncoderError(
                f"Encoder {self.encoder.config.name!r} can go on from layer 0 (the embeddings) to {last}, but layer "
                f"{layer} was asked for. Choose one of these."
            )
        made = [edited.to(self.states[layer].dtype)]
        with computing(self.encoder):
            for block in find_blocks(self.encoder)[layer:]:
                made.append(block(made[-1], *self.arguments, **self.options))
        return tuple(made)


def begin_pass(encoder: FrozenEncoder, batch: dict[str, Tensor]) -> Pass:
    """Read padded texts (`FrozenEncoder.pad`) and keep what is needed to go on from any layer.

    Raises EncoderError for an encoder whose blocks cannot be run one by one.
    """
    caught: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def catch(module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        caught.append((arguments[1:], options))

    handle = find_blocks(encoder)[0].register_forward_pre_hook(catch, with_kwargs=True)
    try:
        states = encoder.forward({name: part.to(encoder.device) for name, part in batch.items()}).hidden_states
    finally:
        handle.remove()
    arguments, options = caught[0]
    return Pass(encoder, states, arguments, options)


def find_blocks(encoder: FrozenEncoder) -> nn.ModuleList:
    """The blocks in their order.

    Raises EncoderError for another family than BERT and RoBERTa, for decoders, which keep what they have read from
    one call to the next, and for compiled encoders, whose blocks cannot be seen.
    """
    settings = encoder.model.config
    if settings.model_type not in FAMILIES or encoder.is_causal:
        kind = f"a decoder of kind {settings.model_type!r}" if encoder.is_causal else f"of kind {settings.model_type!r}"
        raise EncoderError(
            f"An encoder that goes on from edited states should be of kind {' or '.join(map(repr, FAMILIES))}, but "
            f"{encoder.config.name!r} is {kind}. Use another encoder."
        )
    if encoder.config.compile:
        raise EncoderError(
            f"An encoder that goes on from edited states should not be compiled, but {encoder.config.name!r} is: its "
            f"blocks cannot be run one by one. Set encoder.compile to false."
        )
    return cast(Any, encoder.model).encoder.layer


@contextmanager
def computing(encoder: FrozenEncoder) -> Iterator[None]:
    """Without gradients, at the encoder's compute precision."""
    precision = getattr(torch, encoder.config.compute_dtype)
    is_mixed = precision != encoder.model.dtype
    with torch.inference_mode(), torch.autocast(encoder.device.type, precision, enabled=is_mixed):
        yield
