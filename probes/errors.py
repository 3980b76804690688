"""The error family: every message says what was expected, what came, where, and what to do."""

from collections.abc import Iterable
from difflib import SequenceMatcher


class ProbesError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class ConfigError(ProbesError):
    """A key, value or combination of settings that no experiment can mean."""

    exit_code = 2


class CorpusError(ProbesError):
    """A corpus that is missing, malformed or inconsistent with itself."""

    exit_code = 2


class TaskError(ProbesError):
    """A task that cannot be asked of this corpus."""

    exit_code = 2


class EncoderError(ProbesError):
    """An encoder that cannot be loaded, or whose output cannot be trusted."""


class CacheError(ProbesError):
    """A cache that is missing, incomplete, or holds something else than was asked for."""


class FitError(ProbesError):
    """A fit that could not produce a usable probe."""


class ResultError(ProbesError):
    """A result file that is missing, of another schema, or not comparable."""

    exit_code = 2


def by_nearness(name: str, known: Iterable[str]) -> list[str]:
    """Known names, the most similar to `name` first; ties in alphabetical order.

    >>> by_nearness("word_tpe", ["majority", "word_type", "word"])
    ['word_type', 'word', 'majority']
    """
    return sorted(known, key=lambda other: (-SequenceMatcher(None, name, other).ratio(), other))


def list_names(name: str, known: Iterable[str]) -> str:
    """The known names, nearest first, as they stand at the end of a message.

    >>> list_names("pso", ["xpos", "pos"])
    "'pos', 'xpos'"
    """
    return ", ".join(repr(other) for other in by_nearness(name, known)) or "none"
