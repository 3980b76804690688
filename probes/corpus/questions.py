"""Labelled questions (TREC, Li and Roth 2002): one a line behind its coarse and its fine class."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from probes.corpus.locate import read_splits
from probes.corpus.text import NO_TEXT, Line, claim_id, line_error, read_lines
from probes.errors import CorpusError
from probes.types import Corpus, Sentence

UTF8_MARK = "ï»¿"  # as other encodings read it, and it would become part of the first label


def read_questions(path: str, encoding: str = "latin-1") -> Corpus:
    """One text a line, behind its label and a space; the names of the files say their splits.

    A label is `COARSE:fine`, of which `label` is the coarse class and `fine` the whole, or in all lines of a file one
    word without a colon. Raises CorpusError with file and line for anything else.
    """
    places: dict[str, str] = {}
    return read_splits(path, lambda file: _read_file(file, encoding, places))


def _read_file(path: Path, encoding: str, places: dict[str, str]) -> Iterator[Sentence]:
    lines = _read_lines(path, encoding)
    is_fine = ":" in lines[0][1].partition(" ")[0]
    for number, line in lines:
        sentence_id = f"{path.stem}-{number}"
        claim_id(places, sentence_id, path, number, "Give each file a name of its own.")
        label, _, text = line.partition(" ")
        attributes = _attributes(path, number, label, is_fine)
        if not text.strip():
            advice = "Write the text behind its label and a space, or remove the line."
            raise line_error(path, number, f"text behind {label[:60]!r}", "none", advice)
        yield Sentence(id=sentence_id, text=text, group=sentence_id, attributes=attributes)


def _attributes(path: Path, number: int, label: str, is_fine: bool) -> dict[str, str]:
    example = "'HUM:ind'" if is_fine else "'HUM'"
    coarse, _, fine = label.partition(":")
    is_label = label.split() == [label] and bool(coarse) and bool(fine) == is_fine and ":" not in fine
    if not is_label or (":" in label) != is_fine:
        expected = f"a label such as {example}, as in line 1, and a space"
        advice = "Correct the label; all lines of a file have a colon, or none."
        raise line_error(path, number, expected, repr(label[:60]), advice)
    return {"label": coarse, "fine": label} if is_fine else {"label": label}


def _read_lines(path: Path, encoding: str) -> list[Line]:
    try:
        lines = list(read_lines(path, codecs.lookup(encoding).name))
    # Some codecs raise other errors than for bytes that they do not know, and some are of no text at all.
    except (LookupError, ValueError) as error:
        raise CorpusError(
            f"Option 'encoding' should name the encoding of {path.name}, but is {encoding!r}. "
            f"Give one that Python knows and that can read the file, such as 'latin-1' or 'utf-8'."
        ) from error
    if not lines:
        raise line_error(path, 1, "questions", "an empty file", "Fill the file, or remove it.")
    if lines[0][1].startswith(UTF8_MARK):
        came, advice = "the byte order mark of UTF-8", "Set option 'encoding' to 'utf-8'."
        raise line_error(path, 1, f"text in {encoding}", came, advice)
    for number, line in lines:
        if found := NO_TEXT.search(line):  # by codecs that can spell it, such as UTF-7
            came, advice = f"U+{ord(found[0]):04X}", "Save the file as UTF-8, and name that encoding."
            raise line_error(path, number, "text", came, advice)
    return lines
