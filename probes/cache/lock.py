"""One maker a cache: whoever else asks for it waits, and a maker that died holds nothing."""

import json
import os
import shutil
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from probes.cache.home import lock_path, working_folder
from probes.errors import CacheError

OWNER_NAME = "owner.json"


def lock_cache(folder: Path, notify: Callable[[str], None]) -> FileLock:
    """The lock on making the cache at `folder`, held until it is released or this process ends.

    The operating system frees it when its holder dies, however it dies. `notify` is told once if another process
    holds it. Raises CacheError where nothing can be written.
    """
    lock = try_lock(folder)
    if lock is None:
        notify(f"{folder.name} is being made by {_owner(folder)}; waiting until it is done")
        lock = FileLock(lock_path(folder))
        lock.acquire()
    return lock


def try_lock(folder: Path) -> FileLock | None:
    """The lock on the cache at `folder`, or None if a living process is making it."""
    path = lock_path(folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire(timeout=0)
    except Timeout:
        return None
    except OSError as error:
        raise cannot_write(folder, error) from error
    return lock


def is_held(folder: Path) -> bool:
    """Whether a living process is making the cache at `folder`."""
    if not lock_path(folder).is_file():
        return False
    lock = try_lock(folder)
    if lock is not None:
        lock.release()
    return lock is None


def clear_working(folder: Path) -> None:
    """Remove what the making of the cache at `folder` left, if its maker was killed after the cache had its name."""
    if not working_folder(folder).is_dir():
        return
    with suppress(CacheError):  # a read-only disk: the cache can be read all the same
        lock = try_lock(folder)
        if lock is not None:
            shutil.rmtree(working_folder(folder), ignore_errors=True)
            lock.release()


def sign(folder: Path) -> None:
    """Leave word of who makes the cache at `folder`, for those who wait."""
    owner = {"process": os.getpid(), "host": socket.gethostname()}
    try:
        working_folder(folder).mkdir(parents=True, exist_ok=True)
        (working_folder(folder) / OWNER_NAME).write_text(json.dumps(owner), "utf-8")
    except OSError as error:
        raise cannot_write(folder, error) from error


def cannot_write(folder: Path, error: OSError) -> CacheError:
    """The message for a place where no cache can be made."""
    return CacheError(
        f"A cache was to be written in {folder.parent}, but: {error.strerror}. "
        f"Free space there, or set PROBES_HOME to a folder that can be written."
    )


def _owner(folder: Path) -> str:
    try:
        owner = json.loads((working_folder(folder) / OWNER_NAME).read_text("utf-8"))
        return f"process {owner['process']} on {owner['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
