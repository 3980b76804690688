"""A bank: all probes of one shape in a stack, with their optimiser, schedule and best weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from probes.config import FitConfig
from probes.fit.family import Drop, ProbeFamily, keep_all
from probes.fit.feature import FeatureStatistics
from probes.fit.loss import UNKNOWN, Tally, mean_loss
from probes.fit.optimizer import ElementWise
from probes.fit.schedule import Schedule
from probes.seed import stream_seed
from probes.types import Answer

Wanted = Mapping[str, Tensor]
"""For each split what is to be answered: [target, row], or [target, row, output] for labels and numbers."""


@dataclass(frozen=True, slots=True)
class BankShape:
    """Probe p of layer l answers target `target_of[p]` under penalty `l2[l, p]` and step size `step_size[l, p]`."""

    family: ProbeFamily
    answer: Answer
    num_outputs: int
    target_of: Int[Tensor, " probe"]
    l2: Float[Tensor, "layer probe"]
    step_size: Float[Tensor, "layer probe"]
    partner: Int[Tensor, " row"] | None = None
    """In dev the other row of each minimal pair."""


@dataclass(frozen=True, slots=True)
class BestProbes:
    """Every probe of a bank at its best epoch."""

    parameters: dict[str, Float[Tensor, "layer probe out in"]]
    """Of features, not of white coordinates."""
    white: Float[Tensor, "layer probe out white"]
    """The parameter that reads features, in white coordinates."""
    epochs: Int[Tensor, "layer probe"]
    """Passes over train before the best epoch ended, from 1; 0 where no epoch had finite answers."""
    accuracy: Float[Tensor, "layer probe"]
    loss: Float[Tensor, "layer probe"]
    has_diverged: Bool[Tensor, "layer probe"]
    gap: Float[Tensor, "layer probe"]
    """Distance to the optimum as the solver knows it; NaN where it does not."""
    converged: Bool[Tensor, "layer probe"]
    dev_curve: Float[Tensor, "epoch layer noted measure"] | None = None
    """Accuracy and loss on dev after each epoch, NaN once a probe has ended: of every probe, or of the chosen one of a
    task. None for the exact solver."""


class Bank(nn.Module):
    """Probes of one shape. They share rows and products, and nothing else.

    Weights that read features live in white coordinates, where one step size serves every direction; the penalty
    is that of the weights on features, so the estimator is the same (METHODS: a whitening basis is a
    preconditioner).
    """

    def __init__(
        self,
        shape: BankShape,
        wanted: Wanted,
        statistics: FeatureStatistics,
        config: FitConfig,
        *,
        num_steps: int,
        seed: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.shape, self.wanted, self.config = shape, dict(wanted), config
        num_layers, num_probes = shape.l2.shape
        stream = torch.Generator().manual_seed(stream_seed(seed, "fit.init", config.init))
        sizes = shape.family.shapes(statistics.basis.shape[1], shape.num_outputs)
        self.weights = nn.ParameterDict()
        for name, size in sizes.items():
            start = shape.family.start(name, size, stream).to(dtype)
            self.weights[name] = nn.Parameter(start.expand(num_layers, num_probes, *size).clone())
        self.basis: Tensor
        self.penalty: Tensor
        self.full_basis = statistics.basis.to(dtype)
        self.register_buffer("basis", self.full_basis)
        self.register_buffer("penalty", statistics.penalty.to(dtype))
        self.l2 = shape.l2.to(dtype)
        self.target_of = shape.target_of.expand(num_layers, -1)
        self.known = _known_shares(shape, wanted["train"])
        self.layers = torch.arange(num_layers)
        self.probes = torch.arange(num_probes).expand(num_layers, -1)
        self.schedule = Schedule(config, num_steps, shape.step_size.to(dtype, copy=True))
        self.best = {name: value.detach().cpu().clone() for name, value in self.weights.items()}
        self.best_accuracy, self.best_loss = (torch.full(shape.l2.shape, torch.nan).double() for _ in range(2))
        self.best_epoch = torch.zeros(shape.l2.shape, dtype=torch.long)
        self.dev_curve: list[Tensor] = []
        self.has_diverged = torch.zeros(shape.l2.shape, dtype=torch.bool)
        self.optimizer: ElementWise | None = None
        self.tally: Tally | None = None

    def place(self, device: torch.device) -> None:
        """Move what a step reads to a device; called once, before the first step."""
        self.to(device)
        self.l2 = self.l2.to(device)
        self.wanted = {split: values.to(device) for split, values in self.wanted.items()}
        self.schedule.step_size = self.schedule.step_size.to(device)
        self.optimizer = ElementWise(dict(self.weights), self.config)

    def logits(
        self, states: Float[Tensor, "layer row feature"], drop: Drop = keep_all
    ) -> Float[Tensor, "layer probe output row"]:
        """Answers of every probe that still runs, in the arithmetic of `states`."""
        return self.shape.family.logits(self._on_features(states.dtype), states, drop)

    def train_step(self, states: Float[Tensor, "layer row feature"], examples: Tensor, drop: Drop) -> None:
        """One step of every probe."""
        assert self.optimizer is not None
        with torch.enable_grad():
            logits, classes = self.logits(states, drop), self._select("train", examples)
            loss = mean_loss(logits, classes, self.shape.answer, known=self._known()).sum()
            gradients = dict(zip(self.weights, torch.autograd.grad(loss, list(self.weights.values())), strict=True))
        self._add_penalty(gradients)
        self.optimizer.step(gradients, self.schedule.next_step())

    def start_dev(self) -> None:
        self.tally = Tally.empty(self.shape.answer, (len(self.layers), self.probes.shape[1]), self.shape.partner)

    def read_dev(self, states: Float[Tensor, "layer row feature"], examples: Tensor) -> None:
        assert self.tally is not None
        self.tally.add(self.logits(states), self._select("dev", examples))

    def end_epoch(self) -> None:
        """Keep what is best so far; a probe that is not finite ends and leaves the others alone."""
        assert self.tally is not None
        accuracy, loss = self.tally.accuracy(), self.tally.mean_loss()
        score = accuracy if self.config.select == "accuracy" else -loss
        is_finite = torch.isfinite(loss)
        # Before the epoch is counted: patience may end a probe in the epoch in which it diverges.
        lost = self.schedule.is_running & ~is_finite
        self._note(accuracy, loss)
        is_best = self.schedule.observe(torch.where(is_finite, score, -torch.inf))
        where = self.layers[:, None].expand_as(self.probes)[is_best], self.probes[is_best]
        for name, value in self.weights.items():
            self.best[name][where] = value.detach().cpu()[is_best]
        self.best_accuracy[where], self.best_loss[where] = accuracy[is_best], loss[is_best]
        self.best_epoch[where] = self.schedule.epoch
        self.has_diverged[self.layers[:, None].expand_as(self.probes)[lost], self.probes[lost]] = True
        self.schedule.is_running &= is_finite
        self._shrink()

    def _note(self, accuracy: Float[Tensor, "kept probe"], loss: Float[Tensor, "kept probe"]) -> None:
        """Keep what dev said of the probes that run."""
        noted = torch.full((*self.best_loss.shape, 2), torch.nan, dtype=torch.float64)
        running = self.schedule.is_running.cpu()
        where = self.layers[:, None].expand_as(self.probes)[running], self.probes[running]
        noted[where] = torch.stack([accuracy, loss], dim=-1).double().cpu()[running]
        self.dev_curve.append(noted)

    def result(self) -> BestProbes:
        """Every probe at its best epoch, its weights those of features."""
        parameters = dict(self.best)
        reads = self.shape.family.reads
        parameters[reads] = _to_features(parameters[reads], self.full_basis)
        return BestProbes(
            parameters=parameters,
            white=self.best[reads],
            epochs=self.best_epoch,
            accuracy=self.best_accuracy,
            loss=self.best_loss,
            has_diverged=self.has_diverged,
            gap=torch.full_like(self.best_loss, torch.nan),
            converged=torch.zeros_like(self.has_diverged),
            dev_curve=torch.stack(self.dev_curve),
        )

    def _on_features(self, dtype: torch.dtype) -> dict[str, Tensor]:
        parameters = {name: value.to(dtype) for name, value in self.weights.items()}
        if self.config.features == "white":
            reads = self.shape.family.reads
            parameters[reads] = _to_features(parameters[reads], self.basis.to(dtype))
        return parameters

    def _select(self, split: str, examples: Tensor) -> Tensor:
        chosen = self.wanted[split][:, examples]
        by_probe = chosen[self.target_of.to(chosen.device)]
        return by_probe.long() if self.shape.answer == "class" else by_probe.transpose(2, 3)

    def _known(self) -> Tensor | None:
        return None if self.known is None else self.known[self.target_of]

    def _add_penalty(self, gradients: dict[str, Tensor]) -> None:
        by_probe = self.l2[:, :, None, None]
        for name, gradient in gradients.items():
            if name == self.shape.family.reads:
                gradient.addcmul_(self.weights[name].detach(), by_probe * self.penalty[:, None, None])
            elif not name.startswith("bias"):
                gradient.addcmul_(self.weights[name].detach(), by_probe)

    def _shrink(self) -> None:
        """Finished probes leave: tensors keep as many places as the layer with most running probes needs."""
        running = self.schedule.is_running
        kept = running.any(dim=1).nonzero()[:, 0]
        size = int(running.sum(dim=1).max())
        if size == running.shape[1] and len(kept) == len(running):
            return
        # Running probes first, in their order; a finished one may fill a place and changes nothing any more.
        probes = (~running[kept]).to(torch.uint8).argsort(dim=1, stable=True)[:, :size]
        assert self.optimizer is not None
        self.optimizer.keep(kept, probes)
        self.weights = nn.ParameterDict(
            {name: nn.Parameter(value) for name, value in self.optimizer.parameters.items()}
        )
        self.optimizer.parameters = dict(self.weights)
        self.schedule.keep(kept, probes)
        self.l2 = self.l2[kept[:, None], probes]
        self.target_of = self.target_of[kept[:, None], probes]
        self.basis, self.penalty = self.basis[kept], self.penalty[kept]
        self.probes, self.layers = self.probes[kept[:, None], probes], self.layers[kept]


def _known_shares(shape: BankShape, classes: Tensor) -> Float[Tensor, " target"] | None:
    """The share of the rows whose class each target knows; none where all know all."""
    if shape.answer != "class" or not bool((classes == UNKNOWN).any()):
        return None
    return (classes != UNKNOWN).double().mean(dim=1)


def _to_features(
    white: Float[Tensor, "layer probe out white"], basis: Float[Tensor, "layer feature white"]
) -> Float[Tensor, "layer probe out feature"]:
    return torch.bmm(white.flatten(1, 2), basis.transpose(1, 2)).unflatten(1, white.shape[1:3])
