"""Where caches live, listing and removing them."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.cache import (
    Cache,
    caches_folder,
    days_unused,
    inspect_cache,
    list_caches,
    list_unfinished,
    open_cache,
    probes_home,
    remove_cache,
    verify_cache,
)
from probes.cache.home import WORKING_PREFIX
from probes.errors import CacheError

Write = Callable[..., Cache]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    return tmp_path


def test_home_is_named_by_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert probes_home() == home
    assert caches_folder() == home / "caches"
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.setenv("PROBES_HOME", "~/mine")
    assert probes_home() == Path("/somewhere/mine")


@pytest.mark.parametrize("unset", [None, ""])
def test_home_is_else_the_users_cache(unset: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROBES_HOME")
    if unset is not None:
        monkeypatch.setenv("PROBES_HOME", unset)
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert probes_home() == Path("/somewhere/.cache/probes")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert probes_home() == Path("/elsewhere/probes")


def test_caches_are_listed_by_name(home: Path, write_cache: Write) -> None:
    assert list_caches() == []
    made = [write_cache(caches_folder(), weights=name).folder for name in ("x", "y", "z")]
    (caches_folder() / "not-a-cache").mkdir()
    assert list_caches() == sorted(made)


def test_working_folder_is_no_cache(home: Path, cache: Cache) -> None:
    caches_folder().mkdir()
    cache.folder.rename(caches_folder() / f"{WORKING_PREFIX}{cache.folder.name}-17")
    assert list_caches() == []


def test_removed_cache_is_gone_and_others_stay(home: Path, write_cache: Write) -> None:
    one, other = (write_cache(caches_folder(), weights=name).folder for name in ("x", "y"))
    remove_cache(one)
    assert list_caches() == [other]
    assert not one.exists()


def test_opening_counts_as_use_and_looking_does_not(cache: Cache) -> None:
    os.utime(cache.folder, (time.time() - 10 * 86400,) * 2)
    inspect_cache(cache.folder)
    verify_cache(cache.folder)
    assert days_unused(cache.folder) == pytest.approx(10, abs=0.01)
    open_cache(cache.folder)
    assert days_unused(cache.folder) == pytest.approx(0, abs=0.01)


def test_cache_loses_its_name_before_it_is_deleted(home: Path, write_cache: Write, monkeypatch) -> None:
    """Interrupted in the middle, what is left is not where a cache is looked for, and can be removed."""
    folder = write_cache(caches_folder()).folder

    def interrupt(place: Path) -> None:
        (place / "manifest.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        patch.setattr(shutil, "rmtree", interrupt)
        remove_cache(folder)
    assert not folder.exists()
    (left,) = list_unfinished()
    remove_cache(left)
    assert list_unfinished() == []


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: None])
def test_only_a_cache_can_be_removed(make: Callable[[Path], None], tmp_path: Path) -> None:
    place = tmp_path / "precious"
    make(place)
    existed = place.exists()
    with pytest.raises(CacheError) as caught:
        remove_cache(place)
    assert str(caught.value) == (
        f"A cache was expected in {place}, but there is no manifest.json. See the caches with: probes cache ls"
    )
    assert place.exists() == existed
