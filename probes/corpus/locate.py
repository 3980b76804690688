"""Finding the files of a corpus and the split that each belongs to."""

import os
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from probes.config import logical_name
from probes.errors import CorpusError, list_names
from probes.types import Corpus, Sentence

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "devel": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}


def find_splits(pattern: str) -> dict[str, list[Path]]:
    """The files that `pattern` names, by split, train first.

    The pattern is a file, a folder or a glob, absolute, relative to the working directory or to
    `$PROBES_DATA`. A file's split is the part of its name that says train, dev or test. Raises CorpusError
    if nothing is found or a name says none or two of these.
    """
    paths = match_files(pattern)
    splits: dict[str, list[Path]] = {"train": [], "dev": [], "test": []}
    for path in paths:
        splits[split_of(path)].append(path)
    return {split: files for split, files in splits.items() if files}


def read_splits(path: str, read: Callable[[Path], Iterable[Sentence]]) -> Corpus:
    """The sentences of each split's files one after the other; the names of the files say their splits."""
    splits = {split: tuple(chain.from_iterable(map(read, files))) for split, files in find_splits(path).items()}
    return Corpus(name=logical_name(path), splits=splits)


def match_files(pattern: str) -> list[Path]:
    roots = [Path.cwd()]
    if os.environ.get("PROBES_DATA"):
        roots.append(Path(os.environ["PROBES_DATA"]).expanduser())
    given = Path(pattern).expanduser()
    for root in roots:
        base, relative = (Path(given.anchor), given.relative_to(given.anchor)) if given.anchor else (root, given)
        is_pattern = any(mark in str(relative) for mark in "*?[")
        found = sorted(base.glob(str(relative))) if is_pattern else []
        # A name may hold the marks of a pattern, and glob() knows no ".".
        found = found or [path for path in (base / relative,) if path.exists()]
        files = [file for path in found for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
        files = [
            file for file in files if file.is_file() and (len(found) > 1 or not found[0].is_dir() or said_splits(file))
        ]
        if files:
            return files
    places = " and ".join(str(root) for root in roots) if not given.anchor else str(given.parent)
    raise CorpusError(
        f"Corpus files were expected at {pattern!r}, but there are none in {places}. "
        f"Correct the path, or set PROBES_DATA to the folder that holds your corpora."
    )


def said_splits(path: Path) -> list[str]:
    parts = path.stem.lower().replace("_", "-").replace(".", "-").split("-")
    return sorted({SPLIT_NAMES[part] for part in parts if part in SPLIT_NAMES})


def split_of(path: Path) -> str:
    said = said_splits(path)
    if len(said) != 1:
        found = f"says {' and '.join(said)}" if said else "says none"
        raise CorpusError(
            f"The name of a corpus file should say its split ({list_names('train', SPLIT_NAMES)}), but "
            f"{path.name} {found}. Rename it."
        )
    return said[0]
