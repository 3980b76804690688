"""Writing a cache: by batches in any order, whole or not at all, and nothing lost that was complete."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from probes.cache import Batches, Cache, CacheWriter, Layout, block_batches, list_caches, list_unfinished, open_cache
from probes.cache.layout import states_path
from probes.errors import CacheError
from tests.cache.conftest import KNOWN_BATCHES, WORDS, batch_states, known_index, known_manifest, known_states

Write = Callable[..., Cache]
LAYOUTS = {split: Layout(3, sum(ids.values()), 4, "float32") for split, ids in WORDS.items()}


def make_writer(folder: Path, rank: int = 0) -> CacheWriter:
    return CacheWriter(folder, LAYOUTS, KNOWN_BATCHES, rank=rank)


def finish(writer: CacheWriter) -> Cache:
    return writer.finish(known_manifest({}, "float32"), {split: known_index(split) for split in WORDS}, [])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def target(write_cache: Write, tmp_path: Path) -> Path:
    """Where the known cache of an empty identity belongs."""
    return tmp_path / "caches" / "toy-44136fa355b3678a"


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_batches_may_be_written_in_any_order(order: list[int], target: Path) -> None:
    writer = make_writer(target)
    writer.prepare()
    with writer:
        assert writer.missing == [0, 1]
        for batch in order:
            writer.write(batch, batch_states(batch))
        cache = finish(writer)
    for split in WORDS:
        for layer, expected in enumerate(known_states(split)):
            assert np.array_equal(cache.layer(layer, split), expected)


def test_rows_are_cast_whatever_their_strides(tmp_path: Path) -> None:
    rows = known_states("train").astype(np.float64)[:1].T.copy().T
    layouts = {"train": Layout(1, 5, 4, "float16")}
    writer = CacheWriter(tmp_path / "x", layouts, block_batches(layouts))
    writer.prepare()
    with writer:
        writer.write(0, rows)
    stored = layouts["train"].open_layer(states_path(writer.target, "train"), 0)
    assert np.array_equal(stored, rows[0].astype(np.float16))


def test_batch_without_rows_writes_nothing_and_is_done(tmp_path: Path) -> None:
    layouts = {"train": Layout(2, 1, 4, "float32"), "none": Layout(2, 0, 4, "float32")}
    writer = CacheWriter(tmp_path / "x", layouts, Batches(np.array([0, 0, 1]), np.array([0]), np.array([1])))
    writer.prepare()
    before = contents(writer.target)
    with writer:
        writer.write(0, np.zeros((2, 0, 4), dtype=np.float32))
    with writer:
        assert writer.missing == [1]
    assert contents(writer.target) == before


def test_nothing_has_the_caches_name_before_it_is_whole(target: Path) -> None:
    writer = make_writer(target)
    writer.prepare()
    with writer:
        writer.write(0, batch_states(0))
        with pytest.raises(CacheError) as caught:
            finish(writer)
    assert str(caught.value) == (
        "All 2 batches of toy-44136fa355b3678a should be written, but 1 are not. Call again to go on from there."
    )
    assert [path.name for path in target.parent.iterdir()] == [".working-toy-44136fa355b3678a"]


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_next_writer_goes_on_after_an_error(error: BaseException, target: Path) -> None:
    writer = make_writer(target)
    writer.prepare()
    with pytest.raises(type(error)), writer:  # noqa: PT012
        writer.write(1, batch_states(1))
        raise error
    again = make_writer(target)
    again.prepare()
    with again:
        assert again.missing == [0]
        again.write(0, batch_states(0))
        whole = finish(again).folder
    straight = make_writer(target.parent / "straight" / target.name)
    straight.prepare()
    with straight:
        for batch in (0, 1):
            straight.write(batch, batch_states(batch))
        other = finish(straight).folder
    assert contents(whole) == contents(other)
    assert not again.working.exists()


@pytest.mark.parametrize(("split", "batch"), [("train", 0), ("test", 0), ("train", 1)])
def test_batch_whose_bytes_changed_is_done_again(split: str, batch: int, target: Path) -> None:
    writer = make_writer(target)
    writer.prepare()
    with writer:
        for number in (0, 1):
            writer.write(number, batch_states(number))
    row = 2 if batch == 1 else 0
    with states_path(writer.target, split).open("r+b") as file:
        file.seek(LAYOUTS[split].offset(2, row) + 3)
        file.write(b"\xff")
    again = make_writer(target)
    again.prepare()
    with again:
        assert again.missing == [batch]


def test_states_file_of_another_size_is_made_anew(target: Path) -> None:
    writer = make_writer(target)
    writer.prepare()
    with writer:
        for number in (0, 1):
            writer.write(number, batch_states(number))
    with states_path(writer.target, "test").open("ab") as file:
        file.write(b"x")
    again = make_writer(target)
    again.prepare()
    with again:
        assert again.missing == [0]


def test_writers_of_several_processes_share_the_batches(target: Path) -> None:
    make_writer(target).prepare()
    with make_writer(target) as first, make_writer(target, rank=1) as second:
        first.write(1, batch_states(1))
        second.write(0, batch_states(0))
        cache = finish(first)
    assert np.array_equal(cache.layer(2, "train"), known_states("train")[2])


def test_files_are_closed(target: Path) -> None:
    make_writer(target).prepare()
    before = set(Path("/proc/self/fd").iterdir())
    with make_writer(target):
        assert len(set(Path("/proc/self/fd").iterdir())) > len(before)
    with pytest.raises(RuntimeError), make_writer(target):
        raise RuntimeError
    assert len(set(Path("/proc/self/fd").iterdir())) == len(before)


def test_same_numbers_are_the_same_bytes(write_cache: Write, tmp_path: Path) -> None:
    one, other = (write_cache(tmp_path / name).folder for name in "ab")
    assert contents(one) == contents(other)


def test_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CacheError) as caught:
        make_writer(tmp_path / "file" / "caches" / "x").prepare()
    assert str(caught.value) == (
        f"A cache was to be written in {tmp_path / 'file' / 'caches'}, but: Not a directory. "
        f"Free space there, or set PROBES_HOME to a folder that can be written."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_full_disk_in_the_middle_names_the_batch_and_loses_nothing(target: Path, monkeypatch) -> None:
    writer = make_writer(target)
    writer.prepare()
    with writer:
        writer.write(0, batch_states(0))
        monkeypatch.setattr(os, "pwrite", _fail_with(28, "No space left on device"))
        with pytest.raises(CacheError) as caught:
            writer.write(1, batch_states(1))
    monkeypatch.undo()
    assert str(caught.value) == (
        f"Batch 2 of 2 was to be written in {writer.working}, but: No space left on device. "
        f"The batches before it stay; make room and call again to go on from there."
    )
    again = make_writer(target)
    again.prepare()
    with again:
        assert again.missing == [1]


def _fail_with(number: int, reason: str) -> Callable[..., None]:
    def fail(*given: object) -> None:
        raise OSError(number, reason)

    return fail


def test_write_cut_short_by_the_system_is_gone_on_with(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    writer = make_writer(target)
    writer.prepare()
    monkeypatch.setattr(os, "pwrite", lambda file, data, place: real(file, data[:5], place))
    with writer:
        for batch in (0, 1):
            writer.write(batch, batch_states(batch))
        cache = finish(writer)
    assert np.array_equal(cache.layer(1, "train"), known_states("train")[1])


def test_failed_rename_leaves_everything_for_the_next_call(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = make_writer(target)
    writer.prepare()
    with writer:
        for batch in (0, 1):
            writer.write(batch, batch_states(batch))
        monkeypatch.setattr(Path, "rename", _fail_with(5, "Input/output error"))
        with pytest.raises(CacheError, match="Input/output error"):
            finish(writer)
    monkeypatch.undo()
    again = make_writer(target)
    again.prepare()
    with again:
        assert again.missing == []
        assert finish(again).folder == target


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.cache.test_write import *
kill = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
writer = make_writer(Path({folder!r}))
if {where!r} == "reserve":
    os.posix_fallocate = kill
writer.prepare()
with writer:
    writer.write(0, batch_states(0))
    if {where!r} == "write":
        os.pwrite = kill
    writer.write(1, batch_states(1))
    if {where!r} == "rename":
        Path.rename = kill
    finish(writer)
"""


@pytest.mark.parametrize(("where", "missing"), [("reserve", [0, 1]), ("write", [1]), ("rename", [])])
def test_killed_writer_leaves_what_was_complete_and_nothing_that_looks_like_a_cache(
    where: str, missing: list[int], target: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    code = KILLED.format(root=str(Path(__file__).parents[2]), where=where, folder=str(target))
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert list_caches() == []
    assert [path.name for path in list_unfinished()] == [f".working-{target.name}"]
    writer = make_writer(target)
    writer.prepare()
    with writer:
        assert writer.missing == missing
        for batch in missing:
            writer.write(batch, batch_states(batch))
        finish(writer)
    assert list_caches() == [target]
    assert list_unfinished() == []
    for split in WORDS:
        assert np.array_equal(open_cache(target).layer(1, split), known_states(split)[1])


def test_reserved_space_counts_as_there(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_writer(target).prepare()
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=0))
    make_writer(target).prepare()
    with pytest.raises(CacheError, match="This cache needs"):
        make_writer(target.with_name("other")).prepare()
