"""One pass fills the caches of several vectors, each with the bytes that a pass of its own gives."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from probes.cache import Cache, lock_cache, open_cache
from probes.cache.home import LOCKS_NAME
from probes.encoder.extract import extract
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.load import load_beside
from probes.encoder.make import Making
from probes.errors import EncoderError
from probes.types import Unit
from tests.toy import make_corpus
from tests.watch import fail_after, watch_texts

Load = Callable[..., FrozenEncoder]
CORPUS = make_corpus(size=24)
VECTORS: dict[Unit, tuple[dict[str, str], ...]] = {
    "word": ({"word": "first"}, {"word": "last"}, {"word": "mean"}),
    "sentence": ({"sentence": "cls"}, {"sentence": "mean"}, {"sentence": "pooler"}),
}


def contents(cache: Cache) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.folder.iterdir()}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Texts in each forward pass of any encoder."""
    return watch_texts(monkeypatch)


@pytest.mark.parametrize("unit", VECTORS)
def test_each_cache_has_the_bytes_of_a_pass_of_its_own(
    unit: Unit, load: Load, forwards: list[int], tmp_path: Path
) -> None:
    first, *others = (load(batch_pieces=64, **vector) for vector in VECTORS[unit])
    one = contents(extract(first, CORPUS, unit, folder=tmp_path / "alone"))
    num_forwards = len(forwards)
    alone = [one, *(contents(extract(other, CORPUS, unit, folder=tmp_path / "alone")) for other in others)]
    assert len({found["train.safetensors"] for found in alone}) == 3, "they are different vectors"
    forwards.clear()
    extract(first, CORPUS, unit, also=others, folder=tmp_path / "together")
    assert len(forwards) == num_forwards
    assert names(tmp_path / "together") == names(tmp_path / "alone")
    opened = [extract(encoder, CORPUS, unit, folder=tmp_path / "together") for encoder in (first, *others)]
    assert [contents(cache) for cache in opened] == alone
    assert len(forwards) == num_forwards, "nothing is computed again"


def test_what_the_pooler_says_is_also_computed_before_the_others(load: Load, tmp_path: Path) -> None:
    pooler, cls = load(sentence="pooler"), load(sentence="cls")
    expected = contents(extract(cls, CORPUS, "sentence", folder=tmp_path / "alone"))
    extract(pooler, CORPUS, "sentence", also=[cls], folder=tmp_path / "together")
    assert contents(extract(cls, CORPUS, "sentence", folder=tmp_path / "together")) == expected


@pytest.mark.parametrize("is_whole", [False, True])
def test_batches_that_one_cache_has_are_computed_for_the_others_alone(
    load: Load, forwards: list[int], tmp_path: Path, is_whole: bool
) -> None:
    cls, mean = load(batch_pieces=16, sentence="cls"), load(batch_pieces=16, sentence="mean")
    expected = [contents(extract(one, CORPUS, "sentence", folder=tmp_path / "whole")) for one in (cls, mean)]
    fail_after(cls, 1000 if is_whole else 20)
    try:
        extract(cls, CORPUS, "sentence", folder=tmp_path / "cut")
    except RuntimeError:
        assert not is_whole
    del cls.model.__dict__["forward"]
    messages: list[str] = []
    forwards.clear()
    extract(mean, CORPUS, "sentence", also=[cls], folder=tmp_path / "cut", notify=messages.append)
    together = len(forwards)
    found = [contents(extract(one, CORPUS, "sentence", folder=tmp_path / "cut")) for one in (cls, mean)]
    assert found == expected
    assert len(forwards) == together
    assert len(messages) == (0 if is_whole else 1), "how many batches of [CLS] are there already"


def test_a_pass_that_is_broken_off_goes_on_for_every_cache(load: Load, forwards: list[int], tmp_path: Path) -> None:
    first, *others = (load(batch_pieces=16, **vector) for vector in VECTORS["word"])
    expected = [contents(extract(one, CORPUS, "word", folder=tmp_path / "whole")) for one in (first, *others)]
    fail_after(first, 20)
    with pytest.raises(RuntimeError, match="stop"):
        extract(first, CORPUS, "word", also=others, folder=tmp_path / "cut")
    del first.model.__dict__["forward"]
    assert names(tmp_path / "cut") == set(), "after an error no folder looks like a cache"
    forwards.clear()
    messages: list[str] = []
    extract(first, CORPUS, "word", also=others, folder=tmp_path / "cut", notify=messages.append)
    computed = len(forwards)
    assert len(messages) == 3
    assert len({message.split(": ")[1] for message in messages}) == 1
    found = [contents(extract(one, CORPUS, "word", folder=tmp_path / "cut")) for one in (first, *others)]
    assert (found, len(forwards)) == (expected, computed)


