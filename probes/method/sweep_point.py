"""The settings that a sweep compares: one key of the run's fit changes at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from probes.config import FitConfig, Settings, parse
from probes.config.fit import NotNegative, Share
from probes.errors import ConfigError
from probes.fit.stack import plan_steps
from probes.types import Task

FULL = "full"


def _check_rank(value: Any) -> Any:
    if value != FULL and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"a rank should be a whole number from 1 on, or {FULL}, but is {value!r}. Change it")
    return value


Rank = Annotated[int | Literal["full"], BeforeValidator(_check_rank)]
Count = Annotated[int, Field(ge=1)]
Portion = Annotated[float, Field(gt=0, le=1)]


class Axes(Settings):
    """The values that each key takes while the others stay as the run has them (Hewitt and Liang 2019, section 4)."""

    rank: tuple[Rank, ...] = ()
    """Ranks of a linear probe's weights; `full` for no limit."""
    hidden: tuple[Count, ...] = ()
    """Hidden units of an mlp with as many hidden layers as `fit.hidden` has."""
    dropout: tuple[Share, ...] = ()
    """Share of the features, and of an mlp's hidden units, that are set to zero in a step."""
    l2: tuple[NotNegative, ...] = ()
    """Penalties; on the other axes dev chooses among those of the run."""
    examples: tuple[Portion, ...] = ()
    """Shares of the training examples, cut by sentence; the smaller lies inside the larger."""
    steps: tuple[Count, ...] = ()
    """Steps of the optimiser; passes over the rows are whole, so as many more as end the last one."""

    @model_validator(mode="after")
    def _check_values(self) -> "Axes":
        given = {name: values for name, values in self if values}
        if not given:
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"values were expected for at least one of {names}, but there are none. Give some")
        for name, values in given.items():
            if len(set(values)) < len(values):
                raise ValueError(f"the values of {name} should differ, but are {list(values)}. Leave one of two out")
        return self


@dataclass(frozen=True, slots=True)
class Point:
    """One value on one axis, and how its probes are fitted."""

    axis: str
    value: int | float | str
    config: FitConfig
    share: float = 1.0
    """Of the training examples."""


def list_points(axes: Axes, base: FitConfig, task: Task, num_features: int) -> list[Point]:
    """The points of every axis, in the order of their values.

    Raises ConfigError for a rank that is no limit, numbers of steps that are the same passes, and settings that the
    solver of the run does not know.
    """
    _check_rank_is_a_limit(axes, task, num_features)
    return [point for axis, values in axes for value in values for point in _points(axis, value, base)] + list(
        _step_points(axes, base, len(task.splits["train"]))
    )


def _points(axis: str, value: Any, base: FitConfig) -> Iterator[Point]:
    if axis == "steps":
        return
    if axis == "examples":
        yield Point(axis, value, base, share=value)
        return
    changes: dict[str, dict[str, Any]] = {
        "rank": {"probe": "linear", "rank": None if value == FULL else value},
        "hidden": {"probe": "mlp", "rank": None, "hidden": (value,) * len(base.hidden)},
        "dropout": {"input_dropout": value, "dropout": value},
        "l2": {"l2": (value,)},
    }
    yield Point(axis, value, change(base, changes[axis], axis))


def change(base: FitConfig, changes: dict[str, Any], axis: str) -> FitConfig:
    """The fit of the run with other values; raises ConfigError where they do not go together."""
    return parse(FitConfig, base.model_dump() | changes, where=f"method 'sweep', axis {axis!r}")


def _step_points(axes: Axes, base: FitConfig, num_rows: int) -> Iterator[Point]:
    if axes.steps and base.solver != "stack":
        raise ConfigError(
            f"method 'sweep', axis 'steps': solver 'stack' was expected, because it takes steps, but fit.solver is "
            f"{base.solver!r}. Leave the axis out, or set fit.solver to stack."
        )
    asked: dict[int, int] = {}
    for steps in axes.steps:
        config = change(base, {"epochs": 1, "min_steps": steps}, "steps")
        taken = count_steps(num_rows, config)
        if taken in asked:
            raise ConfigError(
                f"method 'sweep', axis 'steps': numbers of steps that differ in whole passes over the {num_rows} "
                f"training rows were expected, but {asked[taken]} and {steps} are both {taken} steps. "
                f"Leave one of them out."
            )
        asked[taken] = steps
        # As many steps as the run takes are its own fit.
        yield Point("steps", taken, base if taken == count_steps(num_rows, base) else config)


def count_steps(num_rows: int, config: FitConfig) -> int:
    """Steps of the optimiser over all passes.

    >>> count_steps(204_577, FitConfig()), count_steps(160, FitConfig())
    (800, 512)
    """
    batch_rows, epochs = plan_steps(num_rows, config)
    return epochs * -(-num_rows // batch_rows)


def _check_rank_is_a_limit(axes: Axes, task: Task, num_features: int) -> None:
    num_outputs = len(task.labels)
    largest = min(num_outputs, num_features)
    for rank in axes.rank:
        if isinstance(rank, int) and rank > largest:
            raise ConfigError(
                f"method 'sweep', axis 'rank': ranks of at most {largest} were expected, the smaller of the "
                f"{num_outputs} labels of task {task.name!r} and the {num_features} features of an example, but came "
                f"{rank}, which limits nothing. Write {FULL} instead."
            )
