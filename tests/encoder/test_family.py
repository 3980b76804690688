"""Other architectures through the same path: names and number of layers, embeddings, limits, norms."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import AutoModel

from probes.cache import Cache
from probes.config import TwinConfig
from probes.encoder.extract import extract
from probes.encoder.frozen import FrozenEncoder
from probes.errors import EncoderError
from probes.types import Pair
from tests.toy import make_corpus, make_tokenizer

Load = Callable[..., FrozenEncoder]
SIZES = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 64}
FAMILIES: dict[str, dict[str, Any]] = {
    "Bert": {**SIZES, "max_position_embeddings": 64},
    "Roberta": {**SIZES, "max_position_embeddings": 66, "pad_token_id": 1, "type_vocab_size": 1},
    "DistilBert": {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 64, "max_position_embeddings": 64},
    "Electra": {**SIZES, "embedding_size": 16, "max_position_embeddings": 64},
    "Albert": {**SIZES, "embedding_size": 16, "max_position_embeddings": 64},
    "DebertaV2": {**SIZES, "max_position_embeddings": 64, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "ModernBert": {**SIZES, "max_position_embeddings": 64, "pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3},
    "GPT2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64},
}
PRE_NORM = {"ModernBert", "GPT2"}
PROJECTED = {"Electra", "Albert", "GPT2"}  # hidden state 0 is not the output of `model.embeddings` alone
TEXTS = [("the", "dog"), ("a", "cat", "runs", "xyz")]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Name and folder of a small random encoder."""
    tokenizer, folder = make_tokenizer(), tmp_path_factory.mktemp(request.param)
    special = {"bos_token_id": 2, "eos_token_id": 3}
    settings = getattr(transformers, f"{request.param}Config")(
        **{"vocab_size": len(tokenizer), **special, **FAMILIES[request.param]}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(settings).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return request.param, folder


@pytest.fixture(scope="module")
def encoder(family: tuple[str, Path], load: Load) -> FrozenEncoder:
    return load(name=str(family[1]), attention="eager")


def test_layers_are_the_embeddings_and_every_block(encoder: FrozenEncoder) -> None:
    reading = encoder(TEXTS)
    assert encoder.layers == ("emb", "1", "2", "3")
    assert [state.shape[2] for state in reading.hidden_states] == [encoder.dim] * 4 == [32] * 4
    assert torch.equal(reading.last_hidden_state, reading.hidden_states[-1])
    assert reading.pooler_output is None


def test_longest_text_is_known(encoder: FrozenEncoder) -> None:
    assert encoder.max_pieces == 64
    assert encoder([("dog",) * 62]).mask.shape == (1, 64)


def test_pre_norm_encoders_are_flagged(family: tuple[str, Path], encoder: FrozenEncoder) -> None:
    assert encoder.is_post_norm == (family[0] not in PRE_NORM)


def test_first_blocks_give_the_same_states(family: tuple[str, Path], encoder: FrozenEncoder, load: Load) -> None:
    part = load(name=str(family[1]), attention="eager", num_layers=2)
    # The last state of a pre-norm encoder has passed the final norm, so that of the part differs.
    compared = 2 if family[0] in PRE_NORM else 3
    pairs = zip(encoder(TEXTS).hidden_states[:compared], part(TEXTS).hidden_states, strict=False)
    assert [torch.equal(whole, first) for whole, first in pairs] == [True] * compared


def test_twin_moves_every_layer(family: tuple[str, Path], encoder: FrozenEncoder, load: Load) -> None:
    twin = load(name=str(family[1]), attention="eager", twin=TwinConfig(seed=1))
    pairs = zip(encoder(TEXTS).hidden_states, twin(TEXTS).hidden_states, strict=True)
    assert all(float((old - new).norm() / old.norm()) > 0.1 for old, new in pairs)


def test_random_blocks_keep_state_zero_or_are_refused(
    family: tuple[str, Path], encoder: FrozenEncoder, load: Load
) -> None:
    kind = TwinConfig(kind="random_blocks", seed=1)
    if family[0] in PROJECTED:
        with pytest.raises(EncoderError, match="keeps the module that makes hidden state 0"):
            load(name=str(family[1]), attention="eager", twin=kind)
        return
    twin = load(name=str(family[1]), attention="eager", twin=kind)
    same = [torch.equal(a, b) for a, b in zip(encoder(TEXTS).hidden_states, twin(TEXTS).hidden_states, strict=True)]
    assert same == [True, False, False, False]


def test_corpus_goes_into_a_cache(encoder: FrozenEncoder, tmp_path: Path) -> None:
    cache = extract(encoder, make_corpus(["test"], 6), "word", folder=tmp_path)
    assert cache.layers == encoder.layers
    assert cache.manifest.post_norm_last == encoder.is_post_norm


def stack(cache: Cache, split: str) -> np.ndarray:
    return np.stack([cache.layer(layer, split) for layer in range(len(cache.layers))])


@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_states_do_not_depend_on_the_batch(unit: str, family: tuple[str, Path], load: Load, tmp_path: Path) -> None:
    corpus = make_corpus(["test"], 9)
    one, other = (
        load(name=str(family[1]), attention="eager", store_dtype="float32", batch_pieces=size) for size in (8, 4096)
    )
    alone, together = (extract(encoder, corpus, unit, folder=tmp_path) for encoder in (one, other))
    assert alone.folder != together.folder
    # Two float32 forward passes of random encoders, whose states are of size one.
    np.testing.assert_allclose(stack(alone, "test"), stack(together, "test"), rtol=0, atol=2e-5)


def test_pieces_of_the_whole_corpus_are_those_of_a_few_texts(encoder: FrozenEncoder) -> None:
    texts = [("The", "dog's", "x12"), ("a",), ("New York", "runs")]
    assert [encoding.ids for encoding in encoder.cut_into_pieces(texts)] == encoder.tokenize(texts)["input_ids"]
    pairs = [Pair("the dog", "a cat"), Pair("x12", "the big dog runs")]
    assert [encoding.ids for encoding in encoder.cut_into_pieces(pairs)] == encoder.tokenize(pairs)["input_ids"]


def test_decoders_take_the_last_piece_and_the_mean(family: tuple[str, Path], encoder: FrozenEncoder) -> None:
    assert encoder.is_causal == (family[0] == "GPT2")
    expected = ("last", "mean") if family[0] == "GPT2" else ("first", "cls")
    assert (encoder.pooling("word"), encoder.pooling("sentence")) == expected


def test_first_piece_of_a_decoder_is_no_sentence(family: tuple[str, Path], load: Load) -> None:
    encoder = load(name=str(family[1]), attention="eager", sentence="cls")
    if family[0] != "GPT2":
        assert encoder.pooling("sentence") == "cls"
        return
    with pytest.raises(EncoderError) as caught:
        extract(encoder, make_corpus(["test"], 2), "sentence")
    assert str(caught.value) == (
        f"The first piece of a sentence should have read all others, but in '{family[1]}' a piece reads only those "
        f"before it. Set encoder.sentence to mean."
    )


def test_a_piece_of_a_decoder_reads_only_those_before_it(family: tuple[str, Path], encoder: FrozenEncoder) -> None:
    one, other = (encoder([text]).last_hidden_state[0] for text in (("the", "dog", "runs"), ("the", "dog", "a")))
    assert torch.allclose(one[1], other[1], rtol=0, atol=1e-6) == (family[0] == "GPT2")


def test_segments_reach_the_models_that_have_them(family: tuple[str, Path], encoder: FrozenEncoder) -> None:
    inputs = encoder.pad(encoder.tokenize([Pair("the dog", "a cat")]))
    has_segments = family[0] in {"Bert", "Electra", "Albert"}
    assert ("token_type_ids" in inputs) == has_segments
    if has_segments:
        assert inputs["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1, 1]]
        plain = encoder.forward({**inputs, "token_type_ids": torch.zeros_like(inputs["token_type_ids"])})
        assert not torch.allclose(encoder.forward(inputs).last_hidden_state, plain.last_hidden_state, atol=1e-3)


def test_tokenizer_without_padding_is_given_some(family: tuple[str, Path], load: Load, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(family[1], tmp_path / "copy"))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "pad_token": None}))
    bare = load(name=str(folder), attention="eager")
    whole = load(name=str(family[1]), attention="eager")
    assert bare.tokenizer.pad_token is not None
    for mine, theirs in zip(bare(TEXTS).hidden_states, whole(TEXTS).hidden_states, strict=True):
        torch.testing.assert_close(mine[0, :4], theirs[0, :4], rtol=0, atol=1e-5)
