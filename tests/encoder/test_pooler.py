"""The pooler as the vector of a sentence: asked for by name, and at the last layer the encoder's own output."""

import numpy as np
import pytest
import torch

import probes
from probes.config import EncoderConfig
from probes.encoder.load import load_encoder
from probes.encoder.pool import embed
from probes.errors import EncoderError
from tests.toy import save_toy_bert

TEXTS = ["the dog sees a cat", "the big dog runs", "often"]


@pytest.fixture(scope="module")
def corpus():
    return probes.from_lists(TEXTS, ["x", "y", "x"], ["train", "dev", "test"])


def test_the_last_layer_is_the_pooler_output_and_the_others_their_cls(toy_bert, corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    cache = probes.encode(str(toy_bert), corpus, sentence="pooler")
    encoder = load_encoder(EncoderConfig(name=str(toy_bert)), pooler=True)
    pooler = encoder.model.pooler.dense
    for split, text in zip(cache.splits, TEXTS, strict=True):
        reading = encoder([text])
        np.testing.assert_allclose(cache.layer(12, split), reading.pooler_output.numpy(), atol=1e-6)
        for layer in (0, 5):
            expected = torch.tanh(reading.hidden_states[layer][:, 0] @ pooler.weight.T + pooler.bias)
            np.testing.assert_allclose(cache.layer(layer, split), expected.numpy(), atol=1e-6)


def test_texts_without_a_cache_are_pooled_alike(toy_bert, corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    cache = probes.encode(str(toy_bert), corpus, sentence="pooler")
    vectors = embed(load_encoder(EncoderConfig(name=str(toy_bert), sentence="pooler")), [TEXTS[2]], "sentence")
    stored = [cache.layer(layer, "test")[0] for layer in range(13)]
    np.testing.assert_allclose(vectors[0][:, 0].numpy(), stored, atol=1e-6)


def test_pooler_and_cls_are_two_caches(toy_bert, corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    folders = {probes.encode(str(toy_bert), corpus, sentence=how).folder for how in ("cls", "mean", "pooler")}
    assert len(folders) == 3


def test_a_checkpoint_without_a_pooler_is_refused(tmp_path):
    place = save_toy_bert(tmp_path / "bare", num_layers=1, pooler=False)
    with pytest.raises(EncoderError, match="pooler"):
        load_encoder(EncoderConfig(name=str(place), sentence="pooler"))
