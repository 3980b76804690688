"""A sweep of W&B over an experiment: its points are what the command line takes, up to the network."""

import itertools
import re
from pathlib import Path
from string import Template

import pytest
import yaml

from probes import track
from tests.test_track import read_log
from tests.toy import CHECKOUT, call_probes

TEXT = (CHECKOUT / "experiments" / "sweep.md").read_text(encoding="utf-8")
SWEEP, GRID = (yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))
LAYER_POS = str(CHECKOUT / "experiments" / "layer_pos.yaml")
SMALL = ("corpus.options={size: 40}",)


def points():
    axes = {name: one["values"] for name, one in SWEEP["parameters"].items()}
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def arguments(point):
    """The command of a point as the agent builds it."""
    words = []
    for word in SWEEP["command"]:
        is_macro = Template(word).get_identifiers() == ["args_no_hyphens"]
        words += [f"{key}={value}" for key, value in point.items()] if is_macro else [word]
    return words


@pytest.mark.parametrize("point", points(), ids=str)
def test_every_point_is_one_run_of_the_command(point, toy_bert, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    monkeypatch.chdir(tmp_path)
    program, *words = arguments(point)
    assert program == "probes"
    words = [str(CHECKOUT / word) if word.endswith(".yaml") else word for word in words]
    words = [f"encoder.name={toy_bert}" if word.startswith("encoder.name=") else word for word in words]
    assert call_probes(*words, "corpus.reader=grammar", "corpus.path=null", *SMALL, "--dry-run") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "to do" in line]
    assert line.endswith(".json")


def test_the_grid_of_the_page_is_as_many_runs_as_the_sweep_has_points():
    assert GRID["grid"] == {name: one["values"] for name, one in SWEEP["parameters"].items()}
    assert f"--shard 3/{len(points())}" in TEXT


def test_settings_without_a_flag_count_as_those_with_one(settings, study, copy, capsys):
    words = [word for word in settings if word != "--set"]
    assert call_probes("run", LAYER_POS, *words, "encoder.twin=null", "--json") == 0
    assert study.curves["pretrained"].record.run_id in capsys.readouterr().out


def test_a_sweep_has_one_curve_a_run(settings, copy, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    assert call_probes("run", LAYER_POS, *settings) == 2
    assert capsys.readouterr().err == (
        "probes: In a sweep of W&B a run is one curve, but layer_pos has 4 runs. Give each axis of its grid one value, "
        "such as encoder.twin=null.\n"
    )


def test_settings_alone_are_no_experiment(capsys):
    assert call_probes("run", "seed=3") == 2
    assert capsys.readouterr().err == (
        "probes: An experiment file was expected, but came only seed=3. "
        "Name one, such as experiments/quickstart.yaml.\n"
    )


def test_the_agent_finds_its_run_and_what_it_maximises(curve, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_RUN_ID", "givenid1")
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
    folder = track.log_curve(curve.record)
    assert Path(folder).name.endswith("-givenid1")
    updates = [entry["summary"]["update"] for entry in read_log(Path(folder)) if entry["type"] == "summary"]
    summary = {key: value for update in updates for key, value in update.items()}
    dev = [score.value for score in curve.record.select(variant="task", split="dev")]
    assert summary[SWEEP["metric"]["name"]] == pytest.approx(max(dev))


def test_without_a_sweep_the_run_has_the_id_of_the_curve(curve, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_RUN_ID", "givenid1")
    assert track.log_curve(curve.record).endswith(curve.record.run_id)
