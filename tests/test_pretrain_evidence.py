"""The evidence about a pre-trained encoder: floors, held-out loss, layers over training, and the folder it comes in."""

import json
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import probes
from probes.errors import ConfigError
from tests.conftest import CHECKOUT
from tests.scripts import scripts
from tests.toy import make_tiny_corpus, write_treebank

FOLDER = CHECKOUT / "experiments" / "pretrain"
SIZES = {"layers": 2, "dim": 32, "vocabulary": 160}


@pytest.fixture(scope="module")
def modules():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        with scripts(FOLDER, "floor", "held_out", "over_training", "pretrain", "release") as loaded:
            yield loaded


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    lines = [" ".join(one.words) for one in probes.read_corpus("grammar")["train"]]
    (folder / "lines.txt").write_text("\n".join(lines * 2), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(modules, corpus, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    settings = {**SIZES, "steps": 80, "grow": "1:20", "pieces-in-step": 1024, "epoch": 40, "text": corpus, "out": out}
    modules["pretrain"].main(
        [part for name, value in {**settings, "treebank": ""}.items() for part in (f"--{name}", str(value))]
    )
    return out


# Floors.


def slow_bigram(train: list[int], before: int, wanted: int, vocabulary: int) -> float:
    pairs = list(pairwise(train))
    kinds = set(pairs)
    once, twice = (sum(pairs.count(pair) == times for pair in kinds) for times in (1, 2))
    discount = once / (once + 2 * twice)
    follows = [sum(pair[1] == piece for pair in kinds) for piece in range(vocabulary)]
    lower = max(follows[wanted] - discount, 0) / len(kinds)
    lower += discount * sum(count > 0 for count in follows) / len(kinds) / vocabulary
    total = sum(pair[0] == before for pair in pairs)
    if total == 0:
        return lower
    own = max(pairs.count((before, wanted)) - discount, 0) / total
    return own + discount * sum(pair[0] == before for pair in kinds) / total * lower


def test_bigram_floor_is_kneser_ney_and_sums_to_one(modules):
    stream = np.random.default_rng(0).integers(0, 7, size=60)
    stream[stream == 3] = 4  # a piece that never comes
    every = np.arange(8)
    for before in range(8):
        found = modules["floor"].bigram_nll(stream, np.full(8, before), every, 8)
        expected = [slow_bigram(stream.tolist(), before, wanted, 8) for wanted in every]
        assert np.exp(-found) == pytest.approx(expected), before
        assert np.exp(-found).sum() == pytest.approx(1)


def test_unigram_floor_counts_every_piece_once_more(modules):
    found = modules["floor"].unigram_nll(np.array([0, 0, 1]), np.array([0, 1, 2]), 3)
    assert np.exp(-found) == pytest.approx([3 / 6, 2 / 6, 1 / 6])


# Held-out loss.


@pytest.fixture(scope="module")
def measured(modules, corpus, trained, tmp_path_factory):
    out = tmp_path_factory.mktemp("results") / "pretrain" / "held_out.json"
    given = [str(trained / "final"), str(trained / "checkpoints" / "step-64"), "--text", str(corpus)]
    modules["held_out"].main([*given, "--treebank", "", "--out", str(out)])
    return out


@pytest.mark.slow
def test_loss_is_that_of_plain_transformers_on_hidden_pieces(modules, corpus, trained, measured):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    rows = json.loads(measured.read_text())["rows"]
    assert [row["name"] for row in rows] == ["unigram", "bigram", "final", "step-64"]
    tokenizer = AutoTokenizer.from_pretrained(trained / "final")
    text = modules["held_out"].read_text(corpus, None)
    places = modules["held_out"].hide(modules["held_out"].pack(tokenizer, text.held_out), tokenizer)
    model = AutoModelForMaskedLM.from_pretrained(trained / "final", dtype=torch.float32).eval()
    losses = []
    for block, hidden in zip(places.blocks, places.is_hidden, strict=True):
        seen = torch.from_numpy(np.where(hidden, tokenizer.mask_token_id, block))[None]
        with torch.no_grad():
            scores = model(seen).logits[0].log_softmax(dim=-1)
        losses += [-float(scores[place, block[place]]) for place in np.flatnonzero(hidden)]
    assert rows[2]["nats"] == pytest.approx(np.mean(losses), abs=1e-4)
    assert rows[2]["n"] == len(losses) == places.is_hidden.sum()
    assert rows[2]["low"] < rows[2]["nats"] < rows[2]["high"]


@pytest.mark.slow
def test_special_pieces_are_never_hidden(modules, trained):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(trained / "final")
    places = modules["held_out"].hide(np.load(trained / "pieces.npy")[:12_600], tokenizer)
    assert not places.is_hidden[:, [0, -1]].any()
    assert places.is_hidden.mean() == pytest.approx(0.15 * 126 / 128, abs=0.01)
    assert (places.before[places.wanted == places.blocks[0, 1]] >= 0).all()
    row, column = np.argwhere(places.is_hidden)[5]
    assert places.before[5] == places.blocks[row, column - 1]


@pytest.mark.slow
def test_encoders_of_two_vocabularies_are_not_compared(modules, trained, toy_masked_bert):
    with pytest.raises(ConfigError) as error:
        modules["held_out"]._shared_tokenizer([str(trained / "final"), str(toy_masked_bert)])
    assert str(error.value) == (
        f"Encoders whose losses are compared should have one tokenizer, but {str(toy_masked_bert)!r} has another "
        f"vocabulary than {str(trained / 'final')!r}. Measure them apart."
    )


# Layers over training.


@pytest.mark.slow
def test_every_checkpoint_is_probed_at_every_layer_and_drawn_again(modules, trained, measured, tmp_path):
    treebank = write_treebank(make_tiny_corpus(), tmp_path)
    out, figure = measured.with_name("over_training.json"), tmp_path / "figures" / "pretrain.pdf"
    given = ["--treebank", f"{treebank}/*.conllu", "--out", str(out), "--figure", str(figure)]
    over_training = modules["over_training"]
    over_training.TASKS = ("pos",)
    over_training.main([str(trained), *given])
    found = json.loads(out.read_text())
    layers = {step: [row["layer"] for row in found["rows"] if row["step"] == step] for step in (20, 64, 80)}
    assert layers == {20: [0, 1], 64: [0, 1, 2], 80: [0, 1, 2]}
    assert found["loss"][-1]["step"] == 80
    made = {path.name: path.read_bytes() for path in figure.parent.iterdir()}
    assert made.keys() == {"pretrain.pdf", "pretrain.png"}
    over_training.main(["--draw", *given])
    assert {path.name: path.read_bytes() for path in figure.parent.iterdir()} == made


# The folder.


@pytest.mark.slow
def test_released_folder_has_weights_card_and_checksums(modules, trained, measured, tmp_path):
    to = tmp_path / "bert-2x32"
    modules["release"].release(trained, to, measured)
    assert len(probes.load_encoder(str(to))(["the dog sees a cat"]).hidden_states) == 3
    sums = dict(reversed(line.split("  ")) for line in (to / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: sha256((to / name).read_bytes()).hexdigest() for name in modules["release"].FILES}
    card = (to / "README.md").read_text()
    assert "{" not in card
    assert "# A small BERT of 2 blocks" in card
    assert "80 steps of 1,024 pieces, 0.1 M pieces" in card
    assert "Of the steps 20 with 1 blocks on 128 pieces, then 60 with 2" in card
    rows = json.loads(measured.read_text())["rows"]
    assert f"| bigram | {rows[1]['nats']:.2f} [" in card


def test_a_training_that_has_not_ended_is_not_released(modules, tmp_path):
    with pytest.raises(ConfigError) as error:
        modules["release"].release(tmp_path, tmp_path / "to", tmp_path / "none.json")
    assert str(error.value) == (
        f"The weights of a training that has ended were expected in {tmp_path / 'final'}, but config.json is not "
        f"there. Let the training end: the command that began it goes on."
    )
    assert not (tmp_path / "to").exists()


@pytest.mark.slow
def test_weights_too_large_for_the_package_are_refused(modules, trained, monkeypatch, tmp_path):
    monkeypatch.setattr(modules["release"], "MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match=r"should have at most 1,000 bytes, but those in .* have [0-9,]+\. Train"):
        modules["release"].release(trained, tmp_path / "to", tmp_path / "none.json")
