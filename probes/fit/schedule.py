"""Each probe's step size over time, its best epoch, and when it ends."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from probes.config import FitConfig


@dataclass
class Schedule:
    """Step size, best score and patience of every probe by itself; a higher score on dev is better.

    `plateau` is torch.optim.lr_scheduler.ReduceLROnPlateau(mode="max", threshold=0), one for each probe.
    """

    config: FitConfig
    num_steps: int
    step_size: Float[Tensor, "layer probe"]

    def __post_init__(self) -> None:
        shape = self.step_size.shape
        self.step, self.epoch = 0, 0
        self.best_score = torch.full(shape, -torch.inf, dtype=torch.float64)
        self.best_epoch = torch.zeros(shape, dtype=torch.long)
        self.bad_epochs = torch.zeros(shape, dtype=torch.long)
        self.is_running = torch.ones(shape, dtype=torch.bool)

    def next_step(self) -> Float[Tensor, "layer probe"]:
        """Step sizes of the next step."""
        decay = max(0.0, 1 - self.step / self.num_steps) if self.config.schedule == "linear" else 1.0
        self.step += 1
        return self.step_size * decay

    def observe(self, score: Float[Tensor, "layer probe"]) -> Bool[Tensor, "layer probe"]:
        """Count an epoch with its score on dev; returns the probes that are at their best now.

        Of equal scores the later is the better one: it is nearer to the optimum.
        """
        self.epoch += 1
        is_strictly_better = score > self.best_score
        is_best = (score >= self.best_score) & self.is_running & torch.isfinite(score)
        self.bad_epochs = torch.where(is_strictly_better, 0, self.bad_epochs + 1)
        if self.config.schedule == "plateau":
            is_cut = self.bad_epochs > self.config.plateau_patience
            self.step_size[is_cut.to(self.step_size.device)] *= self.config.plateau_factor
            self.bad_epochs[is_cut] = 0
        self.best_score = torch.where(is_best, score, self.best_score)
        self.best_epoch[is_best] = self.epoch
        if self.config.patience is not None:
            self.is_running &= self.epoch - self.best_epoch < self.config.patience
        return is_best

    def keep(self, layers: Int[Tensor, " kept"], probes: Int[Tensor, "kept probe"]) -> None:
        """Go on with these probes of these layers only."""
        for name in ("step_size", "best_score", "best_epoch", "bad_epochs", "is_running"):
            setattr(self, name, getattr(self, name)[layers[:, None], probes])
