"""The rest of a BERT or RoBERTa written out by hand: its own mask, one block after another, eager attention."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def continue_by_hand(model, layer: int, states: Tensor, mask: Tensor) -> list[Tensor]:
    """Hidden states `layer` to L when state `layer` is `states`; `mask` is 1 where a piece is."""
    made = [states]
    closed = (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
    with torch.no_grad():
        for block in model.encoder.layer[layer:]:
            made.append(_block(block, made[-1], closed, model.config.num_attention_heads))
    return made


def _block(block, states: Tensor, closed: Tensor, num_heads: int) -> Tensor:
    attention = block.attention
    query, key, value = (_heads(getattr(attention.self, name)(states), num_heads) for name in ("query", "key", "value"))
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + closed
    mixed = (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2)
    attended = attention.output.LayerNorm(attention.output.dense(mixed) + states)
    hidden = F.gelu(block.intermediate.dense(attended))
    return block.output.LayerNorm(block.output.dense(hidden) + attended)


def _heads(states: Tensor, num_heads: int) -> Tensor:
    num_texts, num_pieces, dim = states.shape
    return states.reshape(num_texts, num_pieces, num_heads, dim // num_heads).transpose(1, 2)
