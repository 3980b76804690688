"""The edge probe by torch's own modules, one example and one span at a time."""

import torch
from torch import Tensor, nn


def slow_edge(parameters: dict[str, Tensor], spans: list[list[Tensor]], *, projection: int) -> Tensor:
    """Logits [example, output] of examples given as the states [word, dim] of each of their spans."""
    hidden, num_outputs = len(parameters["bias_hidden"]), len(parameters["bias_output"])
    first = nn.Linear(parameters["weight_hidden"].shape[1], hidden).double()
    norm, last = nn.LayerNorm(hidden).double(), nn.Linear(hidden, num_outputs).double()
    with torch.no_grad():
        first.weight.copy_(parameters["weight_hidden"])
        first.bias.copy_(parameters["bias_hidden"][:, 0])
        norm.weight.copy_(1 + parameters["bias_gain"][:, 0])
        norm.bias.copy_(parameters["bias_norm"][:, 0])
        last.weight.copy_(parameters["weight_output"])
        last.bias.copy_(parameters["bias_output"][:, 0])
        answers = []
        for example in spans:
            pooled = []
            for slot, words in enumerate(example):
                part = slice(slot * projection, (slot + 1) * projection)
                projected = [
                    parameters["weight_span"][part] @ word + parameters["bias_span"][part, 0] for word in words
                ]
                scores = torch.stack([parameters["weight_attention"][slot] @ one for one in projected])
                shares = torch.softmax(scores, dim=0)
                pooled.append(sum((share * one for share, one in zip(shares, projected, strict=True)), torch.zeros(())))
            answers.append(last(norm(torch.tanh(first(torch.cat(pooled))))))
    return torch.stack(answers)
