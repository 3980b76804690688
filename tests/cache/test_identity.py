"""What makes two caches the same: everything that can change a value, and nothing else."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from probes.cache import identity_hash, library_versions
from probes.config import EncoderConfig
from probes.encoder import extract as extract_module
from probes.encoder.extract import describe_identity, extract
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.load import load_encoder
from probes.encoder.text import read_texts
from probes.types import Corpus, Sentence
from tests.toy import save_toy_bert

WORDS = {"a": ("the", "dog", "sees"), "b": ("a", "big", "cat"), "c": ("x12", "runs")}
KINDS = ("untrained", "random_blocks", "kept_norms")
Folder = Callable[..., str]


def corpus_of(words: Mapping[str, tuple[str, ...]] = WORDS, split: str = "train", **more: Any) -> Corpus:
    return Corpus("few", {split: [Sentence(name, text, **more) for name, text in words.items()]})


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy_bert(tmp_path_factory.mktemp("identity") / "toy", num_layers=1)


@pytest.fixture
def folder_of(small: Path, tmp_path: Path) -> Folder:
    """Name of the cache that a run makes."""

    def run(
        corpus: Corpus | None = None, unit: str = "word", encoder: FrozenEncoder | None = None, **settings: Any
    ) -> str:
        encoder = encoder or load_encoder(EncoderConfig(name=str(small), **settings))
        return extract(encoder, corpus or corpus_of(), unit, folder=tmp_path).folder.name

    return run


@pytest.mark.parametrize(
    "settings",
    [
        {"word": "last"},
        {"word": "mean"},
        {"length": "truncate"},
        {"length": "window"},
        {"max_pieces": 40},
        {"lost_words": "drop"},
        {"load_dtype": "float16"},
        {"load_dtype": "bfloat16"},
        {"compute_dtype": "bfloat16"},
        {"store_dtype": "float32"},
        {"attention": "eager"},
        {"batch_pieces": 8},
        {"segments": "ones"},
        {"pieces": "wordpiece"},
    ],
    ids=lambda settings: "-".join(map(str, *settings.items())),
)
def test_other_settings_are_another_cache(settings: dict[str, Any], folder_of: Folder) -> None:
    assert folder_of(**settings) != folder_of()


def test_another_precision_of_products_is_another_cache(folder_of: Folder) -> None:
    before, precision = folder_of(), torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        assert folder_of() != before
    finally:
        torch.set_float32_matmul_precision(precision)


def test_compiled_encoder_is_another_cache(small: Path) -> None:
    """Told without compiling, which takes its time."""
    texts = read_texts(corpus_of(), "word")
    plain, compiled = (
        describe_identity(load_encoder(EncoderConfig(name=str(small), compile=is_compiled)), texts, "word")
        for is_compiled in (False, True)
    )
    assert {name for name in plain if plain[name] != compiled[name]} == {"compile"}


@pytest.mark.parametrize(
    "corpus",
    [
        corpus_of({**WORDS, "b": ("a", "big", "dog")}),
        corpus_of({**WORDS, "b": ("A", "big", "cat")}),
        corpus_of({("z" if name == "b" else name): words for name, words in WORDS.items()}),
        corpus_of(dict(reversed(WORDS.items()))),
        corpus_of({name: WORDS[name] for name in "ab"}),
        corpus_of(split="test"),
    ],
    ids=["text", "case", "id", "order", "fewer", "split"],
)
def test_other_text_is_another_cache(corpus: Corpus, folder_of: Folder) -> None:
    assert folder_of(corpus) != folder_of()


def test_unit_and_sentence_pooling_are_another_cache(folder_of: Folder) -> None:
    names = {folder_of(), folder_of(unit="sentence"), folder_of(unit="sentence", sentence="mean")}
    assert len(names) == 3


def test_pooling_of_the_other_unit_is_the_same_cache(folder_of: Folder) -> None:
    assert folder_of(sentence="mean") == folder_of()
    assert folder_of(unit="sentence", word="last") == folder_of(unit="sentence")


def test_written_out_defaults_are_the_same_cache(folder_of: Folder) -> None:
    assert folder_of(max_pieces=64, store_dtype="float16", device="cpu", num_layers=1) == folder_of()


def test_annotations_do_not_change_the_cache(folder_of: Folder) -> None:
    labelled = corpus_of(group="document", attributes={"topic": "pets"})
    assert folder_of(labelled) == folder_of()
    tagged = [Sentence(name, text, columns={"upos": ("X",) * len(text)}) for name, text in WORDS.items()]
    assert folder_of(Corpus("another name", {"train": tuple(tagged)})) == folder_of()


def test_one_bit_of_the_weights_is_another_cache(folder_of: Folder, small: Path) -> None:
    encoder = load_encoder(str(small))
    encoder.model.get_input_embeddings().weight.view(torch.int32)[140, 7] ^= 1  # a piece that no sentence has
    changed = folder_of(encoder=encoder)
    assert changed != folder_of()
    encoder.model.get_input_embeddings().weight.view(torch.int32)[140, 7] ^= 1
    assert folder_of(encoder=replace(encoder)) == folder_of()


def test_twins_are_other_caches(folder_of: Folder) -> None:
    twins = ({"kind": kind, "seed": seed} for kind in KINDS for seed in (0, 1))
    hashes = [folder_of().rpartition("-")[2], *(folder_of(twin=twin).rpartition("-")[2] for twin in twins)]
    assert len(set(hashes)) == 1 + 2 * len(KINDS)


@pytest.mark.parametrize("change", [('"lowercase": true', '"lowercase": false'), ('"x": ', '"ü": ')])
def test_another_tokenizer_is_another_cache(change: tuple[str, str], folder_of: Folder, tmp_path: Path) -> None:
    folder = save_toy_bert(tmp_path / "other" / "toy", num_layers=1)
    same = folder_of(encoder=load_encoder(str(folder)))
    rules = folder / "tokenizer.json"
    assert change[0] in rules.read_text("utf-8")
    rules.write_text(rules.read_text("utf-8").replace(*change), "utf-8")
    assert folder_of(encoder=load_encoder(str(folder))) != same == folder_of()


@pytest.mark.parametrize("library", ["torch", "transformers", "tokenizers"])
def test_another_library_version_is_another_cache(
    library: str, folder_of: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = folder_of()
    monkeypatch.setattr(extract_module, "library_versions", lambda: library_versions() | {library: "0.0.1"})
    assert folder_of() != before


def test_another_schema_is_another_cache(folder_of: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder_of()
    monkeypatch.setattr(extract_module, "SCHEMA", 3)
    assert folder_of() != before


@pytest.mark.slow
def test_another_process_gives_the_same_cache(folder_of: Folder, small: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from probes.encoder.extract import extract\n"
        "from probes.encoder.load import load_encoder; from probes.types import Corpus, Sentence\n"
        f"train = [Sentence(name, words) for name, words in {WORDS!r}.items()]\n"
        "encoder, corpus = load_encoder(sys.argv[1]), Corpus('few', {'train': train})\n"
        "print(extract(encoder, corpus, 'word', folder=Path(sys.argv[2])).folder.name)"
    )
    command = [sys.executable, "-c", code, str(small), str(tmp_path / "other")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout == folder_of() + "\n"
    assert ran.stderr == ""


def test_hash_sees_every_value_and_no_order_of_keys() -> None:
    base = {"a": 1, "b": {"c": [1, 2], "d": None}}
    others = [{"a": 2}, {"b": {"c": [2, 1], "d": None}}, {"b": {"c": [1, 2], "d": 0}}, {"e": 1}]
    hashes = {identity_hash(base), *(identity_hash(base | other) for other in others)}
    assert len(hashes) == 5
    assert identity_hash({"b": {"d": None, "c": [1, 2]}, "a": 1}) == identity_hash(base)
    assert all(len(digest) == 16 and set(digest) <= set("0123456789abcdef") for digest in hashes)


def test_library_versions_are_the_installed_ones() -> None:
    names = ("torch", "transformers", "tokenizers")
    assert library_versions() == {name: version(name) for name in names}
    assert library_versions(("no-such-library",)) == {"no-such-library": "none"}
