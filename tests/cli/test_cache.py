"""`probes cache`: what is there, whether it is whole, and how it goes away."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from probes.cache import Cache, list_caches, list_unfinished, lock_cache
from probes.cache.home import working_folder
from tests.toy import call_probes, make_cache


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Cache]:
    """Two caches of 4,000 and 8,000 rows in a home of their own."""
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    numbers = [np.arange(2 * size * 4, dtype=np.float32).reshape(2, size, 4) for size in (4000, 8000)]
    return [make_cache(tmp_path / "caches", {"train": states}) for states in numbers]


def age(folder: Path, days: float) -> None:
    os.utime(folder, (time.time() - days * 86400,) * 2)


def leave_unfinished(name: str, home: Path, days: float = 0) -> Path:
    """What a maker leaves that was killed so many days ago."""
    working = working_folder(home / "caches" / name)
    (working / "cache").mkdir(parents=True)
    (working / "journal-0.bin").write_bytes(b"x" * 5000)
    for path in (working / "journal-0.bin", working):
        age(path, days)
    return working


def output(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[str]:
    assert call_probes("cache", *arguments) == code
    return capsys.readouterr().out.splitlines()


def test_caches_are_listed_with_size_and_age(caches: list[Cache], capsys: pytest.CaptureFixture[str]) -> None:
    age(caches[0].folder, 12.2)
    lines = {line.split()[-1]: line.split() for line in output(capsys, "ls")[:-1]}
    for cache, rows, days in zip(caches, ("4000", "8000"), ("12", "0"), strict=True):
        size, *rest = lines[cache.folder.name]
        assert float(size) > 0
        assert rest == ["MB", days, "d", rows, "sentences", "2", "layers", "toy", cache.folder.name]


def test_listing_does_not_count_as_use(caches: list[Cache], capsys: pytest.CaptureFixture[str]) -> None:
    age(caches[0].folder, 5)
    before = caches[0].folder.stat().st_mtime_ns
    output(capsys, "ls")
    output(capsys, "verify")
    assert caches[0].folder.stat().st_mtime_ns == before


def test_sum_and_place_are_told(caches: list[Cache], capsys: pytest.CaptureFixture[str]) -> None:
    *lines, last = output(capsys, "ls")
    assert last.endswith(f" MB in {caches[0].folder.parent}")
    assert float(last.split()[0]) == pytest.approx(sum(float(line.split()[0]) for line in lines), abs=0.16)


def test_damaged_cache_is_listed_as_such(caches: list[Cache], capsys: pytest.CaptureFixture[str]) -> None:
    manifest = caches[0].folder / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"toy"', '"tox"', 1), "utf-8")
    (line,) = [line for line in output(capsys, "ls") if "cannot be used" in line]
    assert f"{caches[0].folder.name}: {manifest} should be as it was written" in line


def test_unfinished_cache_is_listed_as_such(tmp_path: Path, caches, capsys: pytest.CaptureFixture[str]) -> None:
    leave_unfinished("other-0123", tmp_path, days=3)
    (line,) = [line for line in output(capsys, "ls") if "other-0123" in line]
    assert line.split("MB")[1] == "     3 d  unfinished: encode again to go on  other-0123"
    lock = lock_cache(tmp_path / "caches" / "other-0123", print)
    (line,) = [line for line in output(capsys, "ls") if "other-0123" in line]
    assert line.endswith("is being made  other-0123")
    lock.release()


def test_whole_caches_are_verified_in_silence_of_faults(caches, capsys: pytest.CaptureFixture[str]) -> None:
    assert sorted(output(capsys, "verify")) == sorted(f"whole  {cache.folder.name}" for cache in caches)


def test_damaged_cache_fails_verification_with_its_file(caches, capsys: pytest.CaptureFixture[str]) -> None:
    path = caches[1].folder / "train.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    assert output(capsys, "verify", caches[0].folder.name) == [f"whole  {caches[0].folder.name}"]
    name, fault = output(capsys, "verify", caches[1].folder.name, code=1)
    assert name == f"damaged  {caches[1].folder.name}"
    assert fault.startswith(f"  {path}: layer 1 should be as it was written")
    assert len(output(capsys, "verify", code=1)) == 3


def test_caches_are_removed_by_name(tmp_path: Path, caches, capsys: pytest.CaptureFixture[str]) -> None:
    leave_unfinished("other-0123", tmp_path)
    assert output(capsys, "rm", caches[0].folder.name, "other-0123") == [
        f"removed  {caches[0].folder.name}",
        "removed  other-0123",
    ]
    assert list_caches() == [caches[1].folder]
    assert list_unfinished() == []


def test_unused_caches_are_removed_and_used_ones_stay(tmp_path: Path, caches, capsys) -> None:
    age(caches[0].folder, 31)
    age(caches[1].folder, 29)
    leave_unfinished("old-0123", tmp_path, days=31)
    leave_unfinished("new-0123", tmp_path)
    assert sorted(output(capsys, "rm", "--unused")) == ["removed  old-0123", f"removed  {caches[0].folder.name}"]
    assert list_caches() == [caches[1].folder]
    assert output(capsys, "rm", "--unused", "--days", "28") == [f"removed  {caches[1].folder.name}"]
    assert [path.name for path in list_unfinished()] == [".working-new-0123"]


def test_cache_that_is_being_made_stays(tmp_path: Path, caches, capsys: pytest.CaptureFixture[str]) -> None:
    leave_unfinished("old-0123", tmp_path, days=31)
    lock = lock_cache(tmp_path / "caches" / "old-0123", print)
    assert output(capsys, "rm", "--unused") == ["kept     old-0123: it is being made"]
    assert len(list_unfinished()) == 1
    lock.release()


@pytest.mark.parametrize("arguments", [(), ("x", "--unused")])
def test_names_or_unused_are_needed(arguments: tuple[str, ...], caches, capsys: pytest.CaptureFixture[str]) -> None:
    assert call_probes("cache", "rm", *arguments) == 2
    assert capsys.readouterr().err == (
        "probes: `probes cache rm` takes names or --unused, and one of them. See both with: probes cache ls\n"
    )


@pytest.mark.parametrize("command", [("rm",), ("verify",), ("export", "--to", "x")])
def test_cache_that_is_not_there_is_told(command: tuple[str, ...], tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    assert call_probes("cache", command[0], "x", *command[1:]) == 2
    assert capsys.readouterr().err == (
        "probes: There is no cache 'x'; the caches are: none. See them with: probes cache ls\n"
    )


def test_cache_is_exported_to_files(tmp_path: Path, caches, capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "export", caches[0].folder.name, "--to", str(tmp_path / "out")) == [
        str(tmp_path / "out" / "train.parquet")
    ]
    assert (tmp_path / "out" / "train.parquet").is_file()
