"""Vectors from anywhere: the same numbers, known by their sentences and words, made once."""

import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from probes.cache import Cache, adopt, block_batches, identity_hash, list_caches, lock_cache, verify_cache
from probes.cache.home import working_folder
from probes.task.build import build_task
from probes.types import Corpus, Sentence

WORDS = {
    "train": {"a": ("the", "dog", "runs"), "b": (), "ü": ("Dog", "the")},
    "test": {"c": ("cat",), "d": ("the", "cat")},
}
IDS = {split: list(named) for split, named in WORDS.items()}
SPOKEN = {split: list(named.values()) for split, named in WORDS.items()}
CORPUS = Corpus("few", {split: [Sentence(*pair) for pair in named.items()] for split, named in WORDS.items()})
KINDS = (".npy", ".safetensors", ".hdf5", ".h5", "array", "memmap", "strided")
DTYPES = ("float16", "float32", "float64", ">f4")


def known(split: str, dtype: str = "float32", *, num_rows: int | None = None) -> np.ndarray:
    """[layer, row, dim]: the digits of every number are its split, layer, row and dim."""
    num_rows = sum(map(len, SPOKEN[split])) if num_rows is None else num_rows
    layer, row, dim = np.indices((3, num_rows, 4))
    return (1000 * list(WORDS).index(split) + 100 * layer + 10 * row + dim).astype(dtype)


def arrays(dtype: str = "float32") -> dict[str, np.ndarray]:
    return {split: known(split, dtype) for split in WORDS}


def give(kind: str, split: str, states: np.ndarray, folder: Path) -> Any:
    """The states as someone would have them."""
    path = folder / f"{split}{kind}"
    if kind in (".npy", "memmap"):
        np.save(path.with_suffix(".npy"), states)
        return path if kind == ".npy" else np.load(path.with_suffix(".npy"), mmap_mode="r")
    if kind == ".safetensors":
        save_file({f"layer_{number}": np.ascontiguousarray(rows) for number, rows in enumerate(states)}, path)
        return str(path)
    if kind in (".hdf5", ".h5"):
        write_hdf5(path, states, list(map(len, SPOKEN[split])))
        return path
    return states if kind == "array" else np.asfortranarray(np.repeat(states, 2, axis=1))[:, ::2]


def write_hdf5(path: Path, states: np.ndarray, sizes: Sequence[int]) -> None:
    with h5py.File(path, "w") as file:
        for number, part in enumerate(np.split(states, np.cumsum(sizes)[:-1], axis=1)):
            file[str(number)] = part
        file.create_dataset("sentence_to_index", data=["{}"], dtype=h5py.string_dtype())


