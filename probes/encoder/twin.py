"""Untrained twins: the same architecture, weights that never saw text."""

from collections.abc import Iterator
from inspect import signature
from typing import cast

import torch
from torch import nn
from transformers import AutoModel, PreTrainedModel

from probes.config import TwinConfig
from probes.errors import EncoderError
from probes.seed import stream_seed

PUBLISHED_BIAS = 0.01


def build_twin(pretrained: PreTrainedModel, config: TwinConfig) -> PreTrainedModel:
    """A copy of `pretrained` whose parameters are drawn anew from its configuration and the twin's seed.

    `init_weights()` on a loaded model changes nothing in transformers 5 (its modules are flagged as
    initialised), so the twin is built from the configuration, and no tensor may equal the pretrained one.
    `random_blocks` then takes the pretrained embeddings back, `kept_norms` the norms. Raises EncoderError if
    weights are left over.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(config.seed, "encoder.twin"))
        twin = _draw(pretrained, config.kind)
    left = unchanged_parameters(twin, pretrained)
    if left:
        raise EncoderError(
            f"An untrained twin should share no parameter with its pretrained encoder, but {len(left)} are equal, "
            f"{left[0]} among them. This architecture cannot be re-initialised from its configuration."
        )
    if config.kind == "random_blocks":
        _embeddings(twin).load_state_dict(_embeddings(pretrained).state_dict())
    if config.kind == "kept_norms":
        norms = dict(pretrained.named_modules())
        for name, module in _owners(twin):
            if _is_norm(module):
                module.load_state_dict(norms[name].state_dict())
    return twin


def _draw(pretrained: PreTrainedModel, kind: str) -> PreTrainedModel:
    """A model of the same configuration; a pooler is drawn last, so that below it a twin is the same without one."""

    def draw(**options: bool) -> PreTrainedModel:
        twin = AutoModel.from_config(pretrained.config, dtype=pretrained.dtype, **options)
        if kind == "kept_norms":
            _redraw_as_published(twin)
        return twin

    has_choice = "add_pooling_layer" in signature(type(pretrained).__init__).parameters
    bare = draw(**({"add_pooling_layer": False} if has_choice else {}))
    if not has_choice or getattr(pretrained, "pooler", None) is None:
        return bare
    whole = draw(add_pooling_layer=True)
    whole.load_state_dict(bare.state_dict(), strict=False)
    return whole


def _owners(model: PreTrainedModel) -> Iterator[tuple[str, nn.Module]]:
    """The modules that hold parameters themselves."""
    for name, module in model.named_modules():
        if next(module.parameters(recurse=False), None) is not None:
            yield name, module


def _is_norm(module: nn.Module) -> bool:
    """LayerNorm and its relatives: many architectures have one of their own."""
    return type(module).__name__.endswith("Norm")


def _redraw_as_published(twin: PreTrainedModel) -> None:
    """Linear and Embedding as Jawahar et al. (2019) draw them; raises EncoderError where others hold weights."""
    for name, module in _owners(twin):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.xavier_uniform_(module.weight)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.constant_(module.bias, PUBLISHED_BIAS)
        elif not _is_norm(module):
            raise EncoderError(
                f"A twin of kind kept_norms draws Linear and Embedding modules anew and keeps norms, but in "
                f"{type(twin).__name__} {name or 'the model itself'} is a {type(module).__name__} with weights of its "
                f"own. Use kind: untrained."
            )


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
