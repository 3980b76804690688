"""How probes are fitted."""

from typing import Annotated, Literal

from pydantic import Field

from probes.config.setting import Settings


class FitConfig(Settings):
    """A kind of probe, its solver, and the settings among which the dev split chooses."""

    probe: Literal["linear"] = "linear"
    """Kind of probe."""
    solver: Literal["stack"] = "stack"
    """`stack`: all probes of all layers at once, by stochastic gradients."""
    l2: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = Field(default=(1e-6, 1e-5, 1e-4), min_length=1)
    """Candidate penalties: mean negative log-likelihood + l2/2 times the squared norm of the weights on
    standardised features."""
    epochs: int = Field(default=6, ge=1)
    """Passes over the training rows; the step size falls to zero over them."""
    min_steps: int = Field(default=500, ge=1)
    """Steps of the optimiser at the least: a small corpus is passed over more often than `epochs`."""
    batch_rows: int = Field(default=1024, ge=1)
    """Rows in a step of the optimiser; a small corpus is cut into at least 16 batches."""
    step_size: float = Field(default=0.02, gt=0, allow_inf_nan=False)
    """First step size of Adam, in coordinates in which the features are white."""
