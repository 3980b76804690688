"""What a frozen encoder says about a few texts, and how it is told from others."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import BertModel

from probes.encoder.frozen import FrozenEncoder
from probes.encoder.load import load_encoder
from probes.errors import EncoderError

TEXTS = ["the dog sees a cat", "a small x1", "dogs and cats often run"]
Load = Callable[..., FrozenEncoder]


@pytest.fixture(scope="module")
def eager(load: Load) -> FrozenEncoder:
    return load(attention="eager")


def test_twelve_blocks_have_thirteen_named_layers(toy: FrozenEncoder) -> None:
    assert toy.layers == ("emb", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12")
    assert len(toy(TEXTS).hidden_states) == 13
    assert toy.dim == 32


def test_state_zero_is_the_output_of_the_embeddings(toy: FrozenEncoder) -> None:
    ids = torch.tensor(toy.tokenize(TEXTS[:1])["input_ids"])
    with torch.no_grad():
        embedded = toy.model.embeddings(input_ids=ids)
    assert torch.equal(toy(TEXTS[:1]).hidden_states[0], embedded)


def test_state_k_is_the_output_of_block_k(load: Load) -> None:
    encoder = load()
    outputs: list[torch.Tensor] = []
    for block in encoder.model.encoder.layer:
        block.register_forward_hook(
            lambda module, given, made: outputs.append(made[0] if isinstance(made, tuple) else made)
        )
    states = encoder(TEXTS).hidden_states
    assert len(outputs) == 12
    assert all(torch.equal(state, output) for state, output in zip(states[1:], outputs, strict=True))


def test_last_hidden_state_is_the_last_of_the_states(toy: FrozenEncoder) -> None:
    reading = toy(TEXTS)
    assert torch.equal(reading.last_hidden_state, reading.hidden_states[-1])


def test_states_equal_a_plain_forward_pass(toy: FrozenEncoder, toy_bert: Path) -> None:
    plain = BertModel.from_pretrained(toy_bert).eval()
    with torch.no_grad():
        expected = plain(**toy.pad(toy.tokenize(TEXTS)), output_hidden_states=True).hidden_states
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(toy(TEXTS).hidden_states, expected, strict=True))


def test_pooler_output_is_tanh_of_a_linear_map_of_the_last_cls(load: Load, toy_bert: Path) -> None:
    reading = load(pooler=True)(TEXTS)
    pooler = BertModel.from_pretrained(toy_bert).pooler.dense
    with torch.no_grad():
        by_hand = torch.tanh(reading.hidden_states[-1][:, 0] @ pooler.weight.T + pooler.bias)
    assert reading.pooler_output is not None
    torch.testing.assert_close(reading.pooler_output, by_hand, rtol=0, atol=1e-6)  # float32 sums in another order
    assert not torch.allclose(reading.pooler_output, reading.last_hidden_state[:, 0], atol=0.1)


def test_no_pooler_without_asking(toy: FrozenEncoder) -> None:
    assert toy(TEXTS).pooler_output is None
    assert not any("pooler" in name for name, _ in toy.model.named_parameters())


def test_attention_maps_sum_to_one_over_real_pieces(eager: FrozenEncoder) -> None:
    reading = eager(TEXTS, attentions=True)
    num_texts, longest = reading.mask.shape
    assert reading.attentions is not None
    assert [tuple(maps.shape) for maps in reading.attentions] == [(num_texts, 4, longest, longest)] * 12
    for maps in reading.attentions:
        torch.testing.assert_close(maps.sum(dim=-1), torch.ones(num_texts, 4, longest), rtol=0, atol=1e-5)
        assert float((maps * (reading.mask == 0)[:, None, None, :]).abs().max()) == 0.0


def test_attention_maps_are_there_only_when_asked_for(eager: FrozenEncoder) -> None:
    assert eager(TEXTS).attentions is None


def test_attention_maps_of_sdpa_are_refused(toy: FrozenEncoder, toy_bert: Path) -> None:
    with pytest.raises(EncoderError) as caught:
        toy(TEXTS, attentions=True)
    assert str(caught.value) == (
        f"Attention maps need attention='eager', but encoder '{toy_bert}' was loaded with 'sdpa', which never forms "
        f"them. Load it with EncoderConfig(attention='eager')."
    )


def test_attention_implementation_changes_only_rounding(toy: FrozenEncoder, eager: FrozenEncoder) -> None:
    torch.testing.assert_close(eager(TEXTS).last_hidden_state, toy(TEXTS).last_hidden_state, rtol=0, atol=1e-5)


def test_pieces_and_mask_show_what_was_read(toy: FrozenEncoder) -> None:
    reading = toy([("the", "dogs"), ("a",)])
    assert reading.pieces == [["[CLS]", "the", "dog", "##s", "[SEP]"], ["[CLS]", "a", "[SEP]"]]
    assert reading.mask.tolist() == [[1] * 5, [1] * 3 + [0] * 2]


def test_states_do_not_depend_on_padding(toy: FrozenEncoder) -> None:
    together = toy(TEXTS).hidden_states
    for number, text in enumerate(TEXTS):
        for alone, beside in zip(toy([text]).hidden_states, together, strict=True):
            torch.testing.assert_close(alone[0], beside[number, : alone.shape[1]], rtol=0, atol=1e-5)


def test_too_long_text_is_refused(load: Load, toy_bert: Path) -> None:
    for limit, encoder in ((64, load()), (10, load(max_pieces=10)), (64, load(max_pieces=1000))):
        assert encoder.max_pieces == limit
        assert encoder([" ".join(["dog"] * (limit - 2))]).mask.shape == (1, limit)
        with pytest.raises(EncoderError) as caught:
            encoder(["the", " ".join(["dog"] * (limit - 1))])
        assert str(caught.value) == (
            f"Encoder '{toy_bert}' reads at most {limit} pieces, but a text has {limit + 1}. "
            f"Shorten it, or encode a corpus with length: truncate."
        )


def test_no_text_is_refused(toy: FrozenEncoder, toy_bert: Path) -> None:
    with pytest.raises(EncoderError) as caught:
        toy([])
    assert str(caught.value) == (
        f"Encoder '{toy_bert}' needs at least one text to read, but got none. Give it a list of texts."
    )


def test_tokenizer_cuts_only_on_request(toy: FrozenEncoder) -> None:
    text = [("dog",) * 9]
    assert len(toy.tokenize(text)["input_ids"][0]) == 11
    assert toy.tokenize(text, max_pieces=5).word_ids(0) == [None, 0, 1, 2, None]
    assert len(toy.tokenize(text)["input_ids"][0]) == 11


def test_word_type_is_what_an_uncased_encoder_can_tell(toy: FrozenEncoder) -> None:
    assert {toy.word_type(word) for word in ("Dog", "dog", "DOG")} == {"dog"}
    assert toy.word_type("Café") == "cafe"


def test_weights_hash_sees_one_bit(load: Load) -> None:
    encoder = load()
    before = encoder.weights_hash
    weight = encoder.model.encoder.layer[11].output.dense.weight
    weight.view(torch.int32)[3, 4] ^= 1
    assert replace(encoder).weights_hash != before
    weight.view(torch.int32)[3, 4] ^= 1
    assert replace(encoder).weights_hash == before


def test_hashes_do_not_see_the_folder(toy: FrozenEncoder, load: Load, checkpoint: Path) -> None:
    copy = load(name=str(checkpoint))
    assert (copy.weights_hash, copy.tokenizer_hash) == (toy.weights_hash, toy.tokenizer_hash)


@pytest.mark.parametrize("change", [{"layer_norm_eps": 1e-6}, {"hidden_act": "relu"}, {"num_attention_heads": 2}])
def test_weights_hash_sees_how_weights_are_used(
    change: dict[str, object], toy: FrozenEncoder, load: Load, checkpoint: Path, edit_json: Callable[..., None]
) -> None:
    edit_json(checkpoint / "config.json", **change)
    assert load(name=str(checkpoint)).weights_hash != toy.weights_hash


def test_tokenizer_hash_sees_its_rules_but_not_what_was_done_before(
    toy: FrozenEncoder, load: Load, checkpoint: Path
) -> None:
    used = load()
    used.tokenize(TEXTS, max_pieces=4)
    assert replace(used).tokenizer_hash == toy.tokenizer_hash
    rules = checkpoint / "tokenizer.json"
    text = rules.read_text()
    assert '"lowercase": true' in text
    rules.write_text(text.replace('"lowercase": true', '"lowercase": false'))
    assert load(name=str(checkpoint)).tokenizer_hash != toy.tokenizer_hash


def test_embedding_output_is_the_first_hidden_state(toy_bert):
    reading = load_encoder(str(toy_bert))(["the dog runs"])
    assert reading.embedding_output is reading.hidden_states[0]
    assert reading.embedding_output is not reading.hidden_states[1]
