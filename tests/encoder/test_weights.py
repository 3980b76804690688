"""The encoder that comes with the package: whole, trained in every block, and invariant to how it is read."""

from hashlib import sha256
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

import probes
from probes.config import EncoderConfig
from probes.encoder.check import check_invariance
from probes.encoder.load import load_encoder
from probes.encoder.output import load_head

NAME = "pkg:probes/weights/bert-12x128"
FOLDER = Path(probes.__file__).parent / "weights" / "bert-12x128"
TEXTS = ["the keys to the cabinet are on the table .", "it rains .", "she said that nobody would ever have believed it"]


def test_files_are_those_of_the_checksums_and_small():
    sums = dict(reversed(line.split("  ")) for line in (FOLDER / "SHA256SUMS").read_text().splitlines())
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in FOLDER.iterdir()}
    assert {name: found[name] for name in sums} == sums
    assert found.keys() == {*sums, "SHA256SUMS", "README.md"}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 25_000_000


def test_plain_transformers_loads_every_weight():
    model, info = AutoModelForMaskedLM.from_pretrained(FOLDER, dtype=torch.float32, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert (model.config.num_hidden_layers, model.config.hidden_size, model.config.vocab_size) == (12, 128, 8192)
    assert len(AutoTokenizer.from_pretrained(FOLDER)) == 8192


def test_it_has_13_states_and_a_head_and_no_pooler():
    encoder = load_encoder(NAME)
    reading = encoder(TEXTS)
    assert len(reading.hidden_states) == 13
    assert torch.equal(reading.hidden_states[-1], reading.last_hidden_state)
    assert load_head(encoder).mask_id == encoder.tokenizer.mask_token_id
    with pytest.raises(probes.ProbesError, match="pooler"):
        load_encoder(NAME, pooler=True)


def test_states_do_not_depend_on_padding_and_company():
    encoder = load_encoder(NAME)
    check_invariance(encoder, list(TEXTS))
    together = encoder(TEXTS)
    for number, text in enumerate(TEXTS):
        alone = encoder([text])
        length = len(alone.pieces[0])
        for state, other in zip(alone.hidden_states, together.hidden_states, strict=True):
            torch.testing.assert_close(other[number, :length], state[0], rtol=0, atol=1e-4)


def test_first_blocks_are_those_of_the_whole():
    whole = load_encoder(NAME)(TEXTS)
    some = load_encoder(EncoderConfig(name=NAME, num_layers=4))(TEXTS)
    for layer in range(5):
        torch.testing.assert_close(some.hidden_states[layer], whole.hidden_states[layer])


def test_no_two_blocks_are_alike_although_it_was_grown():
    blocks = load_encoder(NAME).model.encoder.layer
    for first in range(12):
        for second in range(first + 1, 12):
            own, other = (blocks[n].attention.self.query.weight.flatten() for n in (first, second))
            assert torch.nn.functional.cosine_similarity(own, other, dim=0) < 0.99, (first, second)


def test_it_predicts_a_hidden_word_from_its_neighbours():
    encoder = load_encoder(NAME)
    head = load_head(encoder)
    batch = encoder.pad(encoder.tokenize(["one of [MASK] most important things ."]))
    scores = head.log_probabilities(encoder.forward(batch).hidden_states[-1][0])
    place = batch["input_ids"][0].tolist().index(head.mask_id)
    best = encoder.tokenizer.convert_ids_to_tokens(scores[place].topk(5).indices.tolist())
    assert "the" in best


def test_every_block_does_something():
    states = load_encoder(NAME)(TEXTS).hidden_states
    for block in range(1, 13):
        moved = (states[block] - states[block - 1]).norm(dim=-1) / states[block - 1].norm(dim=-1)
        assert moved.mean() > 0.1, block
