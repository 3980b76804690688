"""Plain text: one sentence a line, and blank lines between documents."""

from pathlib import Path

from probes.config import logical_name
from probes.corpus.locate import find_splits, match_files, said_splits
from probes.corpus.text import claim_id, line_error, read_lines
from probes.types import Corpus, Sentence


def read_plain(path: str) -> Corpus:
    """The lines of text files, without outer spaces; there are no labels.

    Where file names say their splits, all have to; where none does, everything is `train`. Sentences between blank
    lines are one document, which is their group; in a file without blank lines between sentences nothing is known of
    documents, and each sentence is its own group. Raises CorpusError for files that are missing, empty or not UTF-8.
    """
    files = match_files(path)
    places: dict[str, str] = {}
    splits = {
        split: tuple(sentence for file in files for sentence in _read_file(file, places))
        for split, files in (find_splits(path) if any(map(said_splits, files)) else {"train": files}).items()
    }
    return Corpus(name=logical_name(path), splits=splits)


def _read_file(path: Path, places: dict[str, str]) -> list[Sentence]:
    """The sentences of one file; their ids enter `places`."""
    lines: list[tuple[int, int, str]] = []  # number of the line, of its document, and its text
    document, is_new = 0, True
    for number, line in read_lines(path):
        text = line.strip()
        if text:
            document += is_new
            lines.append((number, document, text))
        is_new = not text
    if not lines:
        raise line_error(path, 1, "sentences", "a file without any", "Fill the file, or remove it.")
    sentences = []
    for count, (number, which, text) in enumerate(lines, start=1):
        sentence_id = f"{path.stem}-{count}"
        claim_id(places, sentence_id, path, number, "Give each file a name of its own.")
        group = f"{path.stem}-document-{which}" if document > 1 else sentence_id
        sentences.append(Sentence(id=sentence_id, text=text, group=group))
    return sentences
