"""Checkpoints that cannot be loaded, or would be loaded as something else: each is one whole message."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import DistilBertConfig, DistilBertModel

from probes.encoder.frozen import FrozenEncoder
from probes.encoder.place import UnknownEncoderError
from probes.errors import EncoderError
from tests.toy import make_tokenizer, save_toy_bert

Load = Callable[..., FrozenEncoder]


def test_pooler_of_a_checkpoint_without_one_is_refused(load: Load, tmp_path: Path) -> None:
    folder = save_toy_bert(tmp_path / "headless", num_layers=1, pooler=False)
    with pytest.raises(EncoderError) as caught:
        load(name=str(folder), pooler=True)
    assert str(caught.value) == (
        f"Encoder '{folder}' should have weights for every parameter, but its checkpoint lacks 2, "
        f"pooler.dense.bias among them, and they would be random. Load it with pooler=False."
    )
    assert load(name=str(folder))(["the dog"]).pooler_output is None


def test_pooler_of_an_architecture_without_one_is_refused(load: Load, tmp_path: Path) -> None:
    tokenizer = make_tokenizer()
    settings = DistilBertConfig(vocab_size=len(tokenizer), dim=32, n_layers=1, n_heads=4, hidden_dim=64)
    DistilBertModel(settings).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(EncoderError) as caught:
        load(name=str(tmp_path), pooler=True)
    assert str(caught.value) == (
        f"A pooler was asked of encoder '{tmp_path}', but DistilBertModel has none. "
        f"Use hidden_states[-1][:, 0] or the mean over pieces."
    )


def test_slow_tokenizer_is_refused(checkpoint: Path, load: Load) -> None:
    (checkpoint / "tokenizer.json").unlink()
    (checkpoint / "tokenizer_config.json").write_text('{"tokenizer_class": "CanineTokenizer"}')
    with pytest.raises(EncoderError) as caught:
        load(name=str(checkpoint))
    assert str(caught.value) == (
        f"Encoder '{checkpoint}' needs a fast tokenizer, because only these tell which piece belongs to "
        f"which word, but CanineTokenizer is slow. Save a tokenizer.json beside the weights."
    )


def test_made_up_tokenizer_is_refused(checkpoint: Path, load: Load) -> None:
    (checkpoint / "tokenizer.json").unlink()
    (checkpoint / "tokenizer_config.json").unlink()
    with pytest.raises(EncoderError) as caught:
        load(name=str(checkpoint))
    assert str(caught.value) == (
        f"Encoder '{checkpoint}' should have a tokenizer beside its weights, but there is none. "
        f"Save its tokenizer.json in the same place."
    )


def test_folder_without_weights_is_refused(checkpoint: Path, load: Load) -> None:
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(UnknownEncoderError) as caught:
        load(name=str(checkpoint))
    assert str(caught.value) == (
        f"Encoder '{checkpoint}' should be a Hub name, a local folder or pkg:package/folder, but it cannot be loaded: "
        f"Error no file named model.safetensors, or pytorch_model.bin, found in directory {checkpoint}. "
        f"Check the name, the revision (None) and the network."
    )


def test_broken_weights_are_refused(checkpoint: Path, load: Load) -> None:
    (checkpoint / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(EncoderError) as caught:
        load(name=str(checkpoint))
    assert str(caught.value) == (
        f"The weights of encoder '{checkpoint}' should be a whole safetensors file, but cannot be read: "
        f"Error while deserializing header: header too large. Download or save the checkpoint again."
    )


def test_unknown_architecture_is_refused(checkpoint: Path, load: Load, edit_json: Callable[..., None]) -> None:
    edit_json(checkpoint / "config.json", model_type="no_such_type")
    with pytest.raises(UnknownEncoderError) as caught:
        load(name=str(checkpoint))
    assert str(caught.value) == (
        f"Encoder '{checkpoint}' should be a Hub name, a local folder or pkg:package/folder, but it cannot be loaded: "
        f"The checkpoint you are trying to load has model type `no_such_type` but Transformers does not recognize "
        f"this architecture. This could be because of an issue with the checkpoint, or because your version of "
        f"Transformers is out of date. Check the name, the revision (None) and the network."
    )
