"""Control tasks: labels that only memory can learn, over the same rows or, for arcs, over pairs of their own."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from probes.errors import TaskError, list_names
from probes.seed import generator
from probes.types import Rows, Task, Unit

# The control that measures memory on the training rows, and says nothing about test.
CAPACITY = "permuted"


def word_type(task: Task, seed: int, draw: int) -> Task:
    """One label for each word type, drawn from the label distribution of train.

    Types are those of all splits, as the encoder's normaliser writes them, so a type that training never
    shows has a label that nothing predicts: the control's ceiling is below one. Of an arc it is the dependent's.
    """
    _check_unit("word_type", task, "word", "words", "root_lemma")
    return _label_units("word_type", task, seed, draw)


def root_lemma(task: Task, seed: int, draw: int) -> Task:
    """One label for each lemma that is the root of a sentence: sentences do not recur, their roots do."""
    _check_unit("root_lemma", task, "sentence", "sentences with a tree", "word_type")
    return _label_units("root_lemma", task, seed, draw)


def permuted(task: Task, seed: int, draw: int) -> Task:
    """The labels of each split in random order: accuracy on train is then what a probe can learn by heart.

    A measure of capacity and never of selectivity (METHODS).
    """
    stream = generator(seed, "control.permuted", draw)
    return task.with_labels("permuted", {split: stream.permutation(rows.labels) for split, rows in task.splits.items()})


def arc(task: Task, seed: int, draw: int) -> Task:
    """Each word type attaches to itself, to the first or to the last word, a third each (Hewitt and Liang 2019,
    section 2.2).

    It has pairs of its own: each dependent of the task with these three candidates, of which one is its head.
    """
    if any(rows.ends is None for rows in task.splits.values()):
        raise TaskError(
            f"Control 'arc' is one for pairs of a word and its head, but task {task.name!r} has other examples. "
            f"Use it with 'dependency_edge'."
        )
    num_types = 1 + max(int(rows.words.max(initial=-1)) for rows in task.splits.values())
    choice = generator(seed, "control.arc", draw).integers(0, 3, num_types)
    return replace(task, name="arc", splits={split: _attach(rows, choice) for split, rows in task.splits.items()})


def _attach(rows: Rows, choice: Int[np.ndarray, " type"]) -> Rows:
    assert rows.ends is not None
    dependents, first = np.unique(rows.index[:, 0], return_index=True)
    candidates = np.column_stack([dependents, rows.ends[first]])
    head = candidates[np.arange(len(first)), choice[rows.words[first]]]
    # A word that is the first or the last of its sentence has two candidates only.
    pairs, place = np.unique(np.column_stack([np.repeat(dependents, 3), candidates.ravel()]), axis=0, return_index=True)
    example = first[place // 3]
    return Rows(
        index=pairs,
        labels=(pairs[:, 1] != head[place // 3]).astype(np.int64),
        groups=rows.groups[example],
        words=rows.words[example],
        surface={"distance": pairs[:, 1] - pairs[:, 0]},
    )


def _label_units(name: str, task: Task, seed: int, draw: int) -> Task:
    if any((rows.words < 0).any() for rows in task.splits.values()):
        raise TaskError(
            f"Control {name!r} needs units that recur, but the examples of task {task.name!r} have none. "
            f"Leave the control out."
        )
    counts = np.bincount(task.splits["train"].labels, minlength=len(task.labels))
    num_types = 1 + max(int(rows.words.max(initial=-1)) for rows in task.splits.values())
    stream = generator(seed, f"control.{name}", draw)
    label_of_type = stream.choice(len(task.labels), size=num_types, p=counts / counts.sum())
    return task.with_labels(name, {split: label_of_type[rows.words] for split, rows in task.splits.items()})


def _check_unit(name: str, task: Task, unit: Unit, what: str, other: str) -> None:
    if task.unit != unit:
        raise TaskError(
            f"Control {name!r} is one for {what}, but task {task.name!r} has {task.unit}s as its unit. "
            f"Use {other!r}, or leave the control out."
        )


def shares_rows(control: Task, task: Task) -> bool:
    """Whether a control has the rows of its task, under other labels."""
    return all(np.array_equal(control.splits[split].index, rows.index) for split, rows in task.splits.items())


CONTROLS: dict[str, Callable[[Task, int, int], Task]] = {
    "word_type": word_type,
    "root_lemma": root_lemma,
    "permuted": permuted,
    "arc": arc,
}


def control_task(name: str, task: Task, *, seed: int, draw: int) -> Task:
    """One random draw of a control by its name; raises TaskError for a name that nobody knows."""
    if name not in CONTROLS:
        raise TaskError(
            f"Unknown control {name!r}. Known controls are {list_names(name, CONTROLS)}. Choose one of these."
        )
    return CONTROLS[name](task, seed, draw)
