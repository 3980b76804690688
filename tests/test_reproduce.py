"""The one command that does everything: what it plans, what it keeps, what it does when something fails."""

import json
import sys

import pytest
import torch

from probes.errors import ConfigError
from tests.conftest import CHECKOUT
from tests.scripts import scripts

FOLDER = CHECKOUT / "experiments"


@pytest.fixture(scope="module")
def reproduce():
    with scripts(FOLDER, "reproduce") as loaded:
        yield loaded["reproduce"]


def python(reproduce, name, code):
    return reproduce.Job(name, (sys.executable, "-c", code))


def test_every_experiment_is_planned_once_and_with_the_encoder_that_was_asked_for(reproduce, tmp_path):
    jobs = list(reproduce.plan("bert-large-uncased", tmp_path))
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names)
    files = [path for path in FOLDER.rglob("*.yaml") if path.parent.name not in ("own_task", "frozen")]
    assert sorted(job.name for job in jobs if job.takes_dry_run) == sorted(path.stem for path in files)
    asked = {job.name for job in jobs if "encoder.name=bert-large-uncased" in job.command}
    free = {path.stem for path in files if path.parent.name != "planted"} - reproduce.OWN_ENCODER
    assert asked == free
    assert names[-8:] == [
        "layer_norms.py",
        "planted/score.py",
        "multiverse/claims.py",
        "multiverse/resampling_unit.py",
        "reproduction/exact.py",
        "reproduction/compare.py",
        "report",
        "reproduction/verdict.py",
    ]
    assert all(str(tmp_path) in job.command for job in jobs)


def test_what_fails_is_told_and_the_others_go_on(reproduce, tmp_path, monkeypatch, capsys):
    jobs = [
        python(reproduce, "first", "print('hello')"),
        python(reproduce, "likelihood", "import sys; sys.exit('probes: no head is there')"),
        python(reproduce, "broken", "import sys; print('a\\nno disk is left\\n', file=sys.stderr); sys.exit(3)"),
        python(reproduce, "legacy_hewitt2019", "raise MemoryError"),
        python(reproduce, "last", "pass"),
    ]
    monkeypatch.setattr(reproduce, "plan", lambda encoder, results: iter(jobs))
    assert reproduce.main(["--encoder", "pkg:a/b", "--results", str(tmp_path)]) == 1
    body = json.loads((tmp_path / "reproduction" / "times-b.json").read_text())
    found = {name: (row["state"], row.get("reason")) for name, row in body["experiments"].items()}
    assert found == {
        "first": ("done", None),
        "likelihood": ("left out", "probes: no head is there"),
        "broken": ("failed", "no disk is left"),
        "legacy_hewitt2019": ("failed", "MemoryError"),
        "last": ("done", None),
    }
    assert "| broken | failed | 0.0 | no disk is left |" in capsys.readouterr().out
    seconds = body["experiments"]["first"]["seconds"]
    assert reproduce.main(["--encoder", "pkg:a/b", "--results", str(tmp_path), "--only", "first", "likelihood"]) == 0
    body = json.loads((tmp_path / "reproduction" / "times-b.json").read_text())
    assert body["experiments"]["first"]["seconds"] > seconds, "times of all calls are summed"
    assert body["experiments"]["broken"]["state"] == "failed", "what was not asked for stays"


def test_it_ends_with_the_verdicts(reproduce, tmp_path, monkeypatch, capfd):
    jobs = [python(reproduce, "first", "pass"), python(reproduce, reproduce.VERDICTS, "print('the verdicts')")]
    monkeypatch.setattr(reproduce, "plan", lambda encoder, results: iter(jobs))
    assert reproduce.main(["--results", str(tmp_path)]) == 0
    first, *_, last = [line for line in capfd.readouterr().out.splitlines() if line.startswith(("|", "the"))]
    assert first == "| experiment | state | minutes | reason |"
    assert last == "the verdicts"


@pytest.mark.parametrize(("name", "state"), [("multiverse_words_bfloat16", "left out"), ("multiverse_words", "done")])
def test_an_encoder_in_bfloat16_is_left_out_where_it_is_emulated(reproduce, monkeypatch, name, state):
    monkeypatch.setattr(reproduce, "arithmetic", lambda config: torch.float32)
    assert reproduce.carry_out(python(reproduce, name, "pass"))[0] == state
    monkeypatch.setattr(reproduce, "arithmetic", lambda config: torch.bfloat16)
    assert reproduce.carry_out(python(reproduce, name, "pass")) == ("done", "")


def test_what_was_interrupted_has_its_time(reproduce, tmp_path, monkeypatch):
    def interrupt(job):
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce, "carry_out", interrupt)
    with pytest.raises(KeyboardInterrupt):
        reproduce.main(["--results", str(tmp_path), "--only", "mix"])
    body = json.loads((tmp_path / "reproduction" / "times-bert-base-uncased.json").read_text())
    assert body["experiments"]["mix"]["reason"] == "interrupted"


def test_a_name_that_is_none_is_told(reproduce, tmp_path):
    with pytest.raises(ConfigError, match=r"--only expects names of experiments, but came 'miks'\. There are 'mix'"):
        reproduce.main(["--only", "miks", "--results", str(tmp_path)])


def test_a_dry_run_prints_commands_and_does_nothing(reproduce, tmp_path, monkeypatch, capfd):
    said = python(reproduce, "one", "import sys; print('would do', sys.argv[1:])")
    jobs = [reproduce.Job(said.name, said.command, takes_dry_run=True), python(reproduce, "script", "print('did')")]
    monkeypatch.setattr(reproduce, "plan", lambda encoder, results: iter(jobs))
    assert reproduce.main(["--dry-run", "--results", str(tmp_path)]) == 0
    out = capfd.readouterr().out
    assert "would do ['--dry-run']" in out
    assert "\ndid" not in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.corpus
def test_one_experiment_by_its_own_command(reproduce, toy_bert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["--encoder", str(toy_bert), "--results", str(tmp_path / "r"), "--only", "geometry"]
    assert reproduce.main([*arguments, "--dry-run"]) == 0
    assert not (tmp_path / "r").exists()
