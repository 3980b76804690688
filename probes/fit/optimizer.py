"""Element-wise optimisers in which every probe has a step size of its own."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.config import FitConfig

EPSILON = 1e-8


class ElementWise:
    """SGD, Adam or AdamW over parameters [layer, probe, out, in] with a step size [layer, probe].

    For one probe it takes the steps of torch.optim's class of that name (SGD without momentum, eps 1e-8).
    Nothing is shared between probes: no norm is taken over more than one element.
    """

    def __init__(self, parameters: Mapping[str, Tensor], config: FitConfig) -> None:
        self.parameters, self.config, self.steps = dict(parameters), config, 0
        has_moments = config.optimizer != "sgd"
        self.first = {key: torch.zeros_like(value) for key, value in parameters.items() if has_moments}
        self.second = {key: torch.zeros_like(value) for key, value in parameters.items() if has_moments}

    @torch.no_grad()
    def step(self, gradients: Mapping[str, Tensor], step_size: Float[Tensor, "layer probe"]) -> None:
        """Move every parameter against its gradient; weight decay is AdamW's (Loshchilov and Hutter 2019)."""
        self.steps += 1
        by_probe = step_size[:, :, None, None]
        for key, parameter in self.parameters.items():
            change = gradients[key] if self.config.optimizer == "sgd" else self._adam(key, gradients[key])
            if self.config.optimizer == "adamw" and not key.startswith("bias"):
                parameter.mul_(1 - by_probe * self.config.weight_decay)
            parameter.addcmul_(change, by_probe, value=-1)

    def _adam(self, key: str, gradient: Tensor) -> Tensor:
        first, second = self.first[key], self.second[key]
        beta_1, beta_2 = self.config.betas
        first.lerp_(gradient, 1 - beta_1)
        second.mul_(beta_2).addcmul_(gradient, gradient, value=1 - beta_2)
        correction = 1 - beta_1**self.steps, (1 - beta_2**self.steps) ** 0.5
        root = second.sqrt().div_(correction[1]).add_(EPSILON)
        return torch.div(first, root, out=root).div_(correction[0])

    def keep(self, layers: Int[Tensor, " kept"], probes: Int[Tensor, "kept probe"]) -> None:
        """Go on with these probes of these layers only."""
        for held in (self.parameters, self.first, self.second):
            for key, value in held.items():
                held[key] = value.detach()[layers[:, None], probes]
