"""The lock: one maker at a time, the others are told, and a dead maker holds nothing."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from probes.cache import is_held, lock_cache
from probes.cache.home import working_folder
from probes.cache.lock import sign
from probes.errors import CacheError

HOLD = """
import sys, time
from pathlib import Path
from probes.cache import lock_cache
lock = lock_cache(Path(sys.argv[1]), print)
print("held", flush=True)
time.sleep(60)
"""


def silent(message: str) -> None:
    raise AssertionError(message)


def hold_elsewhere(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    held = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    assert held.stdout.readline() == "held\n"
    return held


def test_free_lock_is_taken_in_silence_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        lock = lock_cache(tmp_path / "x", silent)
        assert is_held(tmp_path / "x")
        lock.release()
        assert not is_held(tmp_path / "x")


def test_locks_of_two_caches_are_two(tmp_path: Path) -> None:
    first, second = (lock_cache(tmp_path / name, silent) for name in "xy")
    first.release()
    assert is_held(tmp_path / "y")
    second.release()


def test_waiting_process_says_for_whom_and_takes_over_from_the_dead(tmp_path: Path) -> None:
    folder = tmp_path / "caches" / "toy"
    told: list[str] = []
    with hold_elsewhere(folder) as held:
        working_folder(folder).mkdir(parents=True)
        sign(folder)
        threading.Timer(0.5, lambda: os.kill(held.pid, signal.SIGKILL)).start()
        lock_cache(folder, told.append).release()
        assert held.wait() == -signal.SIGKILL
    assert len(told) == 1
    assert told[0].startswith(f"toy is being made by process {os.getpid()} on ")
    assert told[0].endswith("; waiting until it is done")


def test_unsigned_maker_is_another_process(tmp_path: Path) -> None:
    told: list[str] = []
    with hold_elsewhere(tmp_path / "toy") as held:
        threading.Timer(0.2, held.kill).start()
        lock_cache(tmp_path / "toy", told.append).release()
    assert told == ["toy is being made by another process; waiting until it is done"]


def test_place_that_cannot_be_locked_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CacheError, match=r"^A cache was to be written in .*, but: .*\. Free space there, or set"):
        lock_cache(tmp_path / "file" / "caches" / "x", silent)
    assert not is_held(tmp_path / "file" / "caches" / "x")
