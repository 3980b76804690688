"""What a fit is asked: a task with its controls and settings, and its answers as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from probes.config import FitConfig
from probes.errors import FitError
from probes.types import Answer, Rows, Task

SPLITS = ("train", "dev")


@dataclass(frozen=True)
class Question:
    """A task, its control draws over the same rows, and how they are fitted."""

    task: Task
    controls: tuple[Task, ...]
    config: FitConfig

    def __post_init__(self) -> None:
        for split in SPLITS:
            rows = self.task.splits[split]
            _check_rows(self.task.name, split, rows)
            for control in self.controls:
                others = control.splits[split]
                is_same = len(others) == len(rows) and np.array_equal(others.index, rows.index)
                if not is_same:
                    came = f"{len(others)}" if len(others) != len(rows) else "other rows"
                    raise FitError(
                        f"Control {control.name!r} should have the {len(rows)} examples that task "
                        f"{self.task.name!r} has in split {split!r}, but has {came}. "
                        f"Make it with Task.with_labels."
                    )
                _check_rows(control.name, split, others)

    @property
    def answer(self) -> Answer:
        return self.task.answer

    @property
    def num_outputs(self) -> int:
        return len(self.task.labels)

    @property
    def targets(self) -> tuple[str, ...]:
        return (self.task.name, *(control.name for control in self.controls))

    @property
    def partner(self) -> Tensor | None:
        """In dev the other example of each minimal pair."""
        partner = self.task.splits["dev"].partner
        return None if partner is None else torch.from_numpy(partner)

    def is_over_rows_of(self, other: "Question") -> bool:
        """Whether two questions can share batches: they are asked of the same rows."""
        splits, others = self.task.splits, other.task.splits
        is_read_alike = self.task.product == other.task.product
        return is_read_alike and all(np.array_equal(splits[split].index, others[split].index) for split in SPLITS)

    @cached_property
    def unit(self) -> tuple[Tensor, Tensor]:
        """Mean and spread of the numbers in train, [output]; 0 and 1 for labels."""
        if self.answer != "number":
            return torch.zeros(self.num_outputs), torch.ones(self.num_outputs)
        values = torch.from_numpy(self.task.splits["train"].labels).double().reshape(-1, self.num_outputs)
        return values.mean(dim=0).float(), values.std(dim=0, correction=0).clamp_min(1e-30).float()

    def wanted(self, split: str, tasks: Sequence[Task]) -> Tensor:
        """The answers of some tasks: classes [target, row], else [target, row, output] with numbers in units."""
        labels = torch.from_numpy(np.stack([task.splits[split].labels for task in tasks]))
        if self.answer == "class":
            # The smallest type that holds them: answers stay in memory for the whole fit.
            return labels.to(torch.int16 if self.num_outputs < 2**15 else torch.int32)
        labels = labels.reshape(*labels.shape[:2], -1)
        if self.answer == "labels":
            return labels.to(torch.uint8)
        mean, spread = self.unit
        return ((labels.double() - mean) / spread).float()


def _check_rows(name: str, split: str, rows: Rows) -> None:
    if len(rows) == 0:
        raise FitError(f"Task {name!r} needs examples in split {split!r}, but has none. Check what it filters.")
    if len(rows.index) != len(rows.labels):
        raise FitError(
            f"Task {name!r} should have one label for each of its {len(rows.index)} examples in split {split!r}, "
            f"but has {len(rows.labels)}. Check how its rows are made."
        )
    if not np.isfinite(rows.labels).all():
        bad = int(np.flatnonzero(~np.isfinite(rows.labels.reshape(len(rows), -1)).all(axis=1))[0])
        raise FitError(
            f"Labels should be finite numbers, but example {bad} of task {name!r} in split {split!r} has "
            f"{rows.labels[bad]}. Leave such examples out."
        )
