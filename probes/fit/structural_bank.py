"""The structural probes of one rank in a stack: their steps, their schedule and their best weights."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit.family import Drop
from probes.fit.optimizer import ElementWise
from probes.fit.schedule import Schedule
from probes.fit.structural_error import Kind, Wanted, mean_error, slope
from probes.seed import stream_seed

MAP = "map"
# By how much the loss on dev must fall in an epoch that is better, as in the reference implementation.
LEAST_GAIN = 1e-4


class StructuralBank(nn.Module):
    """The probes of one rank, one a layer; they share batches and products, and nothing else."""

    def __init__(
        self, kind: Kind, start: Float[Tensor, "layer rank dim"], wanted: Mapping[str, Wanted], config: FitConfig
    ) -> None:
        super().__init__()
        self.kind: Kind = kind
        self.wanted, self.config = dict(wanted), config
        num_layers = len(start)
        self.weights = nn.ParameterDict({MAP: nn.Parameter(start[:, None].clone(), requires_grad=False)})
        self.layers = torch.arange(num_layers)
        self.schedule = Schedule(config, 1, torch.full((num_layers, 1), config.step_size[0], dtype=start.dtype))
        self.best = start.clone()
        self.best_loss = torch.full((num_layers,), torch.nan).double()
        self.best_epoch = torch.zeros(num_layers, dtype=torch.long)
        self.optimizer: ElementWise | None = None
        self.total, self.num_sentences = torch.zeros(num_layers).double(), 0

    def place(self, device: torch.device) -> None:
        """Move what a step reads to a device; called once, before the first step."""
        self.to(device)
        self.wanted = {
            split: {length: values.to(device) for length, values in part.items()} for split, part in self.wanted.items()
        }
        self.schedule.step_size = self.schedule.step_size.to(device)
        self.optimizer = ElementWise(dict(self.weights), self.config)

    def train_step(
        self, states: Float[Tensor, "layer row dim"], examples: Int[Tensor, " sentence"], drop: Drop
    ) -> None:
        """One step of every probe; nothing is dropped out."""
        assert self.optimizer is not None
        projected, wanted = self._project(states, examples, "train")
        change = slope(self.kind, projected, wanted).flatten(1, 2)
        gradient = torch.bmm(change.to(states.dtype).transpose(1, 2), states).to(change.dtype)
        self.optimizer.step({MAP: gradient[:, None]}, self.schedule.next_step())

    def start_dev(self) -> None:
        self.total, self.num_sentences = torch.zeros(len(self.layers), dtype=torch.float64), 0

    def read_dev(self, states: Float[Tensor, "layer row dim"], examples: Int[Tensor, " sentence"]) -> None:
        error = mean_error(self.kind, *self._project(states, examples, "dev"))
        self.total += error.sum(dim=1, dtype=torch.float64).cpu()
        self.num_sentences += len(examples)

    def end_epoch(self) -> None:
        """Keep what is best so far; a probe that is not finite ends and leaves the others alone."""
        loss = self.total / self.num_sentences
        is_finite = torch.isfinite(loss)
        is_better = is_finite & (-loss > self.schedule.best_score[:, 0] + LEAST_GAIN)
        is_best = self.schedule.observe(torch.where(is_better, -loss, -torch.inf)[:, None])[:, 0]
        where = self.layers[is_best]
        self.best[where] = self.weights[MAP][:, 0].detach().cpu()[is_best]
        self.best_loss[where], self.best_epoch[where] = loss[is_best], self.schedule.epoch
        self.schedule.is_running &= is_finite[:, None]
        self._keep_running()

    def check_finite(self) -> None:
        """Raise FitError for a probe whose answers were finite after no epoch."""
        lost = torch.nonzero(self.best_epoch == 0)[:, 0].tolist()
        if lost:
            raise FitError(
                f"Every structural probe should have finite answers, but that of rank {self.best.shape[1]} at layer "
                f"{lost[0]} had none. Lower the step size (now {self.config.step_size[0]:g})."
            )

    def _project(
        self, states: Float[Tensor, "layer row dim"], examples: Int[Tensor, " sentence"], split: str
    ) -> tuple[Float[Tensor, "layer sentence word rank"], Shaped[Tensor, "sentence word *other"]]:
        length = states.shape[1] // len(examples)
        weights = self.weights[MAP][:, 0]
        # Only the long products are in the arithmetic of the states: a distance is a difference of large numbers.
        projected = torch.bmm(states, weights.to(states.dtype).transpose(1, 2)).to(weights.dtype)
        return projected.unflatten(1, (len(examples), length)), self.wanted[split][length][examples]

    def _keep_running(self) -> None:
        kept = self.schedule.is_running[:, 0].nonzero()[:, 0]
        if len(kept) == len(self.layers):
            return
        assert self.optimizer is not None
        places = torch.zeros((len(kept), 1), dtype=torch.long)
        self.optimizer.keep(kept, places)
        self.weights = nn.ParameterDict({MAP: nn.Parameter(self.optimizer.parameters[MAP], requires_grad=False)})
        self.optimizer.parameters = dict(self.weights)
        self.schedule.keep(kept, places)
        self.layers = self.layers[kept]


def draw_start(shape: tuple[int, int, int], width: float, seed: int) -> Float[Tensor, "layer rank dim"]:
    """First weights [layer, rank, dim], uniform in ±`width`: those of a rank are the same at every layer."""
    stream = torch.Generator().manual_seed(stream_seed(seed, "fit.structural", shape[1]))
    return ((2 * torch.rand(shape[1:], generator=stream) - 1) * width).expand(shape)
