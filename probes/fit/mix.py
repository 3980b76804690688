"""Scalar mixes: probes that read a learnt weighted sum of several layers (Peters et al. 2018, section 3.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from probes.config import FitConfig
from probes.fit.edge import Edge
from probes.fit.family import Drop, ProbeFamily, keep_all
from probes.fit.loss import Tally
from probes.fit.optimizer import ElementWise
from probes.fit.schedule import Schedule
from probes.seed import stream_seed

Loss = Literal["softmax", "sigmoid"]
# Names that begin with `bias` are neither penalised nor decayed.
SCORES, GAMMA = "bias_mix", "bias_gamma"


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known of the examples of one split."""

    labels: Int[Tensor, " example"]
    groups: Int[Tensor, " example"]
    lengths: Int[Tensor, "example slot"] | None = None
    """Words of each span, where the probe reads spans."""

    def to(self, device: torch.device) -> "Answers":
        lengths = None if self.lengths is None else self.lengths.to(device)
        return Answers(self.labels.to(device), self.groups.to(device), lengths)


@dataclass(frozen=True, slots=True)
class MixShape:
    """Probe p reads a mix of the layers where `reads[p]`, under penalty `l2[p]` and step size `step_size[p]`."""

    family: ProbeFamily
    num_outputs: int
    reads: Bool[Tensor, "probe layer"]
    l2: Float[Tensor, " probe"]
    step_size: Float[Tensor, " probe"]
    counts: Float[Tensor, "probe group"]
    """How often the examples of each group of train count: once, or as often as a bootstrap drew the group."""
    basis: Float[Tensor, "probe feature white"]
    """Coordinates in which the steps of each probe are taken, and what they add to the penalty: FeatureStatistics."""
    penalty: Float[Tensor, "probe white"]
    loss: Loss = "softmax"
    """`sigmoid`: a binary cross-entropy for each label, as if they did not exclude each other."""


@dataclass(frozen=True, slots=True)
class BestMixes:
    """Every probe at its best epoch."""

    parameters: dict[str, Float[Tensor, "probe 1 out in"]]
    """Of mixed features, not of white coordinates; the mix's own among them."""
    epochs: Int[Tensor, " probe"]
    accuracy: Float[Tensor, " probe"]
    loss: Float[Tensor, " probe"]
    has_diverged: Bool[Tensor, " probe"]

    def take(self, probes: Int[Tensor, " some"]) -> "BestMixes":
        """Some of the probes."""
        parameters = {name: value[probes] for name, value in self.parameters.items()}
        kept = (value[probes] for value in (self.epochs, self.accuracy, self.loss, self.has_diverged))
        return BestMixes(parameters, *kept)


def mix_weights(
    scores: Float[Tensor, "probe layer"], reads: Bool[Tensor, "probe layer"]
) -> Float[Tensor, "probe layer"]:
    """Share of each layer in each probe's mix: the softmax of its scores over the layers that it reads.

    >>> mix_weights(torch.zeros(2, 3), torch.tensor([[True, False, False], [True, True, False]])).tolist()
    [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]
    """
    return torch.softmax(scores.masked_fill(~reads, -torch.inf), dim=1)


def mix_logits(
    family: ProbeFamily,
    parameters: Mapping[str, Float[Tensor, "probe 1 out in"]],
    reads: Bool[Tensor, "probe layer"],
    states: Float[Tensor, "layer row feature"],
    drop: Drop = keep_all,
) -> Float[Tensor, "probe 1 output example"]:
    """Answers of every probe to gamma times its mix of the layers.

    Every mix stands in the place of a layer: to a family, the probes are layers with one probe each.
    """
    weights = parameters[GAMMA][:, 0, 0] * mix_weights(parameters[SCORES][:, 0, 0], reads)
    mixed = torch.matmul(weights, states.flatten(1)).unflatten(1, states.shape[1:])
    return family.logits(parameters, mixed, drop)


