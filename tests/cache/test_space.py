"""Space on disk: estimated within 2 %, refused with the numbers, limited."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from probes.cache import Layout
from probes.cache.space import cache_limit, check_space
from probes.errors import CacheError, ConfigError
from tests.toy import make_cache


def test_short_disk_is_refused_with_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = Layout(13, 1_000_000, 768, "float16").file_bytes
    asked: list[Path] = []

    def free(place: Path) -> SimpleNamespace:
        asked.append(Path(place))
        return SimpleNamespace(free=needed - 1)

    monkeypatch.setattr(shutil, "disk_usage", free)
    with pytest.raises(CacheError) as caught:
        check_space(tmp_path / "home" / "caches" / "x", needed)
    assert str(caught.value) == (
        f"This cache needs 19.97 GB, but {tmp_path} has 19.97 GB free. "
        f"Free space there, or set PROBES_HOME to another disk."
    )
    assert asked == [tmp_path]


def test_just_enough_disk_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=1000))
    check_space(tmp_path / "x", 1000)


def test_what_needs_no_more_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_cache(tmp_path, {"train": np.ones((2, 100_000, 16), dtype=np.float32)})
    monkeypatch.setenv("PROBES_CACHE_LIMIT", "1 MB")
    check_space(tmp_path / "x", 0)


def test_limit_counts_the_caches_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_cache(tmp_path, {"train": np.ones((2, 100_000, 16), dtype=np.float32)})  # 12.8 MB and 2.5 MB that describe it
    monkeypatch.setenv("PROBES_CACHE_LIMIT", "20 MB")
    check_space(tmp_path / "x", 2_000_000)
    with pytest.raises(CacheError) as caught:
        check_space(tmp_path / "x", 9_000_000)
    assert str(caught.value) == (
        f"The caches in {tmp_path} may take 0.02 GB (PROBES_CACHE_LIMIT), but they take 0.02 GB and this one needs "
        f"0.01 GB more. See when each was last used with: probes cache ls, and remove old ones with: "
        f"probes cache rm --unused"
    )


@pytest.mark.parametrize(("text", "size"), [("50GB", 50 * 10**9), ("1.5 tb", 1_500_000_000_000), ("300MB", 3 * 10**8)])
def test_limit_is_read(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBES_CACHE_LIMIT", text)
    assert cache_limit() == size


def test_no_limit_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROBES_CACHE_LIMIT", raising=False)
    assert cache_limit() is None


@pytest.mark.parametrize("text", ["50", "GB", "-1GB", "50 GiB", "1e3MB"])
def test_limit_that_is_no_size_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBES_CACHE_LIMIT", text)
    with pytest.raises(ConfigError) as caught:
        cache_limit()
    assert str(caught.value) == (
        f"PROBES_CACHE_LIMIT should be a size such as 50GB, but is {text!r}. Use MB, GB or TB."
    )
