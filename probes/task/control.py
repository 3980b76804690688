"""Control tasks: the same rows under labels that only memory can learn (Hewitt and Liang 2019)."""

from collections.abc import Callable

import numpy as np

from probes.errors import TaskError, list_names
from probes.seed import generator
from probes.types import Task


def word_type(task: Task, seed: int, draw: int) -> Task:
    """One label for each word type, drawn from the label distribution of train.

    Types are those of all splits, as the encoder's normaliser writes them, so a type that training never
    shows has a label that nothing predicts: the control's ceiling is below one.
    """
    if any((rows.words < 0).any() for rows in task.splits.values()):
        raise TaskError(
            f"Control 'word_type' needs units that recur, but the examples of task {task.name!r} have none. "
            f"Leave the control out."
        )
    counts = np.bincount(task.splits["train"].labels, minlength=len(task.labels))
    num_types = 1 + max(int(rows.words.max(initial=-1)) for rows in task.splits.values())
    stream = generator(seed, "control.word_type", draw)
    label_of_type = stream.choice(len(task.labels), size=num_types, p=counts / counts.sum())
    return task.with_labels("word_type", {split: label_of_type[rows.words] for split, rows in task.splits.items()})


CONTROLS: dict[str, Callable[[Task, int, int], Task]] = {"word_type": word_type}


def control_task(name: str, task: Task, *, seed: int, draw: int) -> Task:
    """One random draw of a control by its name; raises TaskError for a name that nobody knows."""
    if name not in CONTROLS:
        raise TaskError(
            f"Unknown control {name!r}. Known controls are {list_names(name, CONTROLS)}. Choose one of these."
        )
    return CONTROLS[name](task, seed, draw)
