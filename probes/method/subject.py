"""What a method is applied to, and what it gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any

from probes.cache import Cache
from probes.config import Run
from probes.result import Finding, Panel
from probes.task import build_task, control_task, unit_of
from probes.types import Corpus, Task, Unit

if TYPE_CHECKING:
    from probes.encoder.frozen import FrozenEncoder


TASK = "task"
"""The variant that is the task itself; a control has its own name."""


def targets_by_name(tasks: Sequence[Task]) -> dict[str, list[int]]:
    """Targets of a fit by what they are: the task, and the draws of each control."""
    named: dict[str, list[int]] = {TASK: [0]}
    for target, control in enumerate(tasks[1:], start=1):
        named.setdefault(control.name, []).append(target)
    return named


def _be_quiet(message: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Subject:
    """An encoder, a corpus and a task as a run names them; each is made when a method first asks for it."""

    run: Run
    corpus: Corpus
    given: Cache | None = None
    """States that are there already; else they are read from the cache of the run, and written if it is not there."""
    loaded: "FrozenEncoder | None" = None
    """The encoder of the run, where it is loaded already."""
    notify: Callable[[str], None] = _be_quiet

    @property
    def seed(self) -> int:
        return self.run.seed

    @property
    def unit(self) -> Unit:
        return unit_of(self.run.task.name)

    @cached_property
    def encoder(self) -> "FrozenEncoder":
        if self.loaded is not None:
            return self.loaded
        from probes.encoder.load import load_encoder  # here: states that were adopted need no transformers

        return load_encoder(self.run.encoder)

    @cached_property
    def cache(self) -> Cache:
        if self.given is not None:
            return self.given
        from probes.encoder.extract import extract  # here: states that were adopted need no transformers

        start = perf_counter()
        cache = extract(self.encoder, self.corpus, self.unit, notify=self.notify)
        self.__dict__["encode_seconds"] = perf_counter() - start
        return cache

    @property
    def has_read_cache(self) -> bool:
        """Whether a method asked for states."""
        return "cache" in self.__dict__

    @cached_property
    def encode_seconds(self) -> float:
        """Wall time of finding or writing the cache; 0 where none was asked for."""
        return 0.0

    @cached_property
    def task(self) -> Task:
        return self.task_named(self.run.task.name)

    def task_named(self, name: str) -> Task:
        """Another task over the rows of the same cache."""
        indexes = {split: self.cache.index(split) for split in self.cache.splits}
        return build_task(name, self.corpus, indexes, seed=self.run.seed)

    @cached_property
    def controls(self) -> tuple[Task, ...]:
        """Every draw of every control that the run names, over rows of the task or over their own."""
        asked = self.run.task
        return tuple(
            control_task(name, self.task, seed=self.run.seed, draw=draw)
            for name in asked.controls
            for draw in range(asked.draws)
        )


@dataclass(frozen=True)
class Findings:
    """What a method found."""

    rows: tuple[Finding, ...]
    panels: tuple[Panel, ...]
    """How it is shown; the first is what the command line prints."""
    notes: dict[str, Any] = field(default_factory=dict)
