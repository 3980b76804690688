"""A corpus through an encoder into a cache: the right numbers, whatever the order and the batches."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from transformers import AutoTokenizer, BertModel

from probes.cache import Cache, list_caches
from probes.config import TwinConfig
from probes.encoder.align import word_spans
from probes.encoder.extract import extract
from probes.encoder.frozen import FrozenEncoder
from probes.errors import CacheError, ConfigError, CorpusError
from probes.types import Corpus, Sentence
from tests.reference.states import SlowReader
from tests.toy import make_corpus

Load = Callable[..., FrozenEncoder]
CORPUS = make_corpus(size=9)


def stack(cache: Cache, split: str) -> np.ndarray:
    return np.stack([cache.layer(layer, split) for layer in range(len(cache.layers))])


def by_word(cache: Cache, split: str) -> dict[tuple[str, int], np.ndarray]:
    """Rows [layer, dim] by sentence id and word."""
    index, rows = cache.index(split), stack(cache, split)
    owners = np.repeat(index.ids, np.diff(index.offsets))
    names = zip(owners.tolist(), index.word.tolist(), strict=True)
    return {name: rows[:, row] for row, name in enumerate(names)}


@pytest.mark.parametrize("how", ["first", "last", "mean"])
def test_cached_words_equal_a_plain_forward_pass(how: str, load: Load, slow: SlowReader, tmp_path: Path) -> None:
    cache = extract(load(word=how, store_dtype="float32", batch_pieces=64), CORPUS, "word", folder=tmp_path)
    assert cache.layers == ("emb", *(str(block) for block in range(1, 13)))
    for split in CORPUS.splits:
        assert list(by_word(cache, split)) == slow.words(CORPUS, split)
        np.testing.assert_allclose(stack(cache, split), slow.word_rows(CORPUS, split, how), rtol=0, atol=1e-5)


@pytest.mark.parametrize("how", ["cls", "mean"])
def test_cached_sentences_equal_a_plain_forward_pass(how: str, load: Load, slow: SlowReader, tmp_path: Path) -> None:
    cache = extract(load(sentence=how, batch_pieces=64), CORPUS, "sentence", folder=tmp_path)
    assert cache.manifest.dtype == "float32"
    for split, sentences in CORPUS.splits.items():
        assert cache.index(split).ids == [sentence.id for sentence in sentences]
        np.testing.assert_allclose(stack(cache, split), slow.sentence_rows(CORPUS, split, how), rtol=0, atol=1e-5)


def test_words_are_stored_in_float16_by_default_and_only_rounded(
    toy: FrozenEncoder, slow: SlowReader, tmp_path: Path
) -> None:
    stored = stack(extract(toy, CORPUS, "word", folder=tmp_path), "test")
    assert stored.dtype == np.float16
    # Half of float16's unit in the last place, beside the 1e-5 between two forward passes.
    np.testing.assert_allclose(stored, slow.word_rows(CORPUS, "test", "first"), rtol=2**-11, atol=1.1e-5)


def test_cut_words_have_no_row_and_the_others_their_values(load: Load, toy_bert: Path, tmp_path: Path) -> None:
    encoder = load(length="truncate", max_pieces=8, word="mean", store_dtype="float32")
    cache, slow = extract(encoder, CORPUS, "word", folder=tmp_path), SlowReader(toy_bert, 8)
    assert cache.manifest.cut
    for split in CORPUS.splits:
        assert list(by_word(cache, split)) == slow.words(CORPUS, split)
        np.testing.assert_allclose(stack(cache, split), slow.word_rows(CORPUS, split, "mean"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("how", ["cls", "mean"])
def test_cut_text_is_the_states_of_what_was_read(how: str, load: Load, toy_bert: Path, tmp_path: Path) -> None:
    encoder = load(length="truncate", max_pieces=8, sentence=how)
    cache = extract(encoder, CORPUS, "sentence", folder=tmp_path)
    expected = SlowReader(toy_bert, 8).sentence_rows(CORPUS, "train", how)
    np.testing.assert_allclose(stack(cache, "train"), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_states_do_not_depend_on_batch_size(unit: str, load: Load, tmp_path: Path) -> None:
    small, large = (
        extract(load(batch_pieces=size, store_dtype="float32"), CORPUS, unit, folder=tmp_path) for size in (16, 4096)
    )
    assert small.folder != large.folder
    for split in CORPUS.splits:
        np.testing.assert_allclose(stack(small, split), stack(large, split), rtol=0, atol=1e-5)


def test_states_do_not_depend_on_the_order_of_sentences(load: Load, tmp_path: Path) -> None:
    shuffled = Corpus("toy", {split: rows[::-1][3:] + rows[::-1][:3] for split, rows in CORPUS.splits.items()})
    encoder = load(store_dtype="float32")
    one, other = (extract(encoder, corpus, "word", folder=tmp_path) for corpus in (CORPUS, shuffled))
    for split in CORPUS.splits:
        ours, theirs = by_word(one, split), by_word(other, split)
        assert ours.keys() == theirs.keys()
        assert list(ours) != list(theirs)
        for name, rows in ours.items():
            np.testing.assert_allclose(rows, theirs[name], rtol=0, atol=1e-5)


def test_equal_sentences_are_computed_once_and_stored_everywhere(
    load: Load, count_rows: Callable[[FrozenEncoder], list[int]], tmp_path: Path
) -> None:
    texts = ["the dog", "a cat sees", "the dog", "a x12 runs", "the dog"]
    train = [Sentence(f"a{number}", tuple(text.split())) for number, text in enumerate(texts)]
    corpus = Corpus("twice", {"train": train, "test": [Sentence("b", ("the", "dog")), Sentence("c", ("often",))]})
    encoder = load()
    before = extract(encoder, Corpus("one", {"train": train[:1]}), "word", folder=tmp_path)
    assert before.layer(0, "train").shape == (2, 32)
    seen = count_rows(encoder)
    cache = extract(encoder, corpus, "word", folder=tmp_path)
    assert seen == [1, 2, 4]  # the check's two passes, then the four different sentences in one batch
    rows = by_word(cache, "train")
    for word in range(2):
        assert np.array_equal(rows["a0", word], rows["a2", word])
        assert np.array_equal(rows["a0", word], rows["a4", word])
        assert np.array_equal(rows["a0", word], by_word(cache, "test")["b", word])
    assert not np.array_equal(rows["a0", 1], rows["a1", 1])


def test_second_call_opens_without_a_forward_pass(
    load: Load, count_rows: Callable[[FrozenEncoder], list[int]], tmp_path: Path
) -> None:
    encoder = load()
    written = extract(encoder, CORPUS, "word", folder=tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in written.folder.iterdir()}
    seen = count_rows(encoder)
    opened = extract(encoder, CORPUS, "word", folder=tmp_path)
    assert seen == []
    assert opened.folder == written.folder
    assert opened.corpus is CORPUS
    assert {path: path.stat().st_mtime_ns for path in opened.folder.iterdir()} == stamps


def test_same_corpus_gives_the_same_bytes(load: Load, tmp_path: Path) -> None:
    caches = [extract(load(), CORPUS, "word", folder=tmp_path / name) for name in "ab"]
    one, other = ({path.name: path.read_bytes() for path in cache.folder.iterdir()} for cache in caches)
    assert one == other
    assert caches[0].folder.name == caches[1].folder.name


def test_extraction_leaves_the_global_random_state_and_the_encoder(load: Load, tmp_path: Path) -> None:
    encoder = load()
    weights, state = encoder.weights_hash, torch.get_rng_state()
    extract(encoder, CORPUS, "word", folder=tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in encoder.model.modules())
    assert not any(parameter.requires_grad for parameter in encoder.model.parameters())
    del encoder.__dict__["weights_hash"]
    assert encoder.weights_hash == weights


@pytest.mark.parametrize("how", ["first", "mean"])
def test_sentences_without_rows_are_carried(how: str, load: Load, tmp_path: Path) -> None:
    lost = "\u200b"
    train = [Sentence("a", ("the", lost, "dog")), Sentence("b", (lost,)), Sentence("c", ("a", "cat"))]
    corpus = Corpus("lost", {"train": train, "dev": [Sentence("d", (lost, lost))]})
    cache = extract(load(lost_words="drop", word=how, batch_pieces=4), corpus, "word", folder=tmp_path)
    assert list(by_word(cache, "train")) == [("a", 0), ("a", 2), ("c", 0), ("c", 1)]
    assert cache.layer(12, "dev").shape == (0, 32)
    assert cache.manifest.lost == {"a": [1], "b": [0], "d": [0, 1]}
    assert all(np.abs(rows).max() > 0.1 for rows in by_word(cache, "train").values())


def test_sentence_without_rows_does_not_shift_its_batch(load: Load, toy_bert: Path, tmp_path: Path) -> None:
    texts = {"none": ("x123456789", "dog"), "all": ("the", "dog", "sees"), "some": ("a", "x123456789")}
    corpus = Corpus("cut", {"train": [Sentence(name, words) for name, words in texts.items()]})
    cache = extract(load(length="truncate", max_pieces=8, store_dtype="float32"), corpus, "word", folder=tmp_path)
    slow = SlowReader(toy_bert, 8)
    assert list(by_word(cache, "train")) == slow.words(corpus, "train")
    assert [sentence for sentence, _ in by_word(cache, "train")] == ["all"] * 3 + ["some"]
    np.testing.assert_allclose(stack(cache, "train"), slow.word_rows(corpus, "train", "first"), rtol=0, atol=1e-5)


def test_manifest_describes_the_run(load: Load, tmp_path: Path) -> None:
    encoder = load(twin=TwinConfig(seed=4), num_layers=2)
    manifest = extract(encoder, CORPUS, "word", folder=tmp_path).manifest
    assert manifest.layers == ("emb", "1", "2")
    assert (manifest.corpus, manifest.unit, manifest.dim, manifest.dtype) == ("toy", "word", 32, "float16")
    assert {split: size.sentences for split, size in manifest.splits.items()} == {"train": 9, "dev": 9, "test": 9}
    assert manifest.splits["train"].rows == sum(len(sentence.words) for sentence in CORPUS["train"])
    assert manifest.encoder["twin"] == {"kind": "untrained", "seed": 4}
    assert "device" not in manifest.encoder
    assert manifest.environment == {"device": "cpu", "threads": torch.get_num_threads()}
    assert manifest.post_norm_last


@pytest.mark.parametrize(
    ("settings", "slug"),
    [({}, "toy-bert"), ({"twin": TwinConfig(kind="random_blocks", seed=2)}, "toy-bert-random-blocks-2")],
)
def test_folder_is_named_for_people(settings: dict[str, object], slug: str, load: Load, tmp_path: Path) -> None:
    cache = extract(load(num_layers=1, **settings), make_corpus(["test"], 2), "word", folder=tmp_path)
    assert cache.folder.parent == tmp_path
    assert cache.folder.name.rpartition("-")[0] == slug


def test_default_place_is_the_home(load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    cache = extract(load(num_layers=1), make_corpus(["test"], 2), "word")
    assert list_caches() == [cache.folder]
    assert cache.folder.parent == tmp_path / "caches"


def test_home_that_cannot_be_written_is_one_message(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "file"))
    with pytest.raises(CacheError) as caught:
        extract(load(num_layers=1), make_corpus(["test"], 2), "word")
    assert str(caught.value) == (
        f"A cache was to be written in {tmp_path / 'file' / 'caches'}, but: Not a directory. "
        f"Free space there, or set PROBES_HOME to a folder that can be written."
    )


def test_mistake_in_the_corpus_leaves_nothing(toy: FrozenEncoder, tmp_path: Path) -> None:
    corpus = Corpus("twice", {"train": [Sentence("a", ("the",)), Sentence("a", ("dog",))]})
    with pytest.raises(CorpusError, match="'a' comes again"):
        extract(toy, corpus, "word", folder=tmp_path / "caches")
    assert not (tmp_path / "caches").exists()


def test_text_that_is_too_long_leaves_nothing(load: Load, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="reads at most 5 pieces"):
        extract(load(max_pieces=5), CORPUS, "word", folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".locks"]


def long_corpus() -> Corpus:
    """Two texts of 40 and 9 words among which no two windows are alike, and one that fits."""
    words = [f"x{number}" if number % 3 else "dog" for number in range(40)]
    texts = {"long": words, "again": words, "other": words[5:14], "short": ("the", "cat")}
    return Corpus("long", {"train": [Sentence(name, tuple(text)) for name, text in texts.items()]})


@pytest.mark.parametrize("how", ["first", "last", "mean"])
def test_words_in_windows_equal_each_window_read_by_itself(how: str, load: Load, tmp_path: Path) -> None:
    encoder, corpus = load(length="window", max_pieces=16, word=how, store_dtype="float32"), long_corpus()
    cache = extract(encoder, corpus, "word", folder=tmp_path)
    words = [(sentence.id, word) for sentence in corpus["train"] for word in range(len(sentence.words))]
    assert list(by_word(cache, "train")) == words
    room = 14
    for sentence in corpus["train"]:
        spans = word_spans(encoder.tokenize([sentence.words]).word_ids(0))
        total = max(last for _, last in spans.values())
        for word, (first, last) in spans.items():
            starts = sorted({*range(0, total - room, room // 2), total - room}) if total > room else [0]
            best = max(starts, key=lambda start: context(start, first - 1, last - 1, total, room))
            pieces = encoder.tokenize([sentence.words])["input_ids"][0]
            ids = [pieces[0], *pieces[1 + best : 1 + min(best + room, total)], pieces[-1]]
            alone = encoder.forward(encoder.pad({"input_ids": [ids], "token_type_ids": [[0] * len(ids)]})).hidden_states
            chosen = {"first": [first], "last": [last], "mean": range(first, last + 1)}[how]
            expected = torch.stack([state[0, [p - best for p in chosen]].mean(dim=0) for state in alone])
            np.testing.assert_allclose(by_word(cache, "train")[sentence.id, word], expected, rtol=0, atol=1e-5)


def context(start: int, first: int, last: int, total: int, room: int) -> int:
    """Pieces to the nearer edge; -1 where a window does not hold the word."""
    if not start <= first <= last < start + room:
        return -1
    edges = [first - start] * (start > 0) + [start + room - 1 - last] * (start + room < total)
    return min(edges, default=total)


def test_text_that_fits_is_no_window(load: Load, tmp_path: Path) -> None:
    windowed, whole = (
        extract(load(length=length, store_dtype="float32"), CORPUS, "word", folder=tmp_path)
        for length in ("window", "error")
    )
    assert windowed.folder != whole.folder
    assert np.array_equal(stack(windowed, "train"), stack(whole, "train"))


def test_windows_of_sentence_vectors_are_refused(load: Load, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        extract(load(length="window"), CORPUS, "sentence", folder=tmp_path)
    assert str(caught.value) == (
        "encoder.length: window reads words in windows, but the vector of a sentence has no window of its own. "
        "Set encoder.length to truncate or error."
    )


@pytest.mark.parametrize("how", ["cls", "mean"])
def test_pairs_equal_a_plain_forward_pass_with_segments(how: str, load: Load, toy_bert: Path, tmp_path: Path) -> None:
    texts = [("the dog sees", "a cat"), ("a cat", "the dog sees"), ("often", "the big dog runs and runs")]
    train = [Sentence(str(number), text=first, pair=second) for number, (first, second) in enumerate(texts)]
    cache = extract(load(sentence=how), Corpus("pairs", {"train": train}), "sentence", folder=tmp_path)
    model = BertModel.from_pretrained(toy_bert).eval()
    tokenizer = AutoTokenizer.from_pretrained(toy_bert)
    for number, (first, second) in enumerate(texts):
        pieces = ["[CLS]", *tokenizer.tokenize(first), "[SEP]", *tokenizer.tokenize(second), "[SEP]"]
        border = pieces.index("[SEP]") + 1
        segments = torch.tensor([[0] * border + [1] * (len(pieces) - border)])
        ids = torch.tensor([tokenizer.convert_tokens_to_ids(pieces)])
        with torch.no_grad():
            states = torch.stack(model(ids, token_type_ids=segments, output_hidden_states=True).hidden_states)[:, 0]
        expected = states[:, 0] if how == "cls" else states.mean(dim=1)
        np.testing.assert_allclose(stack(cache, "train")[:, number], expected.numpy(), rtol=0, atol=1e-5)


def test_existing_cache_is_opened_where_nothing_can_be_written(load: Load, tmp_path: Path, monkeypatch) -> None:
    encoder = load(num_layers=1)
    whole = extract(encoder, CORPUS, "word", folder=tmp_path)

    def refuse(*given: object, **settings: object) -> None:
        raise OSError(30, "Read-only file system")

    for name in ("mkdir", "utime", "rename", "pwrite", "unlink"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(FileLock, "acquire", refuse)
    opened = extract(encoder, CORPUS, "word", folder=tmp_path)
    assert np.array_equal(stack(opened, "test"), stack(whole, "test"))
    with pytest.raises(CacheError) as caught:
        extract(encoder, make_corpus(size=2), "word", folder=tmp_path)
    assert str(caught.value) == (
        f"A cache was to be written in {tmp_path}, but: Read-only file system. "
        f"Free space there, or set PROBES_HOME to a folder that can be written."
    )


@pytest.mark.slow
def test_compiled_encoder_gives_the_same_states(load: Load, tmp_path: Path) -> None:
    plain, compiled = (
        extract(load(num_layers=1, compile=is_compiled, store_dtype="float32"), CORPUS, "word", folder=tmp_path)
        for is_compiled in (False, True)
    )
    assert plain.folder != compiled.folder
    np.testing.assert_allclose(stack(plain, "train"), stack(compiled, "train"), rtol=0, atol=1e-5)
