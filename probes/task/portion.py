"""A portion of the training examples: whole sentences, the smaller portion inside the larger."""

from dataclasses import replace

import numpy as np
from jaxtyping import Int

from probes.errors import TaskError
from probes.seed import generator
from probes.task.join import TRAIN
from probes.types import RowIndex, Rows, Task


def units_of_portions(rows: Rows, index: RowIndex) -> Int[np.ndarray, " example"]:
    """What portions are cut by: the sentence of each example, and the group where examples come in pairs."""
    if rows.partner is not None:
        return rows.groups
    return np.searchsorted(index.offsets, rows.index[:, 0], side="right") - 1


def choose_portion(units: Int[np.ndarray, " example"], share: float, seed: int) -> Int[np.ndarray, " chosen"]:
    """Examples of the first units of one random order, as few units as hold at least that share of the examples.

    The order belongs to the seed, so a smaller portion lies inside a larger one. Examples keep their order.

    >>> choose_portion(np.array([0, 0, 1, 1]), share=0.5, seed=0).tolist() in ([0, 1], [2, 3])
    True
    """
    names, numbers, sizes = np.unique(units, return_inverse=True, return_counts=True)
    order = generator(seed, "task.portion").permutation(len(names))
    # Rounded: .1 of 10 examples is one, whatever .1 is in binary.
    wanted = np.ceil(round(share * len(units), 6))
    num_units = int(np.searchsorted(np.cumsum(sizes[order]), wanted)) + 1
    is_chosen = np.zeros(len(names), dtype=bool)
    is_chosen[order[:num_units]] = True
    return np.flatnonzero(is_chosen[numbers])


def keep_share(task: Task, index: RowIndex, share: float, seed: int) -> Task:
    """The task with a share of its training examples; `index` is that of the cache's train.

    Raises TaskError for a share in which all examples have one label.
    """
    rows = task.splits[TRAIN]
    chosen = choose_portion(units_of_portions(rows, index), share, seed)
    if len(set(rows.labels[chosen].tolist())) < 2:
        raise TaskError(
            f"Task {task.name!r} needs at least two labels in train, but the {len(chosen)} examples of the share "
            f"{share:g} have one. Raise task.train_share."
        )
    return with_train(task, chosen)


def with_train(task: Task, examples: Int[np.ndarray, " chosen"]) -> Task:
    """The task with some of its training examples; dev and test stay."""
    return replace(task, splits={**task.splits, TRAIN: take_rows(task.splits[TRAIN], examples)})


def take_rows(rows: Rows, examples: Int[np.ndarray, " chosen"]) -> Rows:
    """Some examples of a split. Their partners in minimal pairs may be gone, so they have none any more."""
    texts = rows.texts
    return Rows(
        index=rows.index[examples],
        labels=rows.labels[examples],
        groups=rows.groups[examples],
        words=rows.words[examples],
        surface={name: values[examples] for name, values in rows.surface.items()},
        texts=None if texts is None else tuple(str(texts[int(example)]) for example in examples),
        sequence=None if rows.sequence is None else rows.sequence[examples],
        ends=None if rows.ends is None else rows.ends[examples],
        subsets={name: mask[examples] for name, mask in rows.subsets.items()},
    )
