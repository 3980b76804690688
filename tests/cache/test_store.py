"""Reading a cache, and refusing one that is not whole."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from probes.cache import Cache, open_cache
from probes.cache.layout import ids_path, index_path, states_path, vocabulary_path
from probes.errors import CacheError
from probes.types import Corpus
from tests.cache.conftest import WORDS, known_index, known_states

Write = Callable[..., Cache]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_layers_hold_what_was_written(dtype: str, write_cache: Write) -> None:
    cache = open_cache(write_cache(dtype=dtype).folder)
    for split in WORDS:
        for layer, expected in enumerate(known_states(split, dtype)):
            view = cache.layer(layer, split)
            assert view.dtype == np.dtype(dtype)
            assert np.array_equal(view, expected)


def test_layer_is_a_memory_map(cache: Cache) -> None:
    assert isinstance(cache.layer(0, "train"), np.memmap)


@pytest.mark.parametrize("split", list(WORDS))
def test_layer_cannot_be_written(split: str, cache: Cache) -> None:
    view = cache.layer(1, split)
    assert not view.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[:] = 0


def test_sizes_and_names(cache: Cache) -> None:
    assert (cache.layers, cache.splits, cache.dim) == (("emb", "1", "2"), ("train", "test", "none"), 4)
    assert cache.num_bytes == sum(path.stat().st_size for path in cache.folder.iterdir())
    assert cache.vocabulary == ("even", "odd")


@pytest.mark.parametrize("split", list(WORDS))
def test_index_is_what_was_written(split: str, cache: Cache) -> None:
    found, expected = cache.index(split), known_index(split)
    assert (found.unit, found.ids) == (expected.unit, expected.ids)
    for name in ("offsets", "word", "types"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


def test_numpy_number_is_a_layer(cache: Cache) -> None:
    assert np.array_equal(cache.layer(np.int64(2), "train"), cache.layer(2, "train"))


@pytest.mark.parametrize("layer", [99, 3, -1, True, False, np.int64(3)])
def test_unknown_layer_is_refused(layer: int, cache: Cache) -> None:
    with pytest.raises(CacheError) as caught:
        cache.layer(layer, "train")
    assert str(caught.value) == (
        f"A layer from 0 (the embeddings) to 2 was expected, but came {layer!r}; "
        f"{cache.folder.name} holds emb, 1, 2. Ask for one of these."
    )


@pytest.mark.parametrize("layer", ['"1"', "1.0", "None", "(1,)"])
def test_layer_that_is_no_number_is_refused(layer: str, cache: Cache) -> None:
    """In a process without checked annotations, as users have it."""
    code = f"import sys; from probes.cache import open_cache; open_cache(sys.argv[1]).layer({layer}, 'train')"
    ran = subprocess.run([sys.executable, "-c", code, cache.folder], capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1] == (
        f"probes.errors.CacheError: A layer from 0 (the embeddings) to 2 was expected, but came {eval(layer)!r}; "
        f"{cache.folder.name} holds emb, 1, 2. Ask for one of these."
    )


@pytest.mark.parametrize("ask", [lambda cache: cache.layer(0, "trian"), lambda cache: cache.index("trian")])
def test_unknown_split_is_refused(ask: Callable[[Cache], object], cache: Cache) -> None:
    with pytest.raises(CacheError) as caught:
        ask(cache)
    assert str(caught.value) == (
        f"{cache.folder.name} has no split 'trian'; it holds 'train', 'none', 'test'. Ask for one of these."
    )


def test_corpus_is_carried_beside_the_states(cache: Cache) -> None:
    corpus = Corpus("known", {})
    assert cache.corpus is None
    assert cache.with_corpus(corpus).corpus is corpus
    assert cache.with_corpus(corpus).folder == cache.folder


def test_folder_may_be_given_in_any_way(cache: Cache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(cache.folder)
    monkeypatch.chdir(cache.folder)
    for folder in (str(cache.folder), ".", f"../{cache.folder.name}/", tmp_path / "link"):
        assert np.array_equal(open_cache(folder).layer(1, "test"), cache.layer(1, "test"))


@pytest.mark.parametrize("change", [-1, 1, -100])
def test_states_of_another_size_are_refused(change: int, cache: Cache) -> None:
    path = states_path(cache.folder, "test")
    content = path.read_bytes()
    path.write_bytes(content[:change] if change < 0 else content + b"\0" * change)
    with pytest.raises(CacheError) as caught:
        open_cache(cache.folder)
    assert str(caught.value) == (
        f"{path} should have {len(content)} bytes, but has {len(content) + change}. Remove the folder and encode again."
    )


def test_missing_states_are_refused(cache: Cache) -> None:
    path = states_path(cache.folder, "train")
    size = path.stat().st_size
    path.unlink()
    with pytest.raises(CacheError) as caught:
        open_cache(cache.folder)
    assert str(caught.value) == f"{path} should have {size} bytes, but has 0. Remove the folder and encode again."


@pytest.mark.parametrize("name", ["index", "ids", "vocabulary"])
def test_missing_description_is_refused(name: str, cache: Cache) -> None:
    described = {"index": index_path(cache.folder, "test"), "ids": ids_path(cache.folder, "test")}
    path = described.get(name) or vocabulary_path(cache.folder)
    path.unlink()
    with pytest.raises(CacheError) as caught:
        open_cache(cache.folder)
    assert str(caught.value) == f"{path} should be there, but is not. Remove the folder and encode again."


def test_changed_ids_are_refused(cache: Cache) -> None:
    path = ids_path(cache.folder, "train")
    path.write_text(path.read_text("utf-8").replace('"a"', '"x"'), "utf-8")
    with pytest.raises(CacheError) as caught:
        cache.index("train")
    assert str(caught.value) == (
        f"{path} should be as it was written, but was changed. Remove the folder and encode again."
    )
