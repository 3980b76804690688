"""The output of a frozen encoder: what the masked-word head of its checkpoint makes of its last states."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM

from probes.encoder.frozen import FrozenEncoder
from probes.encoder.intervention import computing
from probes.encoder.load import quiet_transformers, read_encoder_config
from probes.encoder.place import locate_encoder
from probes.errors import EncoderError

HEADS = {"bert": "cls", "roberta": "lm_head"}


class NoHeadError(EncoderError):
    """An encoder without a trained masked-word head: it has states, and no output."""


@dataclass(frozen=True)
class MaskedHead:
    """From a last hidden state to the piece that belongs there; made by `load_head`."""

    encoder: FrozenEncoder
    module: nn.Module
    mask_id: int
    """The piece that hides a word, [MASK]."""

    def log_probabilities(self, states: Float[Tensor, "row dim"]) -> Float[Tensor, "row piece"]:
        """Natural logarithm of the probability of every piece of the vocabulary, in float32."""
        with computing(self.encoder):
            return self.module(states).float().log_softmax(dim=-1)


def load_head(encoder: FrozenEncoder) -> MaskedHead:
    """The head that was trained with these very weights.

    Raises NoHeadError where there is none: for another family, a checkpoint without a head (transformers would draw a
    random one, as it tells in its loading info), an untrained twin, an encoder of its first blocks only, and a
    tokenizer without a mask.
    """
    config, mask_id = encoder.config, encoder.tokenizer.mask_token_id
    kind = encoder.model.config.model_type
    if kind not in HEADS:
        raise _no_head(encoder, f"is of kind {kind!r}, not {' or '.join(map(repr, HEADS))}")
    if config.twin is not None:
        raise _no_head(encoder, f"is a twin of kind {config.twin.kind!r}, and no head was trained with its weights")
    num_blocks = read_encoder_config(config.model_copy(update={"num_layers": None})).num_hidden_layers
    if len(encoder.layers) <= num_blocks:
        raise _no_head(
            encoder, f"has its first {len(encoder.layers) - 1} blocks, and the head reads block {num_blocks}"
        )
    if mask_id is None:
        raise _no_head(encoder, "has a tokenizer without a mask")
    with quiet_transformers():
        model, info = AutoModelForMaskedLM.from_pretrained(
            locate_encoder(config.name),
            revision=config.revision or "main",
            dtype=getattr(torch, config.load_dtype),
            output_loading_info=True,
        )
    if missing := sorted(info["missing_keys"]):
        raise _no_head(encoder, f"comes from a checkpoint that lacks {missing[0]}, which would be random")
    return MaskedHead(encoder, _freeze(getattr(model, HEADS[kind]), encoder), cast(int, mask_id))


def _freeze(module: Any, encoder: FrozenEncoder) -> nn.Module:
    return module.to(encoder.device, encoder.model.dtype).eval().requires_grad_(False)


def _no_head(encoder: FrozenEncoder, reason: str) -> NoHeadError:
    return NoHeadError(
        f"Predicting masked words needs a head that was trained with the encoder, but {encoder.config.name!r} "
        f"{reason}. Use a checkpoint with a masked-word head, or measure later layers only."
    )
