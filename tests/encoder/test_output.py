"""The masked-word head of a checkpoint."""

import json
import shutil

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

from probes.config import EncoderConfig, TwinConfig
from probes.encoder.intervention import begin_pass
from probes.encoder.load import load_encoder
from probes.encoder.output import NoHeadError, load_head
from tests.toy import make_tokenizer

SIZES = {
    "vocab_size": len(make_tokenizer()),
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
}


@pytest.fixture(scope="module", params=["bert", "roberta"])
def folder(request, tmp_path_factory):
    """A random encoder with a head, all biases random too."""
    return save(request.param, tmp_path_factory.mktemp(request.param))


def save(kind, folder):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "bert":
            model = BertForMaskedLM(BertConfig(**SIZES))
        else:
            model = RobertaForMaskedLM(RobertaConfig(**SIZES, pad_token_id=0))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.3)
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


def reason(message: str, name: str) -> str:
    start = f"Predicting masked words needs a head that was trained with the encoder, but {name!r} "
    end = ". Use a checkpoint with a masked-word head, or measure later layers only."
    assert message.startswith(start)
    assert message.endswith(end)
    return message.removeprefix(start).removesuffix(end)


def no_head(config) -> str:
    with pytest.raises(NoHeadError) as error:
        load_head(load_encoder(config))
    return reason(str(error.value), config.name)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_head_equals_the_whole_model(folder, precision):
    encoder = load_encoder(EncoderConfig(name=str(folder), compute_dtype=precision))
    head = load_head(encoder)
    batch = encoder.pad(encoder.tokenize([("the", "dog", "sees", "a", "cat"), ("x12",)]))
    found = head.log_probabilities(begin_pass(encoder, batch).states[-1][0])
    assert found.dtype == torch.float32
    whole = {"bert": BertForMaskedLM, "roberta": RobertaForMaskedLM}[encoder.model.config.model_type]
    with torch.no_grad():
        expected = whole.from_pretrained(folder).eval()(**batch).logits[0].log_softmax(dim=-1)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 if precision == "float32" else 0.3)


def test_mask_is_the_tokenizers(folder):
    encoder = load_encoder(str(folder))
    assert encoder.tokenizer.convert_ids_to_tokens(load_head(encoder).mask_id) == "[MASK]"


def test_checkpoint_without_a_head_is_told(toy_bert):
    found = no_head(EncoderConfig(name=str(toy_bert)))
    assert found == "comes from a checkpoint that lacks cls.predictions.bias, which would be random"


def test_twin_has_no_head(folder):
    found = no_head(EncoderConfig(name=str(folder), twin=TwinConfig(kind="untrained", seed=1)))
    assert found == "is a twin of kind 'untrained', and no head was trained with its weights"


def test_first_blocks_have_no_head(folder):
    found = no_head(EncoderConfig(name=str(folder), num_layers=2))
    assert found == "has its first 2 blocks, and the head reads block 3"
    assert load_head(load_encoder(EncoderConfig(name=str(folder), num_layers=3)))


def test_other_families_have_no_head(tmp_path):
    settings = DistilBertConfig(vocab_size=SIZES["vocab_size"], dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    DistilBertForMaskedLM(settings).save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    assert no_head(EncoderConfig(name=str(tmp_path))) == "is of kind 'distilbert', not 'bert' or 'roberta'"


def test_tokenizer_without_a_mask_has_no_head(tmp_path):
    folder = save("bert", tmp_path / "whole")
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = copy / "tokenizer_config.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "mask_token"}))
    assert no_head(EncoderConfig(name=str(copy))) == "has a tokenizer without a mask"
