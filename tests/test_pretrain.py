"""Pre-training: what is masked, what is held out, and that a killed training ends with the same weights."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import probes
from probes.errors import ConfigError, CorpusError
from tests.conftest import CHECKOUT
from tests.scripts import scripts
from tests.test_track import history, read_log

FOLDER = CHECKOUT / "experiments" / "pretrain"
SETTINGS = {
    "steps": 130,
    "layers": 2,
    "grow": "1:40",
    "dim": 32,
    "vocabulary": 160,
    "pieces-in-step": 1024,
    "epoch": 16,
}


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """Where W&B's runs go."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_DIR", str(tmp_path_factory.mktemp("mirror")))
        yield Path(os.environ["WANDB_DIR"], "wandb")


@pytest.fixture(scope="module")
def modules(mirrored):
    """The files of the experiment, which import each other as scripts do."""
    with scripts(FOLDER, "model", "pretrain", "schedule", "text") as loaded:
        yield loaded


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two files of the grammar's sentences."""
    folder = tmp_path_factory.mktemp("text")
    lines = [" ".join(one.words) for one in probes.read_corpus("grammar")["train"]]
    (folder / "first.txt").write_text("\n".join(lines[:1500]), encoding="utf-8")
    (folder / "second.txt").write_text("\n\n".join(lines[1500:2200]), encoding="utf-8")
    return folder


def arguments(corpus, out, **changes):
    settings = {**SETTINGS, "text": corpus, "treebank": "", "out": out, **changes}
    return [part for name, value in settings.items() for part in (f"--{name}", str(value))]


