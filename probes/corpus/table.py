"""Tables: in each row a text or a pair of texts, its label, and what groups it (TSV, CSV, JSON lines, Parquet)."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from probes.config import logical_name
from probes.corpus.jsonl import read_jsonl
from probes.corpus.locate import find_splits
from probes.corpus.parquet import HUB, Row, find_hub_splits, read_parquet
from probes.corpus.text import NO_TEXT, claim_id, line_error, read_lines, read_text
from probes.errors import CorpusError, list_names
from probes.types import Corpus, Sentence

Fail = Callable[[str, str, str], CorpusError]
"""The error for one row, by what was expected, what came, and what to do."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The column that holds each part of a sentence, "" where none does."""

    text: str
    label: str
    pair: str
    id: str
    group: str


def read_table(
    path: str,
    text: str = "text",
    *,
    label: str = "label",
    pair: str = "",
    id: str = "",
    group: str = "",
    words: bool = False,
) -> Corpus:
    """The rows of tables with named columns, as GLUE has them; the names of the files say their splits.

    The path names .tsv files (no quoting), .csv (RFC 4180), .json or .jsonl (an object a line) or .parquet, local or
    on the Hub (`hf://datasets/owner/name/train-*.parquet`). All options but `words` are names of columns. Texts lose
    outer spaces only; with `words` they are words with one space between them. Whole numbers and truth values become
    labels as Python writes them. Without a column of ids they are the file's stem and the number of the row; without
    one of groups each row is its own. Raises CorpusError with file and line for whatever is missing or malformed.
    """
    columns = Columns(text=text, label=label, pair=pair, id=id, group=group)
    if words and pair:
        raise CorpusError(
            f"Corpus {path!r} should have words or pairs of texts, but came words=True and pair={pair!r}. "
            f"Leave one of the two out."
        )
    is_hub = path.startswith(HUB)
    places: dict[str, str] = {}
    splits: dict[str, tuple[Sentence, ...]] = {}
    for split, files in (find_hub_splits(path) if is_hub else find_splits(path)).items():
        sentences: list[Sentence] = []
        for file in files:
            rows = read_parquet(file, HUB) if is_hub else _open(file)
            sentences += _sentences(file, rows, columns=columns, has_words=words, places=places)
        splits[split] = tuple(sentences)
    return Corpus(name=logical_name(path), splits=splits)


def _sentences(
    path: Path, rows: Iterator[Row], *, columns: Columns, has_words: bool, places: dict[str, str]
) -> Iterator[Sentence]:
    """The sentences of one file; their ids enter `places`."""
    count = 0
    for count, (number, row) in enumerate(rows, start=1):
        fail = partial(line_error, path, number)
        sentence = _sentence(row, columns, fail=fail, default_id=f"{path.stem}-{count}", has_words=has_words)
        claim_id(places, sentence.id, path, number, "Give each row an id, and each file a name, of its own.")
        yield sentence
    if not count:
        raise line_error(path, 1, "rows", "a file without any", "Fill the file, or remove it.")


def _sentence(row: Mapping[str, Any], columns: Columns, *, fail: Fail, default_id: str, has_words: bool) -> Sentence:
    for option in fields(columns):
        column = getattr(columns, option.name)
        if column not in row and (column or option.name in ("text", "label")):
            advice = f"Set the option {option.name!r} to the column that is meant."
            raise fail(f"a column {column!r}", list_names(column, row), advice)
    text = _text(row[columns.text], columns.text, fail)
    words = tuple(text.split(" ")) if has_words else ()
    if not all(word.strip() for word in words):
        raise fail("one space between words", repr(text[:60]), "Remove the other spaces, or set words=False.")
    sentence_id = _name(row[columns.id], columns.id, fail) if columns.id else default_id
    return Sentence(
        id=sentence_id,
        words=words,
        text="" if has_words else text,
        group=_name(row[columns.group], columns.group, fail) if columns.group else sentence_id,
        attributes={"label": _label(row[columns.label], columns.label, fail)},
        pair=_text(row[columns.pair], columns.pair, fail) if columns.pair else "",
    )


def _text(value: Any, column: str, fail: Fail) -> str:
    if not isinstance(value, str) or not value.strip():
        raise fail(f"a text in column {column!r}", repr(value)[:60], "Fill it, or remove the row.")
    return _checked(value.strip(), column, fail)


def _label(value: Any, column: str, fail: Fail) -> str:
    is_missing = value is None or (isinstance(value, float) and value != value)
    if is_missing or (isinstance(value, str) and not value.strip()):
        raise fail(f"a label in column {column!r}", repr(value), "Label the row, or remove it.")
    if isinstance(value, float):
        advice = "Round the numbers or bin them, and write classes as text or whole numbers."
        raise fail(f"a class in column {column!r}", f"the number {value!r}", advice)
    return _name(value, column, fail)


def _name(value: Any, column: str, fail: Fail) -> str:
    if not isinstance(value, str | int) or not str(value).strip():
        raise fail(f"text or a whole number in column {column!r}", repr(value)[:60], "Fill it, or correct its type.")
    return _checked(str(value), column, fail)


def _checked(value: str, column: str, fail: Fail) -> str:
    """The value, unless it holds what is no text: Parquet may."""
    if NO_TEXT.search(value):
        raise fail(f"text without NUL in column {column!r}", repr(value[:60]), "Correct the characters.")
    return value


def _open(path: Path) -> Iterator[Row]:
    """The rows of a local file by its suffix.

    Text is read here, not by `datasets`: its CSV and JSON loaders name no line and guess types, so that "NA" becomes
    nothing and "007" becomes 7.
    """
    match path.suffix.lower():
        case ".tsv":
            return _under_header(path, ((number, line.split("\t")) for number, line in read_lines(path)))
        case ".csv":
            return _under_header(path, _split_csv(path))
        case ".json" | ".jsonl":
            return read_jsonl(path)
        case ".parquet":
            return read_parquet(path)
    raise CorpusError(
        f"The name of a table should end in .tsv, .csv, .json, .jsonl or .parquet, but {path} does not. "
        f"Rename it, or name other files."
    )


def _under_header(path: Path, lines: Iterable[tuple[int, list[str]]]) -> Iterator[Row]:
    """The values of each line by the names in the first one."""
    rest = iter(lines)
    number, header = next(rest, (1, []))
    if not any(header):
        raise line_error(path, number, "names of columns", "none", "Write them into the first line.")
    doubled = [name for name, count in Counter(header).items() if count > 1]
    if doubled:
        raise line_error(path, number, "each column once", f"{doubled[0]!r} twice", "Rename one of the columns.")
    for number, values in rest:
        if len(values) != len(header):
            came = f"{len(values)} in {repr(values)[:60]}"
            advice = "Give each row the columns of the first line, blank rows too."
            raise line_error(path, number, f"{len(header)} columns", came, advice)
        yield number, dict(zip(header, values, strict=True))


def _split_csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file, each with the number of its first line: a quoted field may hold line breaks."""
    reader = csv.reader(StringIO(read_text(path), newline="\n"), strict=True)
    number = 1
    try:
        for values in reader:
            yield number, values
            number = reader.line_num + 1
    except csv.Error as error:
        advice = "Quote fields that hold quotes, commas or line breaks, and write each quote in them twice."
        raise line_error(path, number, "a row of CSV", f"one that cannot be read ({error})", advice) from error
