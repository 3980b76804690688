"""Verification: a flipped bit anywhere, a cut file, an edited description; each fault names its file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from probes.cache import Cache, verify_cache
from probes.cache.layout import states_path

Write = Callable[..., Cache]


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_cache_as_it_was_written_has_no_fault(dtype: str, write_cache: Write) -> None:
    assert verify_cache(write_cache(dtype=dtype).folder) == []


def test_every_flipped_bit_of_every_file_is_found_and_its_file_named(cache: Cache) -> None:
    for path in sorted(cache.folder.iterdir()):
        for position in range(0, path.stat().st_size, 7):
            flip(path, position)
            faults = verify_cache(cache.folder)
            assert len(faults) == 1, (path.name, position)
            assert str(path) in faults[0]
            flip(path, position)
    assert verify_cache(cache.folder) == []


def test_flipped_bit_names_layer_and_sentence(cache: Cache) -> None:
    path, layout = states_path(cache.folder, "train"), cache.layout("train")
    flip(path, layout.offset(2, 2))  # row 2 is the first word of "ü", in a batch of its own
    assert verify_cache(cache.folder) == [
        f"{path}: layer 2 should be as it was written, but 1 of 2 batches were changed, that of sentence 'ü' among them"
    ]
    flip(path, layout.offset(0, 1))
    assert verify_cache(cache.folder)[0] == (
        f"{path}: layer emb should be as it was written, but 1 of 2 batches were changed, "
        f"that of sentence 'a' among them"
    )


def test_cut_file_is_found(cache: Cache) -> None:
    path = states_path(cache.folder, "test")
    path.write_bytes(path.read_bytes()[:-1])
    size = cache.layout("test").file_bytes
    assert verify_cache(cache.folder) == [
        f"{path} should have {size} bytes, but has {size - 1}. Remove the folder and encode again."
    ]


def test_missing_file_is_found(cache: Cache) -> None:
    path = cache.folder / "batches.safetensors"
    path.unlink()
    assert verify_cache(cache.folder) == [f"{path} should be there, but is not. Remove the folder and encode again."]


def test_folder_that_is_no_cache_is_a_fault(tmp_path: Path) -> None:
    (fault,) = verify_cache(tmp_path)
    assert "there is no manifest.json" in fault
