"""Equal numbers of examples for every label, by leaving out at random what is too many."""

from collections.abc import Sequence

import numpy as np

Labels = dict[str, list[str | None]]
"""For each split the label of every sentence in order; None where it is no example."""


def balance(
    labels: Sequence[str | None], stream: np.random.Generator, *, names: Sequence[str] | None = None
) -> list[str | None]:
    """The same labels, each only as often as the rarest of them; what is too many becomes None.

    `names` are the labels that count, also those that never come; by default all that come.

    >>> balance(["a", "b", None, "b"], np.random.default_rng(0)).count("b")
    1
    """
    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        if label is not None:
            places.setdefault(label, []).append(place)
    names = sorted(places) if names is None else names
    size = min((len(places.get(name, ())) for name in names), default=0)
    kept = {place for name in names for place in stream.permutation(places.get(name, []))[:size].tolist()}
    return [label if place in kept else None for place, label in enumerate(labels)]