def modified(cache: Cache) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in cache.folder.iterdir()}


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [(kind, dtype) for kind in KINDS for dtype in DTYPES if (kind, dtype) != (".safetensors", ">f4")],
)
def test_every_number_stays_at_its_split_layer_row_and_dim(kind: str, dtype: str, tmp_path: Path) -> None:
    given = {split: give(kind, split, known(split, dtype), tmp_path) for split in WORDS}
    cache = adopt(given, IDS, words=SPOKEN, name="known", folder=tmp_path)
    stored = "float16" if dtype == "float16" else "float32"
    assert (cache.layers, cache.splits, cache.dim) == (("emb", "1", "2"), ("train", "test"), 4)
    assert cache.manifest.dtype == stored
    for split in WORDS:
        for layer, expected in enumerate(known(split)):
            assert cache.layer(layer, split).dtype == np.dtype(stored)
            assert np.array_equal(cache.layer(layer, split), expected)
    assert (cache.layer(2, "train")[4, 3], cache.layer(1, "test")[0, 2]) == (243, 1102)
    assert verify_cache(cache.folder) == []


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_may_begin_and_end_inside_a_sentence(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [3000, 0, 3000, 1, 0, 6000, 0]
    monkeypatch.setitem(SPOKEN, "long", [("word",) * size for size in sizes])
    states = np.arange(2 * sum(sizes) * 3, dtype=np.float32).reshape(2, sum(sizes), 3)
    words, ids = {"long": SPOKEN["long"]}, {"long": [f"s{number}" for number in range(len(sizes))]}
    given = {"long": give(kind, "long", states, tmp_path)}
    cache = adopt(given, ids, words=words, name="long", folder=tmp_path)
    assert np.array_equal(cache.layer(0, "long"), states[0])
    assert np.array_equal(cache.layer(1, "long"), states[1])
    assert adopt({"long": states}, ids, words=words, name="long", folder=tmp_path).folder == cache.folder


def test_rows_are_words(tmp_path: Path) -> None:
    cache = adopt(arrays(), IDS, words=SPOKEN, name="known", folder=tmp_path)
    assert cache.vocabulary == ("the", "dog", "runs", "Dog", "cat")
    train, test = cache.index("train"), cache.index("test")
    assert (train.unit, train.ids, test.unit, test.ids) == ("word", ["a", "b", "ü"], "word", ["c", "d"])
    assert (train.offsets.tolist(), test.offsets.tolist()) == ([0, 3, 3, 5], [0, 1, 3])
    assert (train.word.tolist(), test.word.tolist()) == ([0, 1, 2, 0, 1], [0, 0, 1])
    assert (train.types.tolist(), test.types.tolist()) == ([0, 1, 2, 3, 0], [4, 0, 4])


@pytest.mark.parametrize("words", [None, SPOKEN])
def test_rows_are_sentences_where_they_are_as_many_and_words_are_not(words: Any, tmp_path: Path) -> None:
    given = {split: known(split, num_rows=len(ids)) for split, ids in IDS.items()}
    cache = adopt(given, IDS, words=words, name="known", folder=tmp_path)
    index = cache.index("train")
    assert (index.unit, index.ids, cache.vocabulary) == ("sentence", ["a", "b", "ü"], ())
    assert [index.offsets.tolist(), index.word.tolist(), index.types.tolist()] == [[0, 1, 2, 3], [0] * 3, [-1] * 3]
    assert np.array_equal(cache.layer(1, "test"), known("test", num_rows=2)[1])


def test_splits_of_one_word_sentences_follow_the_others(tmp_path: Path) -> None:
    """Two rows for two sentences of a word each fit both units; the other split decides."""
    ids, words = {"one": ["x", "y"], "more": ["z"]}, {"one": [["a"], ["b"]], "more": [["c", "d"]]}
    for num_rows, unit in ((2, "word"), (1, "sentence")):
        given = {"one": known("train", num_rows=2), "more": known("train", num_rows=num_rows)}
        assert adopt(given, ids, words=words, name="known", folder=tmp_path).manifest.unit == unit
    alone = {"one": known("train", num_rows=2)}
    cache = adopt(alone, {"one": ids["one"]}, words={"one": words["one"]}, name="known", folder=tmp_path)
    assert cache.manifest.unit == "word"


def test_corpus_brings_ids_and_words_and_stays(tmp_path: Path) -> None:
    cache = adopt(arrays(), CORPUS, name="known", folder=tmp_path)
    assert cache.corpus is CORPUS
    assert cache.manifest.corpus == "few"
    by_hand = adopt(arrays(), IDS, words=SPOKEN, name="known", folder=tmp_path)
    assert by_hand.folder == cache.folder
    assert by_hand.corpus is None
    assert adopt(arrays(), CORPUS, name="known", folder=tmp_path).corpus is CORPUS


def test_manifest_says_what_was_adopted(tmp_path: Path) -> None:
    cache = adopt(arrays(), IDS, words=SPOKEN, name="My BERT, v2", post_norm_last=False, folder=tmp_path)
    manifest = cache.manifest
    assert cache.folder == tmp_path / f"my-bert-v2-{identity_hash(manifest.identity)}"
    assert (manifest.encoder, manifest.corpus) == ({"name": "My BERT, v2"}, "My BERT, v2")
    assert manifest.post_norm_last is False
    assert (manifest.cut, manifest.lost, manifest.environment) == ({}, {}, {})
    assert {split: (size.sentences, size.rows) for split, size in manifest.splits.items()} == {
        "train": (3, 5),
        "test": (2, 3),
    }


def test_default_place_is_among_the_other_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    cache = adopt(arrays(), CORPUS, name="known")
    assert list_caches() == [cache.folder] == [tmp_path / "caches" / cache.folder.name]


@pytest.mark.parametrize("kind", KINDS)
def test_same_vectors_are_only_opened(kind: str, tmp_path: Path) -> None:
    first = adopt(arrays(), CORPUS, name="known", folder=tmp_path / "caches")
    before = modified(first)
    given = {split: give(kind, split, known(split, "float64"), tmp_path) for split in reversed(WORDS)}
    again = adopt(given, CORPUS, name="known", folder=tmp_path / "caches")
    assert again.folder == first.folder
    assert modified(again) == before


def changed(split: str, layer: int, row: int, dim: int) -> dict[str, np.ndarray]:
    given = arrays()
    given[split][layer, row, dim] = np.nextafter(given[split][layer, row, dim], np.float32(np.inf))
    return given


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"post_norm_last": False},
        {"arrays": arrays("float16")},
        *({"arrays": changed(*place)} for place in (("train", 0, 0, 0), ("train", 2, 4, 3), ("test", 1, 1, 2))),
        {"arrays": {split: states[::-1] for split, states in arrays().items()}},
        {"arrays": {split: states[:2] for split, states in arrays().items()}},
        {"arrays": {split: states.view("float16") for split, states in arrays().items()}},
        {"ids": {"train": ["a", "b", "u"], "test": ["c", "d"]}},
        {"ids": {"train": ["a", "b", "c"], "test": ["ü", "d"]}},
        {"ids": dict(reversed(IDS.items()))},
        {"words": {**SPOKEN, "test": [("Cat",), ("the", "cat")]}},
        {"words": {**SPOKEN, "test": [("cat", "the"), ("cat",)]}},
        {"words": {**SPOKEN, "train": [(), ("the", "dog", "runs"), ("Dog", "the")]}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_difference_is_another_cache(change: Mapping[str, Any], tmp_path: Path) -> None:
    base = {"arrays": arrays(), "ids": IDS, "words": SPOKEN, "name": "known"}
    digests = {adopt(**given, folder=tmp_path).folder.name[-16:] for given in (base, {**base, **change})}
    assert len(digests) == 2


def test_words_do_not_tell_sentence_vectors_apart(tmp_path: Path) -> None:
    given = {split: known(split, num_rows=len(ids)) for split, ids in IDS.items()}
    folders = {adopt(given, IDS, words=words, name="known", folder=tmp_path).folder for words in (None, SPOKEN)}
    assert len(folders) == 1
    assert adopt(given, CORPUS, name="known", folder=tmp_path).folder in folders


def test_sentence_without_words_in_another_split_is_another_cache(tmp_path: Path) -> None:
    """Neither the states nor the ids and words one after the other tell where it is."""
    names, given = (
        [("x", ("q",)), ("y", ()), ("z", ("r",))],
        {"one": known("train")[:, :1], "two": known("test")[:, :1]},
    )
    folders = set()
    for cut in (1, 2):
        halves = zip(given, (names[:cut], names[cut:]), strict=True)
        corpus = Corpus("cut", {split: [Sentence(*pair) for pair in part] for split, part in halves})
        folders.add(adopt(given, corpus, name="cut", folder=tmp_path).folder)
    assert len(folders) == 2


def test_size_of_blocks_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = adopt(arrays(), CORPUS, name="known", folder=tmp_path).folder
    monkeypatch.setattr("probes.cache.source.block_batches", lambda layouts: block_batches(layouts, 2))
    assert adopt(arrays(), CORPUS, name="known", folder=tmp_path).folder == folder


def tagged(num_sentences: int, seed: int) -> Corpus:
    """Sentences of one to nine words whose tags follow from nothing."""
    random = np.random.default_rng(seed)
    made: dict[str, list[Sentence]] = {"train": [], "dev": [], "test": []}
    for split, sentences in made.items():
        for number in range(num_sentences):
            tags = tuple(random.choice(["NOUN", "VERB"], size=random.integers(1, 10)).tolist())
            sentences.append(Sentence(f"{split}-{number}", ("word",) * len(tags), columns={"upos": tags}))
    return Corpus("tagged", made)


def read_out(cache: Cache, corpus: Corpus, layer: int) -> float:
    """Test accuracy of least squares on the tags, fitted on train."""
    task = build_task("pos", corpus, {split: cache.index(split) for split in cache.splits})
    X, Y = {}, {}
    for split in ("train", "test"):
        states = cache.layer(layer, split)[task.splits[split].index[:, 0]]
        X[split] = np.concatenate([states, np.ones((len(states), 1))], axis=1)
        Y[split] = task.splits[split].labels
    weights = np.linalg.lstsq(X["train"], 2.0 * Y["train"] - 1)[0]
    return float(np.mean((X["test"] @ weights > 0) == Y["test"]))


def test_tags_are_read_where_they_are_and_nowhere_else(tmp_path: Path) -> None:
    corpus, random = tagged(60, seed=0), np.random.default_rng(1)
    given = {}
    for split, sentences in corpus.splits.items():
        tags = np.array([tag == "VERB" for sentence in sentences for tag in sentence.columns["upos"]])
        noise = random.normal(size=(3, len(tags), 8))
        noise[1, :, 5] += 8.0 * tags  # far beyond the noise: every word can be told
        given[split] = noise
    cache = adopt(given, corpus, name="tags", folder=tmp_path)
    assert read_out(cache, corpus, 1) > 0.99
    # About 300 test words: five standard errors above a coin's 0.5.
    assert max(read_out(cache, corpus, 0), read_out(cache, corpus, 2)) < 0.65
    shifted = Corpus("shifted", {split: sentences[::-1] for split, sentences in corpus.splits.items()})
    assert read_out(adopt(given, shifted, name="tags", folder=tmp_path), shifted, 1) < 0.65


class Recorder(np.ndarray):
    """An array that notes which rows are read, and fails at chosen reads."""

    reads: list[tuple[int, int]]
    failing: set[int]

    def __getitem__(self, key: Any) -> Any:
        rows = key[1]
        self.reads.append((rows.start, rows.stop))
        if len(self.reads) in self.failing:
            raise KeyboardInterrupt
        return np.asarray(self)[key]


def record(states: np.ndarray, *failing: int) -> Recorder:
    recorder = states.view(Recorder)
    recorder.reads, recorder.failing = [], set(failing)
    return recorder


BLOCKS = [(0, 4096), (4096, 8192), (8192, 10000)]


def many(*failing: int) -> dict[str, Recorder]:
    rows = np.arange(2 * 10000 * 3, dtype=np.float32).reshape(2, 10000, 3)
    return {"train": record(rows, *failing), "test": record(-rows[:, :5000].copy())}


MANY_IDS = {"train": [f"a{number}" for number in range(10000)], "test": [f"b{number}" for number in range(5000)]}


def test_states_are_read_in_blocks_once_to_know_and_once_to_write_them(tmp_path: Path) -> None:
    given = many()
    cache = adopt(given, MANY_IDS, name="many", folder=tmp_path)
    assert given["train"].reads == BLOCKS + BLOCKS
    assert given["test"].reads == [(0, 4096), (4096, 5000)] * 2
    for split, states in given.items():
        for layer in range(2):
            assert np.array_equal(cache.layer(layer, split), np.asarray(states)[layer])
    again = many()
    adopt(again, MANY_IDS, name="many", folder=tmp_path)
    assert again["train"].reads == BLOCKS


def test_interrupted_adoption_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = adopt(many(), MANY_IDS, name="many", folder=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        adopt(many(5), MANY_IDS, name="many", folder=tmp_path / "cut")
    assert not (tmp_path / "cut" / whole.folder.name).exists()
    given = many()
    cache = adopt(given, MANY_IDS, name="many", folder=tmp_path / "cut")
    assert given["train"].reads == BLOCKS + BLOCKS[1:]
    assert cache.folder.name == whole.folder.name
    for path in whole.folder.iterdir():
        assert (cache.folder / path.name).read_bytes() == path.read_bytes()


def test_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        adopt(many(4), MANY_IDS, name="many", folder=tmp_path)
    [lock] = (tmp_path / ".locks").iterdir()
    lock_cache(tmp_path / lock.stem, pytest.fail).release()
    assert caught.tb is not None  # its frames are alive, so nothing but `finally` can have freed the lock


def test_cache_that_another_process_made_meanwhile_is_opened(tmp_path: Path) -> None:
    made = adopt(arrays(), CORPUS, name="known", folder=tmp_path / "other").folder
    place = tmp_path / "caches" / made.name
    told: list[str] = []
    is_waiting = threading.Event()

    def notify(message: str) -> None:
        told.append(message)
        is_waiting.set()

    def wait() -> None:
        found.append(adopt(arrays(), CORPUS, name="known", folder=place.parent, notify=notify))

    found: list[Cache] = []
    lock, waiter = lock_cache(place, pytest.fail), threading.Thread(target=wait)
    waiter.start()
    assert is_waiting.wait(timeout=30)
    shutil.copytree(made, place)
    before = {path.name: path.stat().st_mtime_ns for path in place.iterdir()}
    lock.release()
    waiter.join(timeout=30)
    assert told == [f"{place.name} is being made by another process; waiting until it is done"]
    assert modified(found[0]) == before


def test_cache_that_exists_is_opened_without_its_lock(tmp_path: Path) -> None:
    cache = adopt(arrays(), CORPUS, name="known", folder=tmp_path)
    lock = lock_cache(cache.folder, pytest.fail)
    assert adopt(arrays(), CORPUS, name="known", folder=tmp_path, notify=pytest.fail).folder == cache.folder
    lock.release()


def test_neither_transformers_nor_torch_is_needed(tmp_path: Path) -> None:
    code = """
import sys
sys.modules.update(transformers=None, torch=None)
from pathlib import Path
import numpy as np
from probes.cache import adopt
from probes.types import Corpus, Sentence
corpus = Corpus("one", {"train": [Sentence("a", ("the", "dog"))]})
cache = adopt({"train": np.arange(12.0).reshape(2, 2, 3)}, corpus, name="plain", folder=Path(sys.argv[1]))
print(cache.layer(1, "train").tolist(), cache.index("train").types.tolist(), cache.manifest.unit)
"""
    ran = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("[[6.0, 7.0, 8.0], [9.0, 10.0, 11.0]] [0, 1] word\n", "")


def test_what_a_killed_call_left_is_removed_by_the_next(tmp_path: Path) -> None:
    place = adopt(arrays(), CORPUS, name="few", folder=tmp_path).folder
    working_folder(place).mkdir()
    assert adopt(arrays(), CORPUS, name="few", folder=tmp_path).folder == place
    assert not working_folder(place).exists()
