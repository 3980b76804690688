"""A pass that goes on from edited states."""

import pytest
import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel, RobertaConfig, RobertaModel

from probes.encoder.intervention import begin_pass
from probes.encoder.load import load_encoder
from probes.errors import EncoderError
from tests.reference.continuation import continue_by_hand
from tests.toy import make_tokenizer

SENTENCES = [("the", "dogs", "sees", "x12"), ("a", "cat"), ("don't", "often", "run")]
LAST = 12
SIZES = {
    "vocab_size": len(make_tokenizer()),
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 66,
}


@pytest.fixture(scope="session")
def batch(toy):
    """Three sentences of unequal length."""
    return toy.pad(toy.tokenize(SENTENCES))


@pytest.fixture(scope="session")
def ordinary(toy, batch):
    return begin_pass(toy, batch)


@pytest.fixture(scope="session")
def roberta(tmp_path_factory):
    """A random RoBERTa of three blocks."""
    folder = tmp_path_factory.mktemp("roberta")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        RobertaModel(RobertaConfig(**SIZES, pad_token_id=0), add_pooling_layer=False).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return load_encoder(str(folder))


def save(model, folder):
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return load_encoder(str(folder))


def test_pass_has_the_states_of_an_ordinary_forward_call(toy, batch, ordinary):
    expected = toy.forward(batch).hidden_states
    assert len(ordinary.states) == LAST + 1
    assert all(torch.equal(one, other) for one, other in zip(ordinary.states, expected, strict=True))


@pytest.mark.parametrize("layer", range(LAST + 1))
def test_unedited_states_give_the_ordinary_pass_bit_for_bit(layer, ordinary):
    resumed = ordinary.resume(layer, ordinary.states[layer].clone())
    assert len(resumed) == LAST + 1 - layer
    assert all(torch.equal(one, other) for one, other in zip(resumed, ordinary.states[layer:], strict=True))


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_unedited_states_give_the_ordinary_pass_at_any_precision(precision, attention, load):
    encoder = load(compute_dtype=precision, attention=attention)
    ordinary = begin_pass(encoder, encoder.pad(encoder.tokenize(SENTENCES)))
    resumed = ordinary.resume(4, ordinary.states[4].clone())
    assert all(torch.equal(one, other) for one, other in zip(resumed, ordinary.states[4:], strict=True))


@pytest.mark.parametrize("layer", [0, 5, LAST])
def test_edit_changes_its_own_layer_and_those_above(layer, ordinary):
    before = [state.clone() for state in ordinary.states]
    resumed = ordinary.resume(layer, ordinary.states[layer] * 0.5)
    assert all(torch.equal(one, other) for one, other in zip(before, ordinary.states, strict=True))
    assert torch.equal(resumed[0], before[layer] * 0.5)
    assert not any(torch.allclose(one, other) for one, other in zip(resumed, before[layer:], strict=True))


@pytest.mark.parametrize("layer", [0, 3, 11])
@pytest.mark.parametrize("factor", [0.0, 1.0, -2.0])
def test_continuation_equals_one_written_out_by_hand(layer, factor, toy, batch, ordinary):
    edited = ordinary.states[layer] * factor
    resumed = ordinary.resume(layer, edited)
    expected = continue_by_hand(toy.model, layer, edited, batch["attention_mask"])
    is_piece = batch["attention_mask"].bool()
    for one, other in zip(resumed, expected, strict=True):
        torch.testing.assert_close(one[is_piece], other[is_piece], rtol=0, atol=2e-5)


def test_roberta_goes_on_as_bert_does(roberta):
    batch = roberta.pad(roberta.tokenize(SENTENCES))
    ordinary = begin_pass(roberta, batch)
    assert all(
        torch.equal(one, other)
        for one, other in zip(ordinary.resume(1, ordinary.states[1]), ordinary.states[1:], strict=True)
    )
    edited = ordinary.states[1].flip(-1)
    expected = continue_by_hand(roberta.model, 1, edited, batch["attention_mask"])
    is_piece = batch["attention_mask"].bool()
    for one, other in zip(ordinary.resume(1, edited), expected, strict=True):
        torch.testing.assert_close(one[is_piece], other[is_piece], rtol=0, atol=2e-5)


def test_padding_is_not_read_after_an_edit(toy, ordinary):
    edited = ordinary.states[2] + 1
    alone = begin_pass(toy, toy.pad(toy.tokenize(SENTENCES[1:2])))
    num_pieces = alone.states[0].shape[1]
    expected = ordinary.resume(2, edited)[-1][1, :num_pieces]
    found = alone.resume(2, edited[1:2, :num_pieces])[-1][0]
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


def test_no_hook_is_left_behind(toy, batch):
    before = len(toy.model.encoder.layer[0]._forward_pre_hooks)
    begin_pass(toy, batch)
    assert len(toy.model.encoder.layer[0]._forward_pre_hooks) == before


@pytest.mark.parametrize("layer", [-1, 13])
def test_layer_that_does_not_exist(layer, toy, ordinary):
    with pytest.raises(EncoderError) as error:
        ordinary.resume(layer, ordinary.states[0])
    assert str(error.value) == (
        f"Encoder {toy.config.name!r} can go on from layer 0 (the embeddings) to 12, but layer {layer} was asked for. "
        f"Choose one of these."
    )


def test_other_families_are_refused(tmp_path):
    settings = DistilBertConfig(
        vocab_size=SIZES["vocab_size"], dim=16, n_layers=1, n_heads=2, hidden_dim=32, max_position_embeddings=66
    )
    encoder = save(DistilBertModel(settings), tmp_path)
    with pytest.raises(EncoderError) as error:
        begin_pass(encoder, encoder.pad(encoder.tokenize(SENTENCES)))
    assert str(error.value) == (
        f"An encoder that goes on from edited states should be of kind 'bert' or 'roberta', but {str(tmp_path)!r} is "
        f"of kind 'distilbert'. Use another encoder."
    )


def test_decoders_are_refused(tmp_path):
    encoder = save(BertModel(BertConfig(**SIZES, is_decoder=True), add_pooling_layer=False), tmp_path)
    with pytest.raises(EncoderError) as error:
        begin_pass(encoder, encoder.pad(encoder.tokenize(SENTENCES)))
    assert str(error.value) == (
        f"An encoder that goes on from edited states should be of kind 'bert' or 'roberta', but {str(tmp_path)!r} is "
        f"a decoder of kind 'bert'. Use another encoder."
    )


def test_compiled_encoders_are_refused(load, batch):
    encoder = load(compile=True)
    with pytest.raises(EncoderError) as error:
        begin_pass(encoder, batch)
    assert str(error.value) == (
        f"An encoder that goes on from edited states should not be compiled, but {encoder.config.name!r} is: its "
        f"blocks cannot be run one by one. Set encoder.compile to false."
    )
