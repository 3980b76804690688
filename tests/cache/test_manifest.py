"""The manifest: written once, and refused after any edit."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from probes.cache import Cache, open_cache
from probes.cache.manifest import MANIFEST_NAME, hash_ids, read_manifest
from probes.errors import CacheError


def refused(path: Path, reason: str) -> str:
    return (
        f"{path} should be as it was written, but it was changed or cut: {reason}. Remove the folder and encode again."
    )


def test_manifest_is_read_as_it_was_written(cache: Cache) -> None:
    assert read_manifest(cache.folder) == cache.manifest


def test_manifest_is_readable_json(cache: Cache) -> None:
    text = (cache.folder / MANIFEST_NAME).read_text("utf-8")
    assert json.loads(text)["layers"] == ["emb", "1", "2"]
    assert '"ü"' in text
    assert text.endswith("}\n")


EDITS: dict[str, tuple[int, Callable[[int], int]]] = {
    "last bit": (3, lambda byte: byte ^ 1),
    "first bit": (13, lambda byte: byte ^ 0x80),
    "white space": (1, lambda byte: {0x20: 0x0A, 0x0A: 0x20}.get(byte, byte)),
}


@pytest.mark.parametrize("edit", EDITS)
def test_one_edited_byte_anywhere_is_refused(edit: str, cache: Cache) -> None:
    step, change = EDITS[edit]
    path = cache.folder / MANIFEST_NAME
    content = path.read_bytes()
    positions = [
        position for position in range(0, len(content), step) if change(content[position]) != content[position]
    ]
    assert len(positions) > 60
    for position in positions:
        path.write_bytes(content[:position] + bytes([change(content[position])]) + content[position + 1 :])
        with pytest.raises(CacheError, match=r" encode again\.$"):
            read_manifest(cache.folder)
    path.write_bytes(content)
    assert read_manifest(cache.folder) == cache.manifest


@pytest.mark.parametrize("extra", [b" ", b"\n", b"x"])
def test_one_byte_more_is_refused(extra: bytes, cache: Cache) -> None:
    path = cache.folder / MANIFEST_NAME
    path.write_bytes(path.read_bytes() + extra)
    with pytest.raises(CacheError):
        open_cache(cache.folder)


def test_edited_value_is_one_message(cache: Cache) -> None:
    path = cache.folder / MANIFEST_NAME
    path.write_text(path.read_text("utf-8").replace('"dim": 4', '"dim": 2'), "utf-8")
    with pytest.raises(CacheError) as caught:
        open_cache(cache.folder)
    assert str(caught.value) == refused(path, "its content does not match its seal")


def test_renamed_folder_is_refused(cache: Cache) -> None:
    folder = cache.folder.rename(cache.folder.parent / "toy-0123456789abcdef")
    with pytest.raises(CacheError) as caught:
        open_cache(folder)
    assert str(caught.value) == refused(folder / MANIFEST_NAME, "its content does not match its seal")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ('{"schema_number": 1', "Expecting ',' delimiter: line 1 column 20 (char 19)"),
        ("{}", "'seal'"),
        ('{"seal": "x", "schema_number": 2, "identity": {}}', "its content does not match its seal"),
        ("[]", "list indices must be integers or slices, not str"),
        ("3", "'int' object does not support item deletion"),
    ],
)
def test_something_else_than_a_manifest_is_refused(content: str, reason: str, cache: Cache) -> None:
    path = cache.folder / MANIFEST_NAME
    path.write_text(content)
    with pytest.raises(CacheError) as caught:
        read_manifest(cache.folder)
    assert str(caught.value) == refused(path, reason)


def test_another_schema_is_refused_by_number(cache: Cache) -> None:
    path = cache.folder / MANIFEST_NAME
    path.write_text(path.read_text("utf-8").replace('"schema_number": 2', '"schema_number": 3'), "utf-8")
    with pytest.raises(CacheError) as caught:
        open_cache(cache.folder)
    assert str(caught.value) == (
        f"{path} should have schema 2, but has schema 3: another version of probes wrote it. "
        f"Use that version, or remove the folder and encode again."
    )


@pytest.mark.parametrize("exists", [True, False])
def test_folder_that_is_no_cache_is_refused(exists: bool, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    if exists:
        folder.mkdir()
        (folder / "file").write_text("x")
    with pytest.raises(CacheError) as caught:
        open_cache(folder)
    assert str(caught.value) == (
        f"A cache was expected in {folder}, but there is no manifest.json. See the caches with: probes cache ls"
    )


def test_hash_of_ids_sees_order_and_borders() -> None:
    assert len({hash_ids(ids) for ids in (["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""], [])}) == 5
