"""Where caches and fitted probes live: `$PROBES_HOME`, or the user's cache folder."""

import os
import shutil
from pathlib import Path

from probes.cache.manifest import MANIFEST_NAME
from probes.errors import CacheError

WORKING_PREFIX = ".working-"


def probes_home() -> Path:
    """`$PROBES_HOME`, else `probes` in the user's cache folder."""
    named = os.environ.get("PROBES_HOME")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "probes"


def caches_folder() -> Path:
    return probes_home() / "caches"


def list_caches() -> list[Path]:
    """Folders of all complete caches, by name."""
    found = (path.parent for path in caches_folder().glob(f"*/{MANIFEST_NAME}"))
    # A writer that was killed just before the renaming leaves a working folder with a manifest.
    return sorted(folder for folder in found if not folder.name.startswith(WORKING_PREFIX))


def remove_cache(folder: Path) -> None:
    """Delete one cache; raises CacheError for a folder that is not one."""
    if not (folder / MANIFEST_NAME).is_file():
        raise CacheError(
            f"A cache was expected in {folder}, but there is no {MANIFEST_NAME}. See the caches with: probes cache ls"
        )
    shutil.rmtree(folder)