def test_vectors_of_the_other_unit_are_the_same_cache(load: Load, tmp_path: Path) -> None:
    cls, mean = load(sentence="cls"), load(sentence="mean")
    extract(cls, CORPUS, "word", also=[mean], folder=tmp_path)
    assert len(names(tmp_path)) == 1
    (cache,) = (open_cache(tmp_path / name) for name in names(tmp_path))
    assert cache.manifest.encoder["sentence"] == "cls", "whose cache was asked for"


def test_nothing_is_done_for_others_where_the_cache_is_there(load: Load, forwards: list[int], tmp_path: Path) -> None:
    def others() -> Any:
        raise AssertionError("nobody needs to load it")
        yield

    cls = load(sentence="cls")
    expected = contents(extract(cls, CORPUS, "sentence", folder=tmp_path))
    forwards.clear()
    assert contents(extract(cls, CORPUS, "sentence", also=others(), folder=tmp_path)) == expected
    assert forwards == []


def test_every_lock_is_let_go(load: Load, tmp_path: Path) -> None:
    first, *others = (load(**vector) for vector in VECTORS["word"])
    extract(first, CORPUS, "word", also=others, folder=tmp_path)
    for name in names(tmp_path):
        lock_cache(tmp_path / name, pytest.fail).release()


def test_locks_are_let_go_where_even_the_writer_does_not_stop(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(writer: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("probes.encoder.predict.RowWriter.stop", stop)
    first, *others = (load(**vector) for vector in VECTORS["word"])
    with pytest.raises(KeyboardInterrupt):
        extract(first, CORPUS, "word", also=others, folder=tmp_path)
    assert len(names(tmp_path)) == 3
    for name in names(tmp_path):
        lock_cache(tmp_path / name, pytest.fail).release()


def test_the_same_weights_in_memory_unless_one_has_a_pooler(load: Load) -> None:
    cls = load(sentence="cls")
    mean = load_beside(cls, cls.config.model_copy(update={"sentence": "mean"}))
    pooler = load_beside(cls, cls.config.model_copy(update={"sentence": "pooler"}))
    assert mean.model is cls.model
    assert (mean.pooling("sentence"), pooler.pooling("sentence")) == ("mean", "pooler")
    assert load_beside(pooler, cls.config).weights_hash == cls.weights_hash != pooler.weights_hash


def test_a_state_that_cannot_be_stored_is_told_of_the_sentence(load: Load, tmp_path: Path) -> None:
    first = load(word="first")
    last = replace(first, config=first.config.model_copy(update={"word": "last"}))
    embeddings = first.model.get_submodule("embeddings.LayerNorm")
    embeddings.bias.fill_(1e5)
    with pytest.raises(
        EncoderError, match=r"States stored as float16 should stay within 65504, but sentence 'train-0'"
    ):
        extract(first, CORPUS, "word", also=[last], folder=tmp_path)
    assert names(tmp_path) == set()


def refuse_means(making: Making, *rest: Any) -> None:
    if making.encoder.pooling(making.unit) == "mean":
        raise EncoderError("There is no mean.")


def test_a_state_of_another_vector_that_cannot_be_stored_does_not_end_this_one(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls, mean = load(sentence="cls"), load(sentence="mean")
    expected = contents(extract(cls, CORPUS, "sentence", folder=tmp_path / "alone"))
    told: list[str] = []
    monkeypatch.setattr("probes.encoder.predict.check_states", refuse_means)
    found = extract(cls, CORPUS, "sentence", also=[mean], folder=tmp_path / "both", notify=told.append)
    with pytest.raises(EncoderError, match="no mean"):
        extract(mean, CORPUS, "sentence", also=[cls], folder=tmp_path / "both")
    assert contents(found) == expected
    assert [text.split(": ", 1)[1] for text in told if "together" in text] == [
        "together with other vectors it failed, so it is made alone. It said: There is no mean."
    ]


@pytest.mark.parametrize("asked", [0, 1, 2])
def test_room_for_one_cache_is_enough_for_that_one(
    asked: int, load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = [load(**vector) for vector in VECTORS["word"]]
    alone = extract(every[asked], CORPUS, "word", folder=tmp_path / "alone")
    size = sum(path.stat().st_size for path in alone.folder.iterdir())
    monkeypatch.setenv("PROBES_CACHE_LIMIT", f"{1.9 * size / 1e6:.6f} MB")
    home = tmp_path / "together"
    found = extract(every.pop(asked), CORPUS, "word", also=every, folder=home)
    assert contents(found) == contents(alone)
    assert {path.name for path in home.iterdir()} == {found.folder.name, LOCKS_NAME}, "nothing else is reserved"
