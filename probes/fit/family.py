"""Kinds of probe: what one probe's parameters are, and how all probes of one shape answer at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from itertools import pairwise
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from probes.config import FitConfig
from probes.errors import ConfigError, list_names

Parameters = Mapping[str, Float[Tensor, "layer probe out in"]]
Drop = Callable[[Tensor, float], Tensor]
"""Sets a share of the features of [..., feature, row] to zero and scales the rest, alike for every probe."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


def keep_all(values: Tensor, share: float) -> Tensor:
    """No dropout: how a probe answers when it is not being fitted."""
    return values


@runtime_checkable
class ProbeFamily(Protocol):
    """Probes of one shape. Every parameter of a stack has the axes [layer, probe, out, in].

    A family of one's own is offered as an entry point `probes.fits`: a function from FitConfig to an object
    with these members.
    """

    reads: str
    """Name of the parameter that multiplies the features; its `in` axis is theirs."""

    def shapes(self, num_features: int, num_outputs: int) -> dict[str, tuple[int, int]]:
        """(out, in) of each parameter of one probe. Those whose name begins with `bias` are not penalised."""
        ...

    def start(self, name: str, shape: tuple[int, int], stream: torch.Generator) -> Float[Tensor, "out in"]:
        """First values of one parameter."""
        ...

    def logits(
        self, parameters: Parameters, states: Float[Tensor, "layer row feature"], drop: Drop
    ) -> Float[Tensor, "layer probe output row"]:
        """Answers of every probe of every layer."""
        ...


@dataclass(frozen=True, slots=True)
class Chain:
    """Affine maps one after another: linear without hidden units, of limited rank with hidden units and no
    activation, else a multi-layer perceptron.

    Linear probes begin at zero: their problem is convex. Others begin uniform within 1/sqrt(in), the same values
    for every probe of a shape: what differs between two probes is then never their start.
    """

    hidden: tuple[int, ...] = ()
    activation: str | None = None
    dropout: float = 0.0
    """Share of hidden units that are set to zero."""
    input_dropout: float = 0.0
    reads = "weight_0"

    def shapes(self, num_features: int, num_outputs: int) -> dict[str, tuple[int, int]]:
        sizes = (num_features, *self.hidden, num_outputs)
        shapes = {}
        for number, (before, after) in enumerate(pairwise(sizes)):
            shapes[f"weight_{number}"] = (after, before)
            if self.activation is not None or number == len(self.hidden):
                shapes[f"bias_{number}"] = (after, 1)
        return shapes

    def start(self, name: str, shape: tuple[int, int], stream: torch.Generator) -> Float[Tensor, "out in"]:
        if not self.hidden:
            return torch.zeros(shape)
        bound = shape[1] ** -0.5 if name.startswith("weight") else 0.0
        return (torch.rand(shape, generator=stream) * 2 - 1) * bound

    def logits(
        self, parameters: Parameters, states: Float[Tensor, "layer row feature"], drop: Drop
    ) -> Float[Tensor, "layer probe output row"]:
        features = drop(states.transpose(1, 2), self.input_dropout)
        weight = parameters["weight_0"]
        # Every probe of a layer reads the same rows: one product for all of them.
        values = torch.bmm(weight.flatten(1, 2), features).unflatten(1, weight.shape[1:3])
        for number in range(len(self.hidden) + 1):
            if number:
                values = drop(values, self.dropout)
                values = torch.matmul(parameters[f"weight_{number}"], values)
            if (bias := parameters.get(f"bias_{number}")) is not None:
                values = values + bias
            if self.activation is not None and number < len(self.hidden):
                values = ACTIVATIONS[self.activation](values)
        return values


def make_linear(config: FitConfig) -> Chain:
    """A linear probe; of limited rank if one is given (Hewitt and Liang 2019, section 3.2)."""
    hidden = () if config.rank is None else (config.rank,)
    return Chain(hidden, None, dropout=0.0, input_dropout=config.input_dropout)


def make_mlp(config: FitConfig) -> Chain:
    """A perceptron with one or two hidden layers (Hewitt and Liang 2019, section 3.2)."""
    return Chain(config.hidden, config.activation, config.dropout, config.input_dropout)


FAMILIES: dict[str, Callable[[FitConfig], ProbeFamily]] = {"linear": make_linear, "mlp": make_mlp}


def make_family(config: FitConfig) -> ProbeFamily:
    """The family that `fit.probe` names; raises ConfigError for a name that nobody knows."""
    if config.probe in FAMILIES:
        return FAMILIES[config.probe](config)
    found = {point.name: point for point in entry_points(group="probes.fits")}
    if config.probe not in found:
        raise ConfigError(
            f"Unknown probe {config.probe!r}. Known probes are {list_names(config.probe, [*FAMILIES, *found])}. "
            f"Choose one of these, or offer your own as an entry point 'probes.fits'."
        )
    return found[config.probe].load()(config)
