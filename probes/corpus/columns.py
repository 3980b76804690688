"""Column files (CoNLL-2000, CoNLL-2003): a word a line with its annotation, blank lines between sentences."""

from collections.abc import Sequence
from pathlib import Path
from sys import intern

from probes.corpus.locate import read_splits
from probes.corpus.text import claim_id, line_error, read_blocks
from probes.errors import CorpusError
from probes.types import Corpus, Sentence

DOCUMENT = "-DOCSTART-"


def read_columns(path: str, columns: str = "xpos,chunk") -> Corpus:
    """The sentences of each split, with the columns that stand behind the word; file names say their splits.

    `columns` names them in their order. Between two stands one tab or one space, in a line with tabs only tabs.
    The group is the document (`-DOCSTART-`) where a file has these, else the sentence. A chunk is B-X, I-X or O;
    I-X may begin one, as in the evaluation of CoNLL-2000. Raises CorpusError with file and line for anything else.
    """
    names = _names(columns)
    places: dict[str, str] = {}
    return read_splits(path, lambda file: _read_file(file, names, places))


def _names(columns: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in columns.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise CorpusError(
            f"Option 'columns' should name each column behind the word, and none twice, but is {columns!r}. "
            f"Write names with commas between them, such as 'xpos,chunk'."
        )
    return names


def _read_file(path: Path, names: Sequence[str], places: dict[str, str]) -> list[Sentence]:
    sentences: list[Sentence] = []
    num_documents = 0
    for block in read_blocks(path):
        if _split(block[0][1])[0] == DOCUMENT:
            num_documents += 1
            block = block[1:]
        if not block:
            continue
        sentence_id, number = f"{path.stem}-{len(sentences) + 1}", block[0][0]
        claim_id(places, sentence_id, path, number, "Give each file a name of its own.")
        group = f"{path.stem}-document-{num_documents}" if num_documents else sentence_id
        words, *values = zip(*(_values(path, number, line, names) for number, line in block), strict=True)
        columns = dict(zip(names, values, strict=True))
        sentences.append(Sentence(id=sentence_id, words=words, group=group, columns=columns))
    if not sentences:
        raise line_error(path, 1, "sentences", "a file without any", "Fill the file, or remove it.")
    return sentences


def _values(path: Path, number: int, line: str, names: Sequence[str]) -> tuple[str, ...]:
    """The word of a line and its annotation."""
    values = _split(line)
    if values[0] == DOCUMENT:
        advice = "Put a blank line above it."
        raise line_error(path, number, f"{DOCUMENT} between sentences only", "one inside a sentence", advice)
    if len(values) != len(names) + 1 or "" in values:
        expected = f"{len(names) + 1} columns (word, {', '.join(names)})"
        came = f"an empty one in {line[:60]!r}" if "" in values else f"{len(values)} in {line[:60]!r}"
        advice = "Put one space or one tab between columns, and name all of them in option 'columns'."
        raise line_error(path, number, expected, came, advice)
    chunk = values[names.index("chunk") + 1] if "chunk" in names else "O"
    if chunk != "O" and (chunk[:2] not in ("B-", "I-") or len(chunk) == 2):
        advice = "Correct the chunk, or the order of names in option 'columns'."
        raise line_error(path, number, "a chunk B-X, I-X or O", repr(chunk), advice)
    return tuple(intern(value) for value in values)


def _split(line: str) -> list[str]:
    return line.split("\t" if "\t" in line else " ")
