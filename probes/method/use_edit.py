"""The edits of one layer: its label subspace erased or set to another class, and random subspaces of equal rank."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.fit.leace import Eraser, Moments, erase_labels, erase_random, measure_moments, whiten
from probes.method.subject import Subject
from probes.seed import generator
from probes.task.join import TRAIN

How = Literal["erase", "patch"]
NAMES: dict[How, str] = {"erase": "erased", "patch": "patched"}
RANDOM = "random"


@dataclass(frozen=True)
class Edit:
    """What is done to the states of one layer.

    The subspace was fitted on the vectors of words as the cache has them, their first pieces if that is how words
    are pooled, and is changed in every piece of a word. Special pieces ([CLS], [SEP]) stay as they are: their states
    are of another kind than those it was fitted on, and no label is theirs.
    """

    layer: int
    how: How
    draw: int | None
    """Number of the random subspace; none for that of the labels."""
    eraser: Eraser
    shifts: Float[Tensor, "label dim"] | None
    """What leads from erased states to the coordinates of each class's mean; none where states stay erased."""

    @property
    def variant(self) -> str:
        return NAMES[self.how] if self.draw is None else RANDOM

    def __call__(
        self,
        states: Float[Tensor, "text piece dim"],
        word: Int[Tensor, "text piece"],
        target: Int[Tensor, " word"],
    ) -> Float[Tensor, "text piece dim"]:
        """States with the subspace changed: erased in all words, or set to class `target` in those that have one."""
        is_word = word >= 0
        goal = torch.where(is_word, target[word.clamp_min(0)], -1)
        where = is_word if self.shifts is None else goal >= 0
        edited = states.clone()
        rows = self.eraser(states[where])
        if self.shifts is not None:
            rows = rows + self.shifts.to(rows)[goal[where]]
        edited[where] = rows
        return edited


def make_edits(subject: Subject, layer: int, *, hows: Sequence[How], draws: int) -> list[Edit]:
    """The edits of a layer from the moments of its training rows; every kind has the same random subspaces."""
    rows = subject.task.splits[TRAIN]
    moments = measure_moments(
        subject.cache.layer(layer, TRAIN), rows.index[:, 0], rows.labels, num_labels=len(subject.task.labels)
    )
    whitening = whiten(moments)
    eraser = erase_labels(whitening, moments)
    erasers: list[tuple[int | None, Eraser]] = [(None, eraser)]
    for draw in range(draws):
        stream = generator(subject.seed, "use.subspace", layer, draw)
        erasers.append((draw, erase_random(whitening, eraser.rank, stream)))
    return [
        Edit(layer, how, draw, one, class_shifts(one, moments) if how == "patch" else None)
        for how in hows
        for draw, one in erasers
    ]


def class_shifts(eraser: Eraser, moments: Moments) -> Float[Tensor, "label dim"]:
    """What erasing takes from the mean of each class; added to an erased state, it gives it that class's coordinates.

    Zero for a class without an example.
    """
    from_mean = (moments.cross / moments.shares.clamp_min(1e-30)).T
    means = moments.mean + from_mean
    return means - eraser(means)
