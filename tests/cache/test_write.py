"""Writing a cache: whole, or not at all."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from probes.cache import Cache, CacheWriter, list_caches, open_cache
from probes.cache.layout import Layout
from probes.errors import CacheError
from tests.cache.conftest import known_states
from tests.toy import make_cache

Write = Callable[..., Cache]
LAYOUTS = {"train": Layout(3, 5, 4, "float32"), "test": Layout(3, 0, 4, "float32")}


def test_rows_may_be_written_in_any_order_and_piece(tmp_path: Path) -> None:
    expected = known_states("train")
    with CacheWriter(tmp_path / "x", LAYOUTS) as writer:
        for row in (3, 0, 4, 1, 2):
            for layer in (2, 0, 1):
                writer.write("train", layer, row, expected[layer, row : row + 1])
        path = writer.working / "train.safetensors"
        for layer in range(3):
            assert np.array_equal(LAYOUTS["train"].open_layer(path, layer), expected[layer])


def test_rows_are_cast_whatever_their_strides(tmp_path: Path) -> None:
    rows = known_states("train")[1].astype(np.float64).T.copy().T
    with CacheWriter(tmp_path / "x", {"train": Layout(1, 5, 4, "float16")}) as writer:
        writer.write("train", 0, 0, rows)
        stored = writer.layouts["train"].open_layer(writer.working / "train.safetensors", 0)
        assert np.array_equal(stored, rows.astype(np.float16))


def test_no_rows_can_be_written(tmp_path: Path) -> None:
    with CacheWriter(tmp_path / "x", LAYOUTS) as writer:
        before = (writer.working / "train.safetensors").read_bytes()
        writer.write("train", 1, 5, np.zeros((0, 4), dtype=np.float32))
        writer.write("test", 2, 0, np.zeros((0, 4), dtype=np.float32))
        assert (writer.working / "train.safetensors").read_bytes() == before


def test_nothing_has_the_caches_name_before_it_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "caches" / "x"
    with CacheWriter(folder, LAYOUTS) as writer:
        assert writer.working.parent == folder.parent
        assert not folder.exists()


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_error_inside_leaves_nothing(error: BaseException, tmp_path: Path) -> None:
    with pytest.raises(type(error)), CacheWriter(tmp_path / "x", LAYOUTS) as writer:  # noqa: PT012
        writer.write("train", 0, 0, known_states("train")[0])
        raise error
    assert list(tmp_path.iterdir()) == []


def test_files_are_closed(tmp_path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with CacheWriter(tmp_path / "x", LAYOUTS):
        pass
    with pytest.raises(RuntimeError), CacheWriter(tmp_path / "y", LAYOUTS):
        raise RuntimeError
    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)


def test_cache_finished_by_another_is_used(write_cache: Write, tmp_path: Path) -> None:
    first = write_cache()
    stamps = {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()}
    second = write_cache()
    assert second.folder == first.folder
    assert {path.name: path.stat().st_mtime_ns for path in first.folder.iterdir()} == stamps
    assert list(tmp_path.iterdir()) == [first.folder]


def test_same_numbers_are_the_same_bytes(write_cache: Write, tmp_path: Path) -> None:
    one, other = (write_cache(tmp_path / name).folder for name in "ab")
    assert {path.name: path.read_bytes() for path in one.iterdir()} == {
        path.name: path.read_bytes() for path in other.iterdir()
    }


def test_short_disk_is_refused_with_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layouts = {"train": Layout(13, 1_000_000, 768, "float16"), "test": Layout(13, 1_000, 768, "float16")}
    needed = sum(layout.file_bytes for layout in layouts.values())
    asked: list[Path] = []

    def free(place: Path) -> SimpleNamespace:
        asked.append(Path(place))
        return SimpleNamespace(free=needed - 1)

    monkeypatch.setattr(shutil, "disk_usage", free)
    with pytest.raises(CacheError) as caught:
        CacheWriter(tmp_path / "home" / "caches" / "x", layouts).__enter__()
    assert str(caught.value) == (
        f"This cache needs 19.99 GB, but {tmp_path} has 19.99 GB free. "
        f"Free space there, or set PROBES_HOME to another disk."
    )
    assert asked == [tmp_path]
    assert list(tmp_path.iterdir()) == []


def test_just_enough_disk_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = sum(layout.file_bytes for layout in LAYOUTS.values())
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=needed))
    with CacheWriter(tmp_path / "x", LAYOUTS) as writer:
        assert sum(path.stat().st_size for path in writer.working.iterdir()) == needed


def test_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CacheError) as caught:
        CacheWriter(tmp_path / "file" / "caches" / "x", LAYOUTS).__enter__()
    assert str(caught.value) == (
        f"A cache was to be written in {tmp_path / 'file' / 'caches'}, but: Not a directory. "
        f"Free space there, or set PROBES_HOME to a folder that can be written."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.cache.conftest import *
where, folder = {where!r}, Path({folder!r})
layouts = {{split: Layout(3, sum(ids.values()), 4, "float32") for split, ids in WORDS.items()}}
kill = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
if where == "rename":
    Path.rename = kill
with CacheWriter(folder, layouts) as writer:
    writer.write("train", 0, 0, known_states("train")[0])
    if where == "write":
        kill()
    writer.finish(known_manifest({{}}, "float32"), {{split: known_index(split) for split in WORDS}}, [])
"""


@pytest.mark.parametrize("where", ["write", "rename"])
def test_killed_writer_leaves_nothing_that_looks_like_a_cache(
    where: str, write_cache: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    whole = write_cache(tmp_path / "caches").folder
    shutil.copytree(whole, tmp_path / "kept" / whole.name)
    shutil.rmtree(whole)
    root = str(Path(__file__).parents[2])
    code = KILLED.format(root=root, where=where, folder=str(whole))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert [path.name.startswith(".working-") for path in (tmp_path / "caches").iterdir()] == [True]
    assert list_caches() == []
    again = write_cache(tmp_path / "caches")
    assert list_caches() == [whole]
    assert open_cache(whole).manifest == again.manifest


def test_failed_rename_is_not_taken_for_another_finished_cache(tmp_path: Path, monkeypatch) -> None:
    def fail(self, target):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="Input/output error"):
        make_cache(tmp_path / "caches", {"train": np.zeros((2, 3, 4), dtype=np.float32)})
    assert list((tmp_path / "caches").iterdir()) == []
