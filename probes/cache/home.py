"""Where caches and fitted probes live: `$PROBES_HOME`, or the user's cache folder."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from probes.cache.manifest import MANIFEST_NAME
from probes.errors import CacheError

WORKING_PREFIX = ".working-"
LOCKS_NAME = ".locks"


def probes_home() -> Path:
    """`$PROBES_HOME`, else `probes` in the user's cache folder."""
    named = os.environ.get("PROBES_HOME")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "probes"


def caches_folder() -> Path:
    return probes_home() / "caches"


def working_folder(folder: Path) -> Path:
    """Where the cache that will be `folder` is made: always the same place, so that a later call can go on."""
    return folder.parent / f"{WORKING_PREFIX}{folder.name}"


def working_name(working: Path) -> str:
    """Name of the cache that a working folder will be."""
    return working.name.removeprefix(WORKING_PREFIX)


def lock_path(folder: Path) -> Path:
    return folder.parent / LOCKS_NAME / f"{folder.name}.lock"


def list_caches() -> list[Path]:
    """Folders of all complete caches, by name."""
    found = (path.parent for path in caches_folder().glob(f"*/{MANIFEST_NAME}"))
    return sorted(folder for folder in found if not folder.name.startswith(WORKING_PREFIX))


def list_unfinished() -> list[Path]:
    """Working folders of caches that are being made, or whose making was interrupted."""
    return sorted(path for path in caches_folder().glob(f"{WORKING_PREFIX}*") if path.is_dir())


def folder_bytes(folder: Path) -> int:
    """Disk space that the files below a folder take; what was reserved counts, holes do not."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # a maker that finishes meanwhile
                total += os.stat(os.path.join(root, name)).st_blocks * 512
    return total


def mark_used(folder: Path) -> None:
    """Note that a cache was opened now; a cache on a read-only disk stays as it is."""
    with suppress(OSError):
        os.utime(folder)


def days_unused(folder: Path) -> float:
    """Days since a cache was last opened, or an unfinished one last written."""
    newest = 0.0
    for path in [folder, *folder.glob("journal*")]:
        with suppress(FileNotFoundError):
            newest = max(newest, path.stat().st_mtime)
    return (time.time() - newest) / 86400 if newest else 0.0


def remove_cache(folder: Path) -> None:
    """Delete one cache, finished or not; raises CacheError for a folder that is neither."""
    is_working = folder.name.startswith(WORKING_PREFIX)
    if not is_working and not (folder / MANIFEST_NAME).is_file():
        raise CacheError(
            f"A cache was expected in {folder}, but there is no {MANIFEST_NAME}. See the caches with: probes cache ls"
        )
    # Under another name first: what is half deleted must not stand where a cache is looked for. The lock's file stays,
    # since another process may wait on it.
    going = folder.parent / f"{WORKING_PREFIX}removed-{uuid4().hex[:8]}"
    folder.rename(going)
    shutil.rmtree(going)
