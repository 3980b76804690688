"""Disk space, known and checked before work starts."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from probes.cache.home import LOCKS_NAME, folder_bytes
from probes.cache.layout import Layout
from probes.errors import CacheError, ConfigError

LIMIT_NAME = "PROBES_CACHE_LIMIT"
UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
# Word and type of a row; offset, id in quotes, and its range of rows in the list of batches.
ROW_INDEX_BYTES, SENTENCE_INDEX_BYTES = 8, 8 + 4 + 16


def estimate_bytes(layouts: Mapping[str, Layout], num_sentences: int, id_bytes: int) -> int:
    """Bytes of a finished cache: its states, and what says whose they are; `id_bytes` is the length of all ids."""
    states = sum(layout.file_bytes for layout in layouts.values())
    rows = sum(layout.num_rows for layout in layouts.values())
    return states + rows * ROW_INDEX_BYTES + num_sentences * SENTENCE_INDEX_BYTES + id_bytes


def check_space(folder: Path, needed: int) -> None:
    """Raise CacheError unless `needed` more bytes fit on the disk of `folder` and within PROBES_CACHE_LIMIT."""
    if needed <= 0:
        return
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if needed > free:
        raise CacheError(
            f"This cache needs {needed / 1e9:.2f} GB, but {place} has {free / 1e9:.2f} GB free. "
            f"Free space there, or set PROBES_HOME to another disk."
        )
    limit = cache_limit()
    if limit is None:
        return
    held = sum(folder_bytes(path) for path in folder.parent.glob("*") if path.is_dir() and path.name != LOCKS_NAME)
    if held + needed > limit:
        raise CacheError(
            f"The caches in {folder.parent} may take {limit / 1e9:.2f} GB ({LIMIT_NAME}), but they take "
            f"{held / 1e9:.2f} GB and this one needs {needed / 1e9:.2f} GB more. "
            f"See when each was last used with: probes cache ls, and remove old ones with: probes cache rm --unused"
        )


def cache_limit() -> int | None:
    """Bytes that all caches together may take, from PROBES_CACHE_LIMIT such as `50GB`; None without it."""
    text = os.environ.get(LIMIT_NAME)
    if not text:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(MB|GB|TB)", text.strip(), flags=re.IGNORECASE)
    if found is None:
        raise ConfigError(f"{LIMIT_NAME} should be a size such as 50GB, but is {text!r}. Use MB, GB or TB.")
    return int(float(found[1]) * UNITS[found[2].upper()])
