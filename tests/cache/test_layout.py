"""Where bytes are in a states file, and that it is safetensors."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from probes.cache import Cache, CacheWriter, block_batches
from probes.cache.layout import Layout, batches_path, ids_path, index_path, states_path, vocabulary_path
from probes.errors import CacheError


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("shape", [(13, 7, 32), (1, 1, 1), (7, 0, 384), (25, 100, 3)])
def test_header_says_where_the_bytes_are(shape: tuple[int, int, int], dtype: str) -> None:
    num_layers, num_rows, dim = shape
    layout = Layout(num_layers, num_rows, dim, dtype)
    length = int.from_bytes(layout.header[:8], "little")
    tensors = json.loads(layout.header[8:])
    assert len(layout.header) == 8 + length
    assert len(layout.header) % 64 == 0
    assert list(tensors) == [f"layer_{layer}" for layer in range(num_layers)]
    for layer, tensor in enumerate(tensors.values()):
        assert tensor["shape"] == [num_rows, dim]
        assert tensor["dtype"] == {"float16": "F16", "float32": "F32"}[dtype]
        assert tensor["data_offsets"][0] + len(layout.header) == layout.offset(layer, 0)
    assert tensors[f"layer_{num_layers - 1}"]["data_offsets"][1] + len(layout.header) == layout.file_bytes
    assert layout.file_bytes == len(layout.header) + num_layers * num_rows * dim * np.dtype(dtype).itemsize


def test_offset_moves_by_rows_and_layers() -> None:
    layout = Layout(num_layers=3, num_rows=5, dim=4, dtype="float16")
    assert layout.offset(0, 1) - layout.offset(0, 0) == 8
    assert layout.offset(2, 3) - layout.offset(0, 0) == (2 * 5 + 3) * 8


def test_safetensors_opens_the_states_and_agrees(cache: Cache) -> None:
    for split in cache.splits:
        tensors = load_file(states_path(cache.folder, split))
        assert len(tensors) == len(cache.layers)
        for layer in range(len(cache.layers)):
            assert np.array_equal(tensors[f"layer_{layer}"], cache.layer(layer, split))
            assert tensors[f"layer_{layer}"].dtype == cache.layer(layer, split).dtype


def test_safetensors_reads_one_layer_alone(cache: Cache) -> None:
    with safe_open(states_path(cache.folder, "train"), framework="np") as file:
        assert set(file.keys()) == {"layer_0", "layer_1", "layer_2"}
        assert np.array_equal(file.get_slice("layer_2")[1:3], cache.layer(2, "train")[1:3])


def test_opening_a_layer_reads_nothing_but_its_bytes(cache: Cache) -> None:
    path = states_path(cache.folder, "train")
    layout = Layout(3, 5, 4, "float32")
    before = cache.layer(1, "train").copy()
    content = bytearray(path.read_bytes())
    content[: layout.offset(1, 0)] = b"\xff" * layout.offset(1, 0)
    content[layout.offset(2, 0) :] = b"\xff" * (len(content) - layout.offset(2, 0))
    path.write_bytes(content)
    assert np.array_equal(cache.layer(1, "train"), before)


@pytest.mark.parametrize("split", ["batches", "a.index", "../x", "a/b", "", "x y"])
def test_split_without_a_file_of_its_own_is_refused(split: str, tmp_path: Path) -> None:
    layouts = {split: Layout(1, 1, 1, "float32")}
    with pytest.raises(CacheError) as caught:
        CacheWriter(tmp_path / "x", layouts, block_batches(layouts))
    assert str(caught.value) == (
        f"The name of a split should be of letters, digits, - and _, and not 'batches', but is {split!r}. "
        f"Rename the split."
    )


def test_files_of_a_cache_have_their_names(cache: Cache) -> None:
    paths = [path(cache.folder, split) for split in cache.splits for path in (states_path, index_path, ids_path)]
    expected = {*paths, vocabulary_path(cache.folder), batches_path(cache.folder), cache.folder / "manifest.json"}
    assert set(cache.folder.iterdir()) == expected
    assert states_path(Path("folder"), "train") == Path("folder/train.safetensors")