@pytest.fixture(scope="module")
def trained(modules, corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    modules["pretrain"].main(arguments(corpus, out))
    return out


def rows(out):
    with (out / "loss.csv").open(newline="") as file:
        return [(int(row["step"]), int(row["pieces"]), float(row["loss"])) for row in csv.DictReader(file)]


def test_a_hundredth_of_each_file_is_held_out_in_runs(modules, corpus):
    text = modules["text"].read_text(corpus, None)
    for name, size in (("first", 1500), ("second", 700)):
        assert len(text.train[name]) + len(text.held_out[name]) == size
    many = [f"line {number}" for number in range(20_000)]
    kept = list(modules["text"]._part(many, True))
    assert kept == many[4950:5000] + many[9950:10_000] + many[14_950:15_000] + many[19_950:]
    assert set(kept).isdisjoint(modules["text"]._part(many, False))


def test_the_tokenizer_is_the_same_again(modules, corpus):
    text = modules["text"].read_text(corpus, None)
    first, second = (modules["text"].train_tokenizer(text, size=160) for _ in range(2))
    assert first.get_vocab() == second.get_vocab()
    assert [first.convert_ids_to_tokens(number) for number in range(5)] == [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
    ]
    assert first("the dog")["input_ids"][0] == 2


def test_blocks_hold_the_stream_between_their_ends(modules, trained):
    tokenizer = modules["pretrain"].load_tokenizer(trained, None, 160)
    stream = np.load(trained / "pieces.npy")
    blocks = modules["text"].blocks_of(stream, 128, tokenizer)
    assert (blocks[:, 0] == tokenizer.cls_token_id).all()
    assert (blocks[:, -1] == tokenizer.sep_token_id).all()
    assert np.array_equal(blocks[:, 1:-1].ravel(), stream[: blocks[:, 1:-1].size])
    assert stream.min() >= 5 or (stream == tokenizer.unk_token_id).any()
    with pytest.raises(CorpusError, match="At least 510 pieces were expected for one block of 512"):
        modules["text"].blocks_of(stream[:100], 512, tokenizer)


@pytest.fixture(scope="module")
def steps(modules):
    schedule = modules["schedule"]
    blocks = {length: np.random.default_rng(0).integers(5, 1000, size=(300, length)) for length in (128, 512)}
    for part in blocks.values():
        part[:, 0], part[:, -1] = 2, 3
    return schedule.Steps(schedule.Plan(200, pieces_in_step=4096, seed=3), blocks, 5, 4, 1000)


def test_fifteen_in_a_hundred_are_masked_in_the_three_ways_and_ends_never(steps):
    batches = [steps[number] for number in range(60)]
    pieces = torch.cat([batch["pieces"].reshape(-1) for batch in batches])
    wanted = torch.cat([batch["wanted"].reshape(-1) for batch in batches])
    is_masked = wanted != -100
    assert is_masked.float().mean() == pytest.approx(0.15 * 126 / 128, abs=0.003)
    seen, right = pieces[is_masked], wanted[is_masked]
    shares = [(seen == 4).float().mean(), (seen == right).float().mean()]
    assert shares == [pytest.approx(0.8, abs=0.01), pytest.approx(0.1, abs=0.01)]
    assert ((pieces[~is_masked] == 2) | (pieces[~is_masked] == 3)).sum() == 60 * 32 * 2
    assert (right >= 5).all()


def test_a_step_is_the_same_again_and_each_block_comes_once_in_a_turn(steps):
    again = steps[7]
    assert torch.equal(steps[7]["pieces"], again["pieces"])
    assert not torch.equal(steps[7]["wanted"], steps[8]["wanted"])
    blocks = torch.from_numpy(steps.blocks[128])
    seen = []
    for number in range(9):  # nine steps of 32 blocks are most of a turn of 300
        batch = steps[number]
        whole = torch.where(batch["wanted"] != -100, batch["wanted"], batch["pieces"])
        seen += [int((blocks == block).all(dim=1).nonzero()[0]) for block in whole]
    assert len(set(seen)) == len(seen) == 288


def test_long_blocks_come_last_and_the_step_size_rises_and_falls(steps):
    plan = steps.plan
    assert [plan.length(step) for step in (0, 179, 180, 199)] == [128, 128, 512, 512]
    assert steps[180]["pieces"].shape == (8, 512)
    factors = [plan.factor(step) for step in range(201)]
    top = factors.index(max(factors))
    assert factors[0] == pytest.approx(1 / 20)
    assert factors[top] == 1.0
    assert factors[200] == 0.0
    assert factors[:20] == sorted(factors[:20])
    assert factors[20:] == sorted(factors[20:], reverse=True)


def test_a_grown_encoder_says_at_first_what_the_small_one_said(modules):
    make, grow = modules["model"].make_model, modules["model"].grow
    small = make(layers=2, dim=32, vocabulary=160, seed=1).eval()
    whole = grow(small, layers=6, seed=2).eval()
    pieces = torch.randint(5, 160, (3, 20), generator=torch.Generator().manual_seed(0))
    states = [model.bert(pieces, output_hidden_states=True).hidden_states for model in (small, whole)]
    assert len(states[1]) == 7
    for layer, state in enumerate(states[0]):
        torch.testing.assert_close(states[1][3 * layer], state, rtol=0, atol=1e-4)
    assert torch.equal(whole.cls.predictions.bias, small.cls.predictions.bias)
    again = grow(small, layers=2, seed=2)
    assert all(torch.equal(value, small.state_dict()[name]) for name, value in again.state_dict().items())


def test_new_blocks_are_not_those_that_were_there(modules):
    model = modules["model"]
    whole = model.grow(model.make_model(layers=2, dim=32, vocabulary=160, seed=1), layers=4, seed=2)
    queries = [block.attention.self.query.weight for block in whole.bert.encoder.layer]
    assert not any(torch.equal(queries[n], queries[m]) for n in range(4) for m in range(n))


def test_positions_begin_as_waves_that_are_as_alike_as_they_are_near(modules):
    model = modules["model"].make_model(layers=1, dim=32, vocabulary=160, seed=0)
    table = model.bert.embeddings.position_embeddings.weight.detach()
    for distance in (1, 3, 20):
        likeness = (table[:-distance] * table[distance:]).sum(dim=1)
        torch.testing.assert_close(likeness, likeness[:1].expand_as(likeness), rtol=1e-3, atol=0)
    assert table.std() == pytest.approx(0.02 * (768 / 32) ** 0.5, rel=0.5)


def test_a_stage_begins_where_the_one_before_ends_and_rises_anew(modules):
    plan = modules["schedule"].Plan(2000, 12, ((3, 800, 32), (6, 500, 64)))
    assert [(stage.layers, stage.first, stage.end, stage.length) for stage in plan.stages] == [
        (3, 0, 800, 32),
        (6, 800, 1300, 64),
        (12, 1300, 2000, 128),
    ]
    assert [plan.length(step) for step in (0, 799, 800, 1299, 1300, 1799, 1800)] == [32, 32, 64, 64, 128, 128, 512]
    assert [plan.begin(step) for step in (799, 1299, 1799, 1999)] == [0, 800, 1300, 1800]
    assert plan.factor(799) == pytest.approx(1201 / 1800)
    assert plan.factor(800) == pytest.approx(1200 / 1800 / 100)
    assert plan.factor(899) == pytest.approx(1101 / 1800)
    assert modules["schedule"].Plan(2000).stages[0].layers == 12


def test_mean_losses_are_mirrored_by_step(trained, mirrored):
    (folder,) = mirrored.glob("offline-run-*")
    found, losses = history(read_log(folder)), [loss for *_, loss in rows(trained)]
    assert [row["step"] for row in found] == [20, 40, 60, 80, 100, 120]
    assert [row["loss"] for row in found] == pytest.approx([np.mean(losses[n : n + 20]) for n in range(0, 120, 20)])
    assert [row["pieces"] for row in found] == [1024 * row["step"] for row in found]


def test_it_learns_and_keeps_weights_that_plain_transformers_reads(trained):
    from transformers import AutoModelForMaskedLM, AutoTokenizer

    losses = [loss for *_, loss in rows(trained)]
    assert len(losses) == 130
    kept = sorted(path.name for path in (trained / "checkpoints").iterdir())
    assert kept == ["step-128", "step-130", "step-40", "step-64"]
    assert np.mean(losses[-8:]) < np.mean(losses[:8]) - 0.3
    files = sorted(path.name for path in (trained / "final").iterdir())
    assert [name for name in files if name.endswith((".bin", ".pt", ".ckpt"))] == []
    assert {value.dtype for value in load_file(trained / "final" / "model.safetensors").values()} == {torch.float16}
    model = AutoModelForMaskedLM.from_pretrained(trained / "final", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(trained / "final")
    assert type(model).__name__ == "BertForMaskedLM"
    assert tokenizer.tokenize("The DOG") == tokenizer.tokenize("the dog")
    encoder = probes.load_encoder(str(trained / "final"))
    assert len(encoder(["the dog sees a cat"]).hidden_states) == 3


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_it_trains_with_and_without_bfloat16(modules, corpus, tmp_path, monkeypatch, has_bfloat16):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bfloat16)
    modules["pretrain"].main(arguments(corpus, tmp_path, steps=12, grow="1:4"))
    assert len(rows(tmp_path)) == 12


def test_gradients_are_clipped(modules):
    model = modules["model"].make_model(layers=1, dim=32, vocabulary=160, seed=0)
    module = modules["model"].Pretraining(model, modules["schedule"].Plan(10))
    for value in module.parameters():
        value.grad = torch.ones_like(value)
    module.on_before_optimizer_step(torch.optim.SGD(module.parameters(), lr=1.0))
    norm = sum(value.grad.square().sum() for value in module.parameters()).sqrt()
    assert norm == pytest.approx(1.0, rel=1e-3)


@pytest.mark.slow
def test_killed_in_the_middle_it_ends_with_the_same_losses_and_weights(trained, corpus, tmp_path):
    command = [sys.executable, str(FOLDER / "pretrain.py"), *arguments(corpus, tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    child = subprocess.Popen(command, env=environment)
    end = time.monotonic() + 120
    while not (tmp_path / "loss.csv").is_file() or len(rows(tmp_path)) < 70:
        assert time.monotonic() < end
        assert child.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert (tmp_path / "state" / "stage-1.ckpt").is_file()
    subprocess.run(command, env=environment, check=True)
    assert [row[:2] for row in rows(tmp_path)] == [row[:2] for row in rows(trained)]
    assert [loss for *_, loss in rows(tmp_path)] == pytest.approx([loss for *_, loss in rows(trained)], rel=1e-3)
    ours, theirs = (load_file(place / "final" / "model.safetensors") for place in (tmp_path, trained))
    for name, value in theirs.items():
        assert torch.allclose(ours[name].float(), value.float(), atol=2e-2), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "differs in seed (0, now 1). Give the same settings to go on, or another --out."),
        ({"steps": 50}, "differs in steps (130, now 50)."),
        ({"grow": "1:30"}, "differs in growth ([[1, 40, 128]], now [[1, 30, 128]])."),
        (
            {"layers": 3, "grow": "2:40"},
            "up to --layers 3, with fewer steps in all than --steps 130 and texts of 8 to 512 pieces, but is 2:40:128.",
        ),
        ({"grow": "1:40:4"}, "and texts of 8 to 512 pieces, but is 1:40:4. Give"),
        ({"grow": "1:130"}, "and texts of 8 to 512 pieces, but is 1:130:128. Give"),
    ],
)
def test_other_settings_do_not_go_on(modules, trained, corpus, changes, message):
    with pytest.raises(ConfigError) as caught:
        modules["pretrain"].main(arguments(corpus, trained, **changes))
    assert message in str(caught.value)


