"""The words of the built-in grammar with their frequencies, and the dice that draw them."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import accumulate
from typing import Any, Generic, TypeVar

import numpy as np
import yaml

Item = TypeVar("Item")

# Zipf-Mandelbrot: the weight of rank r is 1 / (r + _SHIFT) ** _EXPONENT.
_EXPONENT = 1.15
_SHIFT = 1.0
# Words that are both noun and verb are this much more frequent, as much of ordinary English is.
_SHARED = 2.2


@dataclass(frozen=True, slots=True)
class Table(Generic[Item]):
    """Items with cumulative probabilities; the last of `ends` is 1."""

    items: tuple[Item, ...]
    ends: tuple[float, ...]


def weighted(weights: Mapping[Item, float] | Sequence[tuple[Item, float]]) -> Table[Item]:
    """A table in which each item has a probability in proportion to its weight."""
    pairs = tuple(weights.items()) if isinstance(weights, Mapping) else tuple(weights)
    total = sum(weight for _, weight in pairs)
    ends = [partial / total for partial in accumulate(weight for _, weight in pairs)]
    return Table(tuple(item for item, _ in pairs), (*ends[:-1], 1.0))


def zipf(items: Sequence[Item]) -> Table[Item]:
    """A table in which frequency falls off with rank, the first item being the most frequent."""
    return weighted([(item, _weight(rank)) for rank, item in enumerate(items, start=1)])


def uniform(items: Sequence[Item]) -> Table[Item]:
    """A table of equally likely items."""
    return weighted([(item, 1.0) for item in items])


@dataclass(frozen=True, slots=True)
class Dice:
    """Random draws from one stream."""

    roll: Callable[[], float]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.roll() < probability

    def draw(self, table: Table[Item]) -> Item:
        """An item of the table."""
        return table.items[bisect_right(table.ends, self.roll())]

    def integer(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.roll() * (high - low + 1))


def dice(stream: np.random.Generator) -> Dice:
    """Dice over a NumPy stream, which is read in blocks: one call a number would be the slowest part."""

    def numbers() -> Iterator[float]:
        while True:
            yield from stream.random(4096).tolist()

    return Dice(numbers().__next__)


@cache
def entries() -> Mapping[str, Any]:
    """The lexicon as it is written in `lexicon.yaml`."""
    text = resources.files("probes.corpus.grammar").joinpath("lexicon.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


@cache
def words(*path: str) -> Table[str]:
    """The ranked list of words at a path of the lexicon, such as `words("nouns", "person")`."""
    listed = _listed(*path)
    return zipf(listed) if path[0] in ("adjectives", "predicative", "names") else _ranked(listed)


@cache
def members(*path: str) -> frozenset[str]:
    """The words at a path of the lexicon, as a set."""
    return frozenset(_listed(*path))


@cache
def choices(*path: str) -> Table[str]:
    """The weighted names at a path of the lexicon, such as `choices("predicates", "person")`."""
    return weighted(_at(*path))


@cache
def modifiers(noun_class: str) -> Table[tuple[str, str]]:
    """Pairs of a preposition and the class of the noun it brings, for nouns of a class."""
    pairs = [tuple(pair.split()) for pair in entries()["modifiers"][noun_class]]
    return zipf([(preposition, other) for preposition, other in pairs])


@cache
def objects_of(subject_class: str) -> Table[tuple[str, Table[str]]]:
    """Pairs of an object class and its transitive verbs, for subjects of a class."""
    return _frames("subject", subject_class, "object")


@cache
def subjects_of(object_class: str) -> Table[tuple[str, Table[str]]]:
    """Pairs of a subject class and its transitive verbs, for objects of a class."""
    return _frames("object", object_class, "subject")


@cache
def oblique_frames() -> Table[tuple[str, str, Table[str]]]:
    """A verb, its preposition, and the classes (or a single word) that follow."""
    frames = [frame.split() for frame in entries()["oblique"]]
    return zipf([(verb, preposition, uniform(classes)) for verb, preposition, *classes in frames])


def _frames(side: str, noun_class: str, other: str) -> Table[tuple[str, Table[str]]]:
    frames = [frame for frame in entries()["transitive"] if frame[side] == noun_class]
    return weighted([((frame[other], _ranked(frame["verbs"].split())), frame["weight"]) for frame in frames])


def _weight(rank: int) -> float:
    return (rank + _SHIFT) ** -_EXPONENT


def _ranked(listed: Sequence[str]) -> Table[str]:
    shared = _nouns_and_verbs()
    return weighted(
        [(word, _weight(rank) * (_SHARED if word in shared else 1.0)) for rank, word in enumerate(listed, start=1)]
    )


@cache
def _nouns_and_verbs() -> frozenset[str]:
    lists = entries()
    nouns = {noun for listed in lists["nouns"].values() for noun in listed.split()}
    verbs = {verb for frame in lists["transitive"] for verb in frame["verbs"].split()}
    verbs.update(verb for listed in lists["intransitive"].values() for verb in listed.split())
    return frozenset(nouns & verbs)


def _at(*path: str) -> Any:
    found: Any = entries()
    for key in path:
        found = found[key]
    return found


def _listed(*path: str) -> list[str]:
    found = _at(*path)
    return found.split() if isinstance(found, str) else list(found)
