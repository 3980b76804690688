"""Which of the candidate settings each layer takes, by dev alone."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float, Int

from probes.config import FitConfig
from probes.errors import FitError


@dataclass(frozen=True, slots=True)
class Setting:
    """One candidate of the grid."""

    l2: float
    step_size: float


@dataclass(frozen=True, slots=True)
class Grid:
    """Every candidate's score on dev at each layer, and the one that was chosen."""

    settings: tuple[Setting, ...]
    accuracy: Float[np.ndarray, "layer setting"]
    loss: Float[np.ndarray, "layer setting"]
    """Mean loss of a row of dev: for classes the negative log-likelihood, in nats."""
    choice: Int[np.ndarray, " layer"]

    def chosen(self, layer: int) -> Setting:
        return self.settings[int(self.choice[layer])]


def list_settings(config: FitConfig) -> tuple[Setting, ...]:
    """The candidates: every penalty with every step size; the exact solver takes no steps."""
    steps = config.step_size if config.solver == "stack" else config.step_size[:1]
    return tuple(Setting(l2, step) for l2, step in product(config.l2, steps))


def choose_settings(
    config: FitConfig, accuracy: Float[np.ndarray, "layer setting"], loss: Float[np.ndarray, "layer setting"]
) -> Grid:
    """The best candidate of each layer; of equals the strongest penalty, then the smallest step.

    A candidate that diverged has no score. Raises FitError for a layer at which all did.
    """
    settings = list_settings(config)
    score = accuracy if config.select == "accuracy" else -loss
    score = np.where(np.isfinite(score), score, -np.inf)
    lost = np.flatnonzero(np.isneginf(score).all(axis=1))
    if len(lost):
        sizes = ", ".join(f"{size:g}" for size in config.step_size)
        raise FitError(
            f"At least one candidate should stay finite, but at layer {lost[0]} every one diverged. "
            f"Lower fit.step_size (now {sizes})."
        )
    cautious = sorted(range(len(settings)), key=lambda number: (-settings[number].l2, settings[number].step_size))
    return Grid(settings, accuracy, loss, np.asarray(cautious)[score[:, cautious].argmax(axis=1)])
