"""How probes are fitted."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from probes.config.setting import Settings

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else value


class FitConfig(Settings):
    """A kind of probe, its solver, and the settings among which the dev split chooses."""

    probe: str = "linear"
    """Kind of probe: `linear`, `mlp`, or one that another package offers."""
    rank: int | None = Field(default=None, ge=1)
    """Rank of a linear probe's weights; none for the full rank."""
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(50,), min_length=1, max_length=2)
    """Hidden units of an mlp, one number for each hidden layer."""
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    """What an mlp's hidden units do with their sum."""
    dropout: Share = 0.0
    """Share of an mlp's hidden units that are set to zero in a step."""
    input_dropout: Share = 0.0
    """Share of the features that are set to zero in a step."""
    solver: Literal["stack", "exact"] = "stack"
    """`stack`: all probes of all layers at once, by stochastic gradients. `exact`: the optimum of a linear probe."""
    l2: Annotated[tuple[NotNegative, ...], BeforeValidator(_several)] = Field(default=(1e-6, 1e-5, 1e-4), min_length=1)
    """Candidate penalties: mean negative log-likelihood + l2/2 times the squared norm of the weights on
    standardised features."""
    step_size: Annotated[tuple[Positive, ...], BeforeValidator(_several)] = Field(default=(0.015,), min_length=1)
    """Candidate first step sizes of the optimiser, in coordinates in which the features are white."""
    select: Literal["accuracy", "log_likelihood"] = "accuracy"
    """What is read on dev to choose among the candidates, and each probe's best epoch."""
    epochs: int = Field(default=4, ge=1)
    """Passes over the training rows, at the most where `patience` is set."""
    min_steps: int = Field(default=500, ge=1)
    """Steps of the optimiser at the least: a small corpus is passed over more often than `epochs`."""
    batch_rows: int = Field(default=1024, ge=1)
    """Rows in a step of the optimiser; a small corpus is cut into at least 16 batches."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    """Element-wise, with a step size for each probe."""
    betas: tuple[Share, Share] = (0.9, 0.95)
    """Decay of Adam's two running means. Within a few hundred steps the usual .999 would still remember the large
    gradients of the start; set it to reproduce a published probe."""
    weight_decay: NotNegative = 0.0
    """AdamW's decay, which is not the penalty `l2`."""
    schedule: Literal["linear", "plateau", "constant"] = "linear"
    """`linear`: the step size falls to zero over the steps. `plateau`: it is cut for each probe by itself."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """By what a step size is multiplied when dev has stopped getting better."""
    plateau_patience: int = Field(default=0, ge=0)
    """Epochs without a better dev before the step size is cut."""
    patience: int | None = Field(default=None, ge=1)
    """Epochs after its best one at which a probe ends; none to go on to the last."""
    features: Literal["white", "standard", "raw"] = "white"
    """`white`: standardised, steps are taken in whitened coordinates (the estimator is that of `standard`).
    `raw`: states as they are, as many published systems take them."""
    precision: Literal["auto", "bfloat16", "float32", "float64"] = "auto"
    """Arithmetic of the products while fitting; weights are float32 or float64. `auto` is bfloat16 where the
    hardware multiplies it, else float32."""
    gap: Literal["estimate", "exact", "none"] = "estimate"
    """How the distance to the optimum of a linear probe is found: by a few steps on a sample, or by solving."""
    init: int = Field(default=0, ge=0)
    """Number of the random initialisation; linear probes of full rank begin at zero."""

    @model_validator(mode="after")
    def _check_exact(self) -> "FitConfig":
        if self.solver == "exact":
            is_convex = self.probe == "linear" and self.rank is None and self.input_dropout == 0
            if not is_convex or self.features == "raw":
                raise ValueError(
                    f"solver 'exact' expects a linear probe of full rank on standardised features without dropout, but "
                    f"came probe {self.probe!r}, rank {self.rank}, features {self.features!r}, input_dropout "
                    f"{self.input_dropout:g}. Use solver 'stack' for these"
                )
        return self

    @property
    def has_optimum(self) -> bool:
        """Whether the problem is the convex one whose distance to the optimum can be told."""
        is_linear = self.probe == "linear" and self.rank is None and self.input_dropout == 0
        return is_linear and self.features != "raw" and not (self.optimizer == "adamw" and self.weight_decay)
