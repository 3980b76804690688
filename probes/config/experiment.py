"""An experiment file: a question, a base run, and the axes along which runs differ."""

import itertools
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from probes.config.run import Run
from probes.config.setting import Settings, parse, settings_at
from probes.errors import ConfigError, by_nearness


class Experiment(Settings):
    """A question and the runs that answer it; one YAML file."""

    name: str = ""
    """Name of the results folder; by default the name of the file."""
    question: str
    """The question in words."""
    base: dict[str, Any]
    """Settings of every run."""
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    """Dotted keys with the values they take; one run for each combination."""

    def expand(self) -> tuple[Run, ...]:
        """The runs, in the order of the grid, the last axis turning fastest."""
        for axis, values in self.grid.items():
            if not values:
                raise ConfigError(
                    f"{self.name}: axis {axis!r} of the grid needs at least one value, but has none. "
                    f"Give values or remove the axis."
                )
        runs = []
        for values in itertools.product(*self.grid.values()):
            settings = deepcopy(self.base)
            for key, value in zip(self.grid, values, strict=True):
                assign(settings, key, value, where=f"{self.name}: grid")
            runs.append(parse(Run, settings, where=self.name))
        return tuple(runs)


def read_experiment(path: Path | str, overrides: Sequence[str] = ()) -> Experiment:
    """An experiment from its YAML file, with `key=value` overrides applied.

    Raises ConfigError for a missing file, malformed YAML, an unknown key or an impossible value.
    """
    path = Path(path)
    data = _load(path)
    data.setdefault("name", path.stem)
    experiment = parse(Experiment, data, where=str(path))
    for override in overrides:
        experiment = _override(experiment, override)
    experiment.expand()
    return experiment


def _load(path: Path) -> dict[Any, Any]:
    if not path.is_file():
        raise ConfigError(
            f"An experiment file was expected at {path}, but there is none. "
            f"Give the path of a YAML file, such as experiments/quickstart.yaml."
        )
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: UTF-8 was expected, but: {error.reason}. Save the file as UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "unreadable"
        raise ConfigError(f"{place}: valid YAML was expected, but: {problem}. Correct this line.") from None
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path}: keys 'question', 'base' and 'grid' were expected, but the file holds "
            f"{type(data).__name__}. See experiments/quickstart.yaml for the form."
        )
    return data


def _override(experiment: Experiment, override: str) -> Experiment:
    key, separator, text = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"--set expects key=value, but came {override!r}. Write for example --set seed=1.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {key}: a YAML value was expected, but came {text!r}. Quote it.") from None
    for axis in experiment.grid:
        if key != axis and (key.startswith(f"{axis}.") or axis.startswith(f"{key}.")):
            raise ConfigError(
                f"--set {key}: this key overlaps the axis {axis!r} of experiment {experiment.name!r}. "
                f"Set the whole axis instead, for example --set '{axis}=...'."
            )
    if key in experiment.grid:
        return experiment.model_copy(update={"grid": {**experiment.grid, key: [value]}})
    base = deepcopy(experiment.base)
    assign(base, key, value, where=f"--set {key}")
    return experiment.model_copy(update={"base": base})


def assign(settings: dict[str, Any], key: str, value: Any, where: str) -> None:
    """Put `value` at a dotted key of nested settings; raises ConfigError for a key that no run has."""
    *path, name = key.split(".")
    is_option = path in (["corpus", "options"], ["method", "options"]) and name
    if not is_option:
        _check_known(key, where)
    for depth, part in enumerate(path, start=1):
        if settings.get(part) is None:
            settings[part] = {}
        if not isinstance(settings[part], Mapping):
            raise ConfigError(
                f"{where}: {key!r} needs keys inside {'.'.join(path[:depth])!r}, but that is {settings[part]!r}. "
                f"Write it with its keys, as `probes settings` lists them."
            )
        settings = settings[part]
    settings[name] = value


def _check_known(key: str, where: str) -> None:
    path: list[str] = []
    for name in key.split("."):
        parent = settings_at(Run, tuple(path))
        if parent is None or name not in parent.model_fields:
            # Below a key that holds no keys, the names beside that key are the ones to choose from.
            above, wrong = (path, name) if parent else (path[:-1], path[-1])
            fields = (settings_at(Run, tuple(above)) or Run).model_fields
            known = [".".join([*above, field]) for field in by_nearness(wrong, fields)]
            raise ConfigError(f"{where}: unknown key {key!r}. Known keys are {', '.join(map(repr, known))}. Rename it.")
        path.append(name)
