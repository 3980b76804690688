"""The rows of `use`: what was measured under each edit, under random subspaces of equal rank, and the difference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from probes.method.use_edit import NAMES, RANDOM, Edit, How
from probes.metric.interval import detectable_difference, percentile_interval, resample_means
from probes.result import Finding

EFFECT = "effect"
UNTOUCHED = "untouched"


@dataclass(frozen=True)
class Measure:
    """A metric of examples under every edit of one kind, [edit, layer, example]; the last edit is none at all."""

    metric: str
    how: How
    edits: Sequence[Edit]
    values: Float[np.ndarray, "edit layer example"]
    layers: Sequence[int]
    """Where each is read."""
    groups: Int[np.ndarray, " example"]
    has_untouched: bool = True
    """Whether it says something of states that nobody edited."""

    def rows(self, seed: int) -> Iterator[Finding]:
        """Untouched states; then for each edited layer its edit, every random draw, their mean, and the difference.

        The difference is the edit less the mean over random draws, resampled together.
        """
        if self.has_untouched:
            yield from self._score(UNTOUCHED, self.values[-1], layers=self.layers, at={"how": self.how}, seed=seed)
        for edited in dict.fromkeys(edit.layer for edit in self.edits):
            yield from self._at_layer(edited, seed)

    def _at_layer(self, edited: int, seed: int) -> Iterator[Finding]:
        is_later = [place for place, layer in enumerate(self.layers) if layer >= edited]
        layers = [self.layers[place] for place in is_later]
        found = {
            edit.draw: self.values[number][is_later] for number, edit in enumerate(self.edits) if edit.layer == edited
        }
        common: dict[str, Any] = {"layers": layers, "at": {"edited": edited, "how": self.how}, "seed": seed}
        own = found.pop(None)
        yield from self._score(NAMES[self.how], own, **common)
        for draw, values in found.items():
            yield from self._score(RANDOM, values, **common, draw=draw)
        mean = np.mean([*found.values()], axis=0)
        yield from self._score(RANDOM, mean, **common)
        yield from self._score(EFFECT, own - mean, **common)

    def _score(
        self,
        variant: str,
        values: Float[np.ndarray, "layer example"],
        *,
        layers: Sequence[int],
        at: dict[str, Any],
        seed: int,
        draw: int | None = None,
    ) -> Iterator[Finding]:
        names, codes = np.unique(self.groups, return_inverse=True)
        values = values.astype(np.float64)
        for layer, value, around in zip(layers, values.mean(axis=1), resample_means(values, codes, seed), strict=True):
            interval = percentile_interval(float(value), around)
            yield Finding(
                variant=variant,
                metric=f"{self.metric}_effect" if variant == EFFECT else self.metric,
                layer=layer,
                draw=draw,
                at=at,
                **interval.fields,
                n=len(codes),
                groups=len(names),
                detectable=detectable_difference(around) if variant == EFFECT else None,
            )