class MixBank(nn.Module):
    """Mixes that are fitted together. They share rows, one product that mixes, and nothing else.

    Every mix begins with equal weights and gamma 1. Of a single layer gamma stays 1: the probe alone can scale it.
    """

    def __init__(
        self,
        shape: MixShape,
        answers: Mapping[str, Answers],
        config: FitConfig,
        *,
        num_steps: int,
        seed: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.shape, self.answers, self.config = shape, dict(answers), config
        num_probes, num_layers = shape.reads.shape
        stream = torch.Generator().manual_seed(stream_seed(seed, "fit.init", config.init))
        self.weights = nn.ParameterDict()
        for name, size in shape.family.shapes(shape.basis.shape[2], shape.num_outputs).items():
            start = shape.family.start(name, size, stream).to(dtype)
            self.weights[name] = nn.Parameter(start.expand(num_probes, 1, *size).clone())
        self.weights[SCORES] = nn.Parameter(torch.zeros(num_probes, 1, 1, num_layers, dtype=dtype))
        self.weights[GAMMA] = nn.Parameter(torch.ones(num_probes, 1, 1, 1, dtype=dtype))
        self.basis: Tensor
        self.penalty: Tensor
        self.l2: Tensor
        self.counts: Tensor
        self.reads: Tensor
        for name in ("basis", "penalty", "l2"):
            self.register_buffer(name, getattr(shape, name).to(dtype))
        # An example counts once on average, so that the penalty keeps its strength.
        sizes = torch.bincount(answers["train"].groups, minlength=shape.counts.shape[1]).to(dtype)
        means = shape.counts.to(dtype) @ sizes / sizes.sum()
        self.register_buffer("counts", shape.counts.to(dtype) / means[:, None])
        self.register_buffer("reads", shape.reads)
        self.layers = torch.arange(num_layers)
        self.schedule = Schedule(config, num_steps, shape.step_size.to(dtype, copy=True)[:, None])
        self.best = {name: value.detach().clone() for name, value in self.weights.items()}
        self.best_accuracy, self.best_loss = (torch.full((num_probes, 1), torch.nan).double() for _ in range(2))
        self.has_diverged = torch.zeros(num_probes, 1, dtype=torch.bool)
        self.optimizer: ElementWise | None = None
        self.tally: Tally | None = None

    def place(self, device: torch.device) -> None:
        """Move what a step reads to a device; called once, before the first step."""
        self.to(device)
        self.answers = {split: values.to(device) for split, values in self.answers.items()}
        self.schedule.step_size = self.schedule.step_size.to(device)
        self.optimizer = ElementWise(dict(self.weights), self.config)

    def train_step(self, states: Float[Tensor, "layer row feature"], examples: Tensor, drop: Drop) -> None:
        """One step of every probe."""
        assert self.optimizer is not None
        answers = self.answers["train"]
        with torch.enable_grad():
            losses = row_losses(
                self._logits("train", states, examples, drop), answers.labels[examples], self.shape.loss
            )
            loss = (losses * self.counts[:, answers.groups[examples]]).mean(dim=1).sum()
            # In a batch of spans of one word, attention has nothing to choose between.
            found = torch.autograd.grad(loss, list(self.weights.values()), allow_unused=True, materialize_grads=True)
        gradients = dict(zip(self.weights, found, strict=True))
        self._add_penalty(gradients)
        gradients[GAMMA] *= (self.reads.sum(dim=1) > 1)[:, None, None, None]
        self.optimizer.step(gradients, self.schedule.next_step())

    def start_dev(self) -> None:
        self.tally = Tally.empty("class", (len(self.shape.l2), 1))

    def read_dev(self, states: Float[Tensor, "layer row feature"], examples: Tensor) -> None:
        assert self.tally is not None
        labels = self.answers["dev"].labels[examples].expand(len(self.shape.l2), 1, -1)
        self.tally.add(self._logits("dev", states, examples), labels)

    def end_epoch(self) -> None:
        """Keep what is best so far; a probe that is not finite ends and leaves the others alone."""
        assert self.tally is not None
        accuracy, loss = self.tally.accuracy(), self.tally.mean_loss()
        is_finite = torch.isfinite(loss)
        score = accuracy if self.config.select == "accuracy" else -loss
        self.has_diverged |= self.schedule.is_running & ~is_finite
        is_best = self.schedule.observe(torch.where(is_finite, score, -torch.inf))
        for name, value in self.weights.items():
            self.best[name][is_best] = value.detach().cpu()[is_best]
        self.best_accuracy[is_best], self.best_loss[is_best] = accuracy[is_best], loss[is_best]
        self.schedule.is_running &= is_finite
        if not self.schedule.is_running.any():
            self.layers = self.layers[:0]

    def result(self) -> BestMixes:
        """Every probe at its best epoch, its weights those of mixed features."""
        parameters, reads = dict(self.best), self.shape.family.reads
        parameters[reads] = _to_features(parameters[reads], self.shape.basis.to(parameters[reads].dtype))
        found = (self.schedule.best_epoch, self.best_accuracy, self.best_loss, self.has_diverged)
        return BestMixes(parameters, *(values[:, 0] for values in found))

    def _logits(self, split: str, states: Tensor, examples: Tensor, drop: Drop = keep_all) -> Tensor:
        parameters, reads = (
            {name: value.to(states.dtype) for name, value in self.weights.items()},
            self.shape.family.reads,
        )
        if self.config.features == "white":
            parameters[reads] = _to_features(parameters[reads], self.basis.to(states.dtype))
        family = family_for(self.shape.family, self.answers[split], examples)
        return mix_logits(family, parameters, self.reads, states, drop)

    def _add_penalty(self, gradients: dict[str, Tensor]) -> None:
        l2 = self.l2[:, None, None, None]
        for name, gradient in gradients.items():
            if name == self.shape.family.reads:
                gradient.addcmul_(self.weights[name].detach(), l2 * self.penalty[:, None, None])
            elif not name.startswith("bias"):
                gradient.addcmul_(self.weights[name].detach(), l2)


def family_for(family: ProbeFamily, answers: Answers, examples: Int[Tensor, " example"]) -> ProbeFamily:
    """A family that knows how long the spans of some examples are, if it reads spans."""
    if not isinstance(family, Edge) or answers.lengths is None:
        return family
    return replace(family, lengths=answers.lengths[examples])


def row_losses(
    logits: Float[Tensor, "probe 1 output row"], labels: Int[Tensor, " row"], loss: Loss
) -> Float[Tensor, "probe row"]:
    """Negative log-likelihood of the label of each row, or the sum over labels of binary cross-entropies."""
    # bfloat16 is for products; a likelihood is summed in float32.
    wide = logits[:, 0].to(torch.promote_types(logits.dtype, torch.float32))
    if loss == "softmax":
        return F.cross_entropy(wide, labels.expand(len(wide), -1), reduction="none")
    wanted = F.one_hot(labels, wide.shape[1]).T.expand_as(wide).to(wide.dtype)
    return F.binary_cross_entropy_with_logits(wide, wanted, reduction="none").sum(dim=1)


def _to_features(
    white: Float[Tensor, "probe 1 out white"], basis: Float[Tensor, "probe feature white"]
) -> Float[Tensor, "probe 1 out feature"]:
    return torch.matmul(white, basis.transpose(1, 2)[:, None])
