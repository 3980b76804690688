"""Text files: their encoding, their lines, and errors that name the line."""

import re
from collections.abc import Iterator
from pathlib import Path

from probes.errors import CorpusError

Line = tuple[int, str]
"""Its 1-based number in the file, and its text."""

# JSON, Parquet and some codecs can spell these; UTF-8 cannot, or no file of text holds them.
NO_TEXT = re.compile("[\0\ud800-\udfff]")


def line_error(path: Path, number: int, expected: str, came: str, advice: str) -> CorpusError:
    """The error for one line of a file; `advice` is a sentence that says what to do."""
    return CorpusError(f"{path}:{number}: Expected {expected}, but came {came}. {advice}")


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """A whole text file; a byte order mark is taken off, and lines end in a line feed.

    Raises CorpusError for a file that cannot be read, for bytes of another encoding and for NUL characters.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except OSError as error:
        came = f"{error.strerror!r}"
        raise line_error(path, 1, "a readable file", came, "Check the path and its permissions.") from error
    except UnicodeDecodeError as error:
        number, byte = error.object[: error.start].count(b"\n") + 1, error.object[error.start]
        name = encoding.upper()
        raise line_error(path, number, name, f"byte 0x{byte:02x}", f"Save the file as {name}.") from error
    before, nul, _ = text.partition("\0")
    if nul:
        raise line_error(path, before.count("\n") + 1, "text", "a NUL character", "Restore the file.")
    return text.replace("\r\n", "\n")


def read_lines(path: Path, encoding: str = "utf-8") -> Iterator[Line]:
    """The lines of a text file with their numbers, blank ones too, without the empty end of the last.

    Not splitlines(), which also breaks at characters that a word may hold, such as U+2028.
    """
    lines = read_text(path, encoding).split("\n")
    return iter(list(enumerate(lines[:-1] if lines[-1] == "" else lines, start=1)))


def read_blocks(path: Path) -> Iterator[list[Line]]:
    """Runs of lines between blank ones; a line of spaces is blank."""
    block: list[Line] = []
    for number, line in (*read_lines(path), (0, "")):
        if line.strip(" "):
            block.append((number, line))
        elif block:
            yield block
            block = []


def claim_id(places: dict[str, str], sentence_id: str, path: Path, number: int, advice: str) -> None:
    """Enter an id with its place, once in a corpus."""
    if sentence_id in places:
        came = f"{sentence_id!r}, which stands at {places[sentence_id]} too"
        raise line_error(path, number, "an id of its own", came, advice)
    if NO_TEXT.search(sentence_id):  # so does Python spell the bytes of a file's name that are not UTF-8
        raise line_error(path, number, "an id in UTF-8", f"{sentence_id!r}", "Rename the file.")
    places[sentence_id] = f"{path}:{number}"
