"""Untrained twins: the same architecture, weights that never saw text."""

from typing import cast

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel

from probes.config import TwinConfig
from probes.errors import EncoderError
from probes.seed import stream_seed


def build_twin(pretrained: PreTrainedModel, config: TwinConfig) -> PreTrainedModel:
    """A copy of `pretrained` whose parameters are drawn anew from its configuration and the twin's seed.

    `init_weights()` on a loaded model changes nothing in transformers 5 (its modules are flagged as
    initialised), so the twin is built from the configuration, and no tensor may equal the pretrained one.
    `random_blocks` then takes the pretrained embeddings back. Raises EncoderError if weights are left over.
    """
    has_pooler = getattr(pretrained, "pooler", None) is not None
    options = {} if has_pooler or not hasattr(pretrained, "pooler") else {"add_pooling_layer": False}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "encoder.twin"))
        twin = AutoModel.from_config(pretrained.config, dtype=pretrained.dtype, **options)
    left = unchanged_parameters(twin, pretrained)
    if left:
        raise EncoderError(
            f"An untrained twin should share no parameter with its pretrained encoder, but {len(left)} are equal, "
            f"{left[0]} among them. This architecture cannot be re-initialised from its configuration."
        )
    if config.kind == "random_blocks":
        _embeddings(twin).load_state_dict(_embeddings(pretrained).state_dict())
    return twin


def _embeddings(model: PreTrainedModel) -> nn.Module:
    """The module whose output is hidden state 0; raises EncoderError where it is not one module."""
    settings = model.config
    is_projected = getattr(settings, "embedding_size", settings.hidden_size) != settings.hidden_size
    if is_projected or not isinstance(getattr(model, "embeddings", None), nn.Module):
        raise EncoderError(
            f"A twin of kind random_blocks keeps the module that makes hidden state 0, but in {type(model).__name__} "
            f"this is not one module of its own. Use kind: untrained."
        )
    return cast(nn.Module, model.embeddings)


def unchanged_parameters(twin: PreTrainedModel, pretrained: PreTrainedModel) -> list[str]:
    """Names of the parameters with equal values in both.

    Constant vectors (LayerNorm gains of one, biases of zero) do not count: an encoder that was never trained
    has them too.
    """
    others = dict(pretrained.named_parameters())
    return [
        name
        for name, parameter in twin.named_parameters()
        if torch.equal(parameter, others[name]) and not bool((parameter == parameter.flatten()[0]).all())
    ]
