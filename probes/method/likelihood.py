"""Which sentence of a minimal pair an encoder itself finds likelier, by the masked-word head it was trained with.

No probe is fitted and no label is read: this is what the encoder's output prefers (Warstadt et al. 2020), to be set
beside what a probe can read from its states.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field

from probes.config import Settings
from probes.encoder.likelihood import pseudo_log_likelihood
from probes.encoder.output import load_head
from probes.errors import ConfigError, TaskError
from probes.method.build import Method
from probes.method.subject import Findings, Subject
from probes.metric.interval import percentile_interval, resample_means
from probes.result import Finding, Panel
from probes.seed import generator
from probes.task.pair import GOOD, find_partners
from probes.types import Corpus, Sentence

PAIRS = "minimal_pair"
LIKELIHOOD, OUTPUT, LENGTH = "likelihood", "output", "length"
PANELS = (
    Panel(
        metric="accuracy",
        title="Good sentence likelier, by phenomenon",
        x="phenomenon",
        is_share=True,
        where={"layer": None, "paradigm": None},
    ),
    Panel(
        metric="accuracy",
        title="The head on every layer",
        is_share=True,
        where={"variant": LIKELIHOOD, "phenomenon": "all"},
    ),
)


class LikelihoodSettings(Settings):
    """How many pairs are compared."""

    pairs: int = Field(default=200, ge=1)
    """Pairs drawn of each paradigm; all of them where there are no more."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Good and bad sentences that belong together."""

    good: tuple[Sentence, ...]
    bad: tuple[Sentence, ...]

    def members(self) -> dict[tuple[str, str | None], list[int]]:
        """Numbers of the pairs of each phenomenon and paradigm; the phenomenon `all` has every pair."""
        named: dict[tuple[str, str | None], list[int]] = {("all", None): list(range(len(self.good)))}
        for number, one in enumerate(self.good):
            phenomenon, paradigm = one.attributes.get("phenomenon", "none"), one.attributes.get("paradigm", "none")
            named.setdefault((phenomenon, None), []).append(number)
            named.setdefault((phenomenon, paradigm), []).append(number)
        return named


def apply_likelihood(subject: Subject, settings: LikelihoodSettings) -> Findings:
    """Share of pairs whose good sentence has the higher pseudo-log-likelihood; a tie is half right.

    Raises TaskError for another task than `minimal_pair`, ConfigError for controls, and NoHeadError for an encoder
    without a trained head, such as a twin.
    """
    _check_subject(subject)
    head = load_head(subject.encoder)
    pairs = draw_pairs(subject.corpus, settings.pairs, subject.seed)
    texts = [one.plain for part in (pairs.good, pairs.bad) for one in part]
    subject.notify(f"likelihood: {len(pairs.good)} pairs")
    found = pseudo_log_likelihood(head, texts)
    by_layer = prefer(*np.split(found.nats, 2, axis=1))
    shorter = prefer(*np.split(-found.num_pieces.astype(np.float64), 2))
    rows = tuple(_rows(pairs, by_layer, shorter, seed=subject.seed))
    notes = {
        "pairs": len(pairs.good),
        "paradigms": len({one.attributes.get("paradigm") for one in pairs.good}),
        "chance": "half of the pairs",
        "length": "always prefers the sentence with fewer pieces",
    }
    return Findings(rows, PANELS, notes)


METHOD = Method(LikelihoodSettings, apply_likelihood)


def prefer(good: Float[np.ndarray, "*layer pair"], bad: Float[np.ndarray, "*layer pair"]) -> np.ndarray:
    """1 where the good sentence scores higher, one half for a tie.

    >>> prefer(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return (good > bad) + 0.5 * (good == bad)


def draw_pairs(corpus: Corpus, size: int, seed: int) -> Pairs:
    """Up to `size` pairs of each paradigm of all splits: nothing is fitted, so none is held back.

    Raises TaskError for a pair that is not one good and one bad sentence.
    """
    every = [one for split in corpus.splits.values() for one in split]
    labels = [one.attributes.get("label", "") for one in every]
    partners = find_partners(PAIRS, [one.attributes.get("pair", one.id) for one in every], labels)
    paradigms: dict[str, list[int]] = {}
    for number in np.flatnonzero(np.asarray(labels) == GOOD).tolist():
        paradigms.setdefault(every[number].attributes.get("paradigm", ""), []).append(number)
    chosen = [number for _, numbers in sorted(paradigms.items()) for number in _draw(numbers, size, seed)]
    return Pairs(tuple(every[one] for one in chosen), tuple(every[partners[one]] for one in chosen))


def _draw(numbers: Sequence[int], size: int, seed: int) -> list[int]:
    order = generator(seed, "likelihood.pairs").permutation(len(numbers))[:size]
    return np.asarray(numbers)[np.sort(order)].tolist()


def _check_subject(subject: Subject) -> None:
    task = subject.run.task
    if task.name != PAIRS:
        raise TaskError(
            f"Method 'likelihood' compares the two sentences of task {PAIRS!r}, but the task is {task.name!r}. "
            f"Set task.name to {PAIRS}."
        )
    if task.controls:
        raise ConfigError(
            f"Method 'likelihood' fits nothing that could memorise, but the run asks for the control "
            f"{task.controls[0]!r}. Leave task.controls empty."
        )


def _rows(
    pairs: Pairs, by_layer: Float[np.ndarray, "layer pair"], shorter: Float[np.ndarray, " pair"], *, seed: int
) -> Iterator[Finding]:
    """Every layer over all pairs and by phenomenon; output and length by phenomenon and paradigm too."""
    for (phenomenon, paradigm), numbers in pairs.members().items():
        at: dict[str, Any] = {"phenomenon": phenomenon, **({} if paradigm is None else {"paradigm": paradigm})}
        lines = [(OUTPUT, None, by_layer[-1]), (LENGTH, None, shorter)]
        if paradigm is None:
            lines += [(LIKELIHOOD, layer, values) for layer, values in enumerate(by_layer)]
        values = np.stack([line[numbers] for *_, line in lines])
        resampled = resample_means(values, np.arange(len(numbers)), seed)
        for (variant, layer, _), own, drawn in zip(lines, values, resampled, strict=True):
            interval = percentile_interval(float(own.mean()), drawn)
            yield Finding(
                variant=variant,
                metric="accuracy",
                layer=layer,
                at=at,
                **interval.fields,
                n=len(numbers),
                groups=len(numbers),
            )