@pytest.mark.parametrize("given", ["3", "3:x", "3:0", "1:2:3:4", ""])
def test_a_stage_that_is_none_is_told(modules, trained, corpus, given, capsys):
    with pytest.raises(SystemExit):
        modules["pretrain"].main(arguments(corpus, trained, grow=given))
    expected = f"argument --grow: expected BLOCKS:STEPS or BLOCKS:STEPS:LENGTH, such as 3:5500:32, not {given!r}"
    assert expected in capsys.readouterr().err


def test_no_text_a_foreign_tokenizer_and_a_state_cut_short_are_told(modules, trained, corpus, tmp_path):
    with pytest.raises(CorpusError, match=r"Text was expected in .*, but there are none\. Name another"):
        modules["pretrain"].main(arguments(tmp_path, tmp_path / "out"))
    with pytest.raises(ConfigError, match="at most 100 pieces, but has 160: it belongs to another"):
        modules["pretrain"].load_tokenizer(trained, None, 100)
    cut = tmp_path / "stage-1.ckpt"
    cut.write_bytes((trained / "state" / "stage-1.ckpt").read_bytes()[:5000])
    with pytest.raises(ConfigError, match=r"is cut short \(5000 bytes\). Remove it to begin again"):
        modules["pretrain"]._checked(cut)


def test_the_plan_says_what_decides_a_weight(trained):
    plan = json.loads((trained / "plan.json").read_text())
    assert {"steps", "seed", "layers", "dim", "vocabulary", "pieces_in_step", "text", "epoch"} <= plan.keys()
