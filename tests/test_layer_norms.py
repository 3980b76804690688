"""Dimensions that a LayerNorm has switched off are found, in the layer where they are."""

import json

import pytest
import torch
from transformers import BertModel, GPT2Config, GPT2Model

from probes.errors import EncoderError
from tests.conftest import CHECKOUT
from tests.scripts import scripts
from tests.toy import make_tokenizer


@pytest.fixture(scope="module")
def layer_norms():
    with scripts(CHECKOUT / "experiments", "layer_norms") as loaded:
        yield loaded["layer_norms"]


def test_a_gain_of_almost_nothing_is_found_where_it_is(layer_norms, toy_bert, tmp_path, capsys):
    model = BertModel.from_pretrained(toy_bert)
    with torch.no_grad():
        for norm in [model.embeddings.LayerNorm, *(block.output.LayerNorm for block in model.encoder.layer)]:
            norm.weight.copy_(torch.linspace(0.5, 1.5, 32))
        model.encoder.layer[2].output.LayerNorm.weight[[5, 9]] = torch.tensor([-1e-9, 0.0])
        model.encoder.layer[7].output.LayerNorm.weight[5] = 0.01
    model.save_pretrained(tmp_path / "bert")
    make_tokenizer().save_pretrained(tmp_path / "bert")
    layer_norms.main([str(tmp_path / "bert"), "--results", str(tmp_path)])
    (layers,) = json.loads((tmp_path / "geometry" / "layer_norms.json").read_text()).values()
    assert [one["dead"] for one in layers] == [[5, 9] if layer == 3 else [] for layer in range(13)]
    assert (layers[8]["min"], layers[8]["max"]) == pytest.approx((0.01, 1.5))
    said = capsys.readouterr().out
    assert f"| {tmp_path / 'bert'} | 3 | 0 | 0.984 | 1.5 | 5, 9 |\n" in said
    assert f"| {tmp_path / 'bert'} | emb | 0.5 | 0.984 | 1.5 | - |\n" in said
    assert (tmp_path / "geometry" / "layer_norms.md").read_text() == said


def test_an_encoder_built_otherwise_is_refused(layer_norms):
    model = GPT2Model(GPT2Config(n_layer=1, n_embd=8, n_head=1, vocab_size=10))
    with pytest.raises(EncoderError, match=r"blocks end in `output.LayerNorm`.* but 'mine' is a GPT2Model\. Name"):
        list(layer_norms.last_norms(model, "mine"))
