"""The edge probe: spans of words, pooled by attention, and what one or two of them are (Tenney et al. 2019a)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.fit.family import Drop, Parameters

# torch's own, as in the published system.
EPSILON = 1e-5


@dataclass(frozen=True, slots=True)
class Edge:
    """Each word is projected, each span pooled to one vector, and the spans' vectors are read by a perceptron.

    The pooling is a mean weighted by a softmax over the span of a learnt score of each projected word (Lee et al.
    2017, section 4); the perceptron is Linear-Tanh-LayerNorm-Dropout-Linear (Tenney et al. 2019a, section 3). Both
    spans of a pair have a projection and scores of their own.
    """

    num_slots: int
    projection: int
    hidden: int
    dropout: float
    lengths: Int[Tensor, "example slot"] | None = None
    """Words of each span of the examples at hand; none for spans of one word."""
    reads = "weight_span"

    def shapes(self, num_features: int, num_outputs: int) -> dict[str, tuple[int, int]]:
        width = self.num_slots * self.projection
        return {
            "weight_span": (width, num_features),
            "bias_span": (width, 1),
            "weight_attention": (self.num_slots, self.projection),
            "weight_hidden": (self.hidden, width),
            "bias_hidden": (self.hidden, 1),
            "bias_gain": (self.hidden, 1),
            "bias_norm": (self.hidden, 1),
            "weight_output": (num_outputs, self.hidden),
            "bias_output": (num_outputs, 1),
        }

    def start(self, name: str, shape: tuple[int, int], stream: torch.Generator) -> Float[Tensor, "out in"]:
        """Weights uniform within 1/sqrt(in), the rest zero: attention starts near the mean of a span."""
        bound = shape[1] ** -0.5 if name.startswith("weight") else 0.0
        return (torch.rand(shape, generator=stream) * 2 - 1) * bound

    def logits(
        self, parameters: Parameters, states: Float[Tensor, "layer word feature"], drop: Drop
    ) -> Float[Tensor, "layer probe output example"]:
        """Answers for each example; the words of the first spans of all examples stand before those of the second."""
        words, spans, start = states.transpose(1, 2)[:, None], [], 0
        for slot in range(self.num_slots):
            lengths = self._lengths(slot, states.shape[1])
            stop = start + int(lengths.sum())
            part = slice(slot * self.projection, (slot + 1) * self.projection)
            projected = torch.matmul(parameters["weight_span"][:, :, part], words[..., start:stop])
            projected = projected + parameters["bias_span"][:, :, part]
            spans.append(pool_spans(projected, parameters["weight_attention"][:, :, slot : slot + 1], lengths))
            start = stop
        hidden = torch.matmul(parameters["weight_hidden"], torch.cat(spans, dim=2)) + parameters["bias_hidden"]
        hidden = _normalise(torch.tanh(hidden)) * (1 + parameters["bias_gain"]) + parameters["bias_norm"]
        return torch.matmul(parameters["weight_output"], drop(hidden, self.dropout)) + parameters["bias_output"]

    def _lengths(self, slot: int, num_words: int) -> Int[Tensor, " example"]:
        if self.lengths is not None:
            return self.lengths[:, slot]
        return torch.ones(num_words // self.num_slots, dtype=torch.long)


def pool_spans(
    words: Float[Tensor, "layer probe unit word"],
    attention: Float[Tensor, "layer probe 1 unit"],
    lengths: Int[Tensor, " example"],
) -> Float[Tensor, "layer probe unit example"]:
    """One vector a span: its words weighted by a softmax over their scores; the spans stand one behind the other."""
    longest = int(lengths.max())
    if longest == 1:
        return words
    within = torch.arange(longest, device=words.device)
    starts = lengths.cumsum(dim=0) - lengths
    is_word = within < lengths[:, None]
    places = torch.where(is_word, starts[:, None] + within, starts[:, None])
    scores = torch.matmul(attention, words)[..., places].masked_fill(~is_word, -torch.inf)
    return (words[..., places] * torch.softmax(scores, dim=-1)).sum(dim=-1)


def _normalise(values: Float[Tensor, "layer probe unit example"]) -> Float[Tensor, "layer probe unit example"]:
    centred = values - values.mean(dim=2, keepdim=True)
    return centred * (centred.square().mean(dim=2, keepdim=True) + EPSILON).rsqrt()
