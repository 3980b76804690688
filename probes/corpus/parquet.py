"""Rows of Parquet files, local or on the Hub, through `datasets`."""

import glob
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from probes.corpus.locate import split_of
from probes.corpus.text import line_error
from probes.errors import CorpusError

Row = tuple[int, Mapping[str, Any]]
"""The 1-based number of its first line (of the row itself in Parquet), and its values by column."""

HUB = "hf://"


def read_parquet(path: Path, root: str = "") -> Iterator[Row]:
    """The rows of a Parquet file, one after the other; below `root`, which is the Hub or nothing."""
    from datasets import load_dataset

    name = f"{root}{path.as_posix()}" if root else glob.escape(str(path))  # a name may hold the marks of a pattern
    try:
        with TemporaryDirectory() as cache:  # even a stream leaves a lock file there
            # By default a batch is as large as the first group of rows, which may be empty.
            options: dict[str, Any] = {"split": "train", "streaming": True, "cache_dir": cache, "batch_size": 1024}
            rows: Iterable[Any] = load_dataset("parquet", data_files=name, **options)
        yield from enumerate(rows, start=1)
    except Exception as error:  # those of Arrow, of file systems and of networks have no base class in common
        came = f"one that cannot be read ({_first_line(error)})"
        raise line_error(path, 1, "a Parquet file", came, "Check the file, or write it again.") from error


def find_hub_splits(pattern: str) -> dict[str, list[Path]]:
    """Parquet files on the Hub by split, train first, each as `datasets/owner/name/file`."""
    from huggingface_hub import HfFileSystem

    try:
        found = sorted(HfFileSystem().glob(pattern))
    except Exception as error:  # those of the Hub and of its network library have no base class in common
        raise _hub_error(pattern, _first_line(error)) from error
    if not found or not all(name.endswith(".parquet") for name in found):
        raise _hub_error(pattern, f"{', '.join(map(repr, found[:3])) or 'nothing'} is there")
    splits: dict[str, list[Path]] = {"train": [], "dev": [], "test": []}
    for path in map(Path, found):
        splits[split_of(path)].append(path)
    return {split: files for split, files in splits.items() if files}


def _hub_error(pattern: str, came: str) -> CorpusError:
    return CorpusError(
        f"Corpus {pattern!r} should be Parquet files on the Hub, but they cannot be found: {came}. "
        f"Check the name and the network, or download the files and give their path."
    )


def _first_line(error: Exception) -> str:
    """What a message says at once, without its full stop."""
    return str(error).partition("\n")[0].rstrip(".")
