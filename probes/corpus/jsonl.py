"""JSON lines: one object a line, its keys and their types, and errors that name the line."""

import json
from collections import Counter
from collections.abc import Iterator
from json import JSONDecodeError
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from probes.corpus.text import NO_TEXT, line_error, read_lines
from probes.errors import CorpusError, list_names

T = TypeVar("T")

KINDS = {str: "a string", list: "a list", dict: "an object", int: "a whole number"}
MOST_DIGITS = 1000  # int() itself refuses 4,301 of them, by default


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with the numbers of their lines.

    Raises CorpusError for an empty file, and at its turn for each line that is blank, no object, or JSON that readers
    differ on: a key twice, NaN, half a surrogate pair.
    """
    lines = list(read_lines(path))
    if not lines:
        raise line_error(path, 1, "lines of JSON", "an empty file", "Fill the file, or remove it.")
    return ((number, _parse(path, number, line)) for number, line in lines)


def field(path: Path, number: int, row: dict[str, Any], name: str, kind: type[T]) -> T:
    """The value of a key that has to be there with a value of this kind."""
    if name not in row:
        came = f"the keys {list_names(name, row)}" if row else "an object without keys"
        raise line_error(path, number, f"key {name!r}", came, "Add the key, or rename one.")
    value = row[name]
    # Not isinstance(), by which true is a whole number.
    if type(value) is not kind:
        raise line_error(path, number, f"{KINDS[kind]} at {name!r}", show(value), "Correct the value.")
    return value


def text_field(path: Path, number: int, row: dict[str, Any], name: str) -> str:
    """The value of a key that has to be there with a text that is not blank."""
    text = field(path, number, row, name, str)
    if not text.strip():
        raise line_error(path, number, f"text at {name!r}", show(text), "Fill the value, or remove the line.")
    return text


def show(value: Any) -> str:
    """The beginning of a value as JSON, for messages.

    >>> show([1, None, "é"])
    '[1, null, "é"]'
    """
    try:
        text = json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "a value nested too deep"
    return text if len(text) <= 60 else f"{text[:60]}…"


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    if not line.strip():
        raise _error(path, number, "a blank line")
    try:
        row = json.loads(
            line, object_pairs_hook=_unique, parse_constant=_refuse, parse_int=_parse_int, parse_float=_parse_float
        )
        # Only an escape spells what NO_TEXT finds.
        for string in _strings(row) if "\\u" in line else ():
            if found := NO_TEXT.search(string):
                raise ValueError(f"U+{ord(found[0]):04X} is no text")
    except RecursionError as error:
        raise _error(path, number, f"{line[:60]!r} (nested too deep)") from error
    except JSONDecodeError as error:
        raise _error(path, number, f"{line[:60]!r} ({error.msg}, column {error.colno})") from error
    except ValueError as error:
        raise _error(path, number, f"{line[:60]!r} ({error})") from error
    if not isinstance(row, dict):
        raise _error(path, number, f"{line[:60]!r}")
    return row


def _error(path: Path, number: int, came: str) -> CorpusError:
    return line_error(path, number, "a JSON object", came, "Write one object a line, and nothing else.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        name, times = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"key {show(name)} stands there {times} times")
    return row


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _parse_int(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a number of {len(text)} characters")
    return int(text)


def _parse_float(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:20]} is beyond the largest number")
    return number


def _strings(value: Any) -> Iterator[str]:
    """All strings inside a value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
    elif isinstance(value, dict):
        for part in (*value, *value.values()):
            yield from _strings(part)
