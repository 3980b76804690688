"""The command line: help, output, exit codes; a mistake is one message without a traceback."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from probes.cache import list_caches
from probes.config import Run, describe
from probes.errors import list_names
from probes.report.penalty import ASKED_FOR_MORE
from probes.report.table import sparkline
from tests.toy import CHECKOUT, KNOWN_TASKS, call_probes

LAYER_POS = CHECKOUT / "experiments" / "layer_pos.yaml"
PROBES = Path(sys.executable).parent / "probes"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fails(capsys, *arguments: str | Path) -> tuple[int, str]:
    """Exit code and the one message on stderr of a call that says nothing else."""
    code = call_probes(*arguments)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("probes: ")
    assert len(err.splitlines()) == 1
    return code, err.removeprefix("probes: ").rstrip("\n")


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ((), ["run", "encode", "report", "compare", "settings", "cache"]),
        (("run",), ["--set", "--results", "--dry-run", "--refresh", "--shard", "--json"]),
        (("encode",), ["--set"]),
        (("report",), ["--results"]),
        (("compare",), ["--results", "EXPERIMENT:NAME"]),
        (("settings",), ["--schema"]),
        (("cache",), ["ls", "verify", "rm", "export"]),
        (("cache", "ls"), ["sizes"]),
        (("cache", "rm"), ["probes cache ls", "--unused", "--days"]),
        (("cache", "verify"), ["probes cache ls"]),
        (("cache", "export"), ["--to", "--form"]),
    ],
)
def test_help_names_commands_and_options(command, named, capsys):
    assert call_probes(*command, "--help") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert [name for name in named if name not in out] == []


@pytest.mark.parametrize(
    "arguments", [("run",), ("run", "a.yaml", "--nope"), ("nope",), ("compare", "one"), ("cache", "export")]
)
def test_wrong_usage_exits_with_2_and_no_traceback(arguments, capsys):
    assert call_probes(*arguments) == 2
    err = capsys.readouterr().err
    assert "Usage: " in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_whole_experiment_says_little_and_nothing_of_its_libraries(settings, study, tmp_path):
    """A process of its own with its output in pipes: thirteen layers, a curve and a twin that have to be computed."""
    command = [PROBES, "run", LAYER_POS, *settings, "--set", "encoder.twin=null"]
    environment = {**os.environ, "PROBES_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1"}
    environment.pop("WANDB_DIR", None)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, shown = done.stderr.splitlines(), done.stdout.splitlines()
    assert [line.split(" in ")[0] for line in said] == ["toy-bert: word states of 13 layers", "toy-bert: pos fitted"]
    expected = str(study.curves["pretrained"]).splitlines()
    assert shown[: len(expected)] == expected, "the scores of another process, to the digit"
    assert shown[-1].startswith("written: results/tables/layer_pos.md, results/tables/layer_pos.csv, ")
    assert "; W&B: wandb/offline-run-" in shown[-1]
    assert shown[-1].endswith(" s")
    assert shown[0].endswith(sparkline(study.curves["pretrained"].accuracy))
    assert len(shown) - len(expected) < 4


def test_several_curves_are_a_line_each(settings, study, copy, capsys):
    assert call_probes("run", LAYER_POS, *settings) == 0
    out, err = capsys.readouterr()
    question, header, *lines, note, written = out.splitlines()
    assert note.endswith(": " + ASKED_FOR_MORE), "dev of this toy asks for more"
    assert question == study.curves["pretrained"].record.question
    assert header.split() == ["run", "task", "layers", "emb", "top", "best", "on", "dev", "control", "encoder"]
    assert [line.split()[0] for line in lines] == [curve.record.run_id[:6] for curve in study.curves]
    assert [line.rpartition("toy-bert, ")[2] for line in lines] == [
        "pretrained",
        *(f"untrained {n}" for n in range(3)),
    ]
    for line, curve in zip(lines, study.curves, strict=True):
        assert sparkline(curve.accuracy, [value for one in study.curves for value in one.accuracy]) in line
        best = curve.record.best_layer
        assert f"{curve.layers[best]}: {100 * curve.accuracy[best]:.1f} [" in line
        assert line.index("[") == lines[0].index("["), "columns stand below each other"
    assert written.partition("; ")[0] == "written: " + ", ".join(
        f"results/{part}"
        for part in ("tables/layer_pos.md", "tables/layer_pos.csv", "figures/layer_pos.pdf", "figures/layer_pos.png")
    )
    assert all(": is there already (results/runs/layer_pos/" in line for line in err.splitlines())
    assert len(out.splitlines()) + len(err.splitlines()) < 20


def test_json_prints_a_parseable_line_for_each_curve_and_nothing_else(settings, study, copy, capsys):
    assert call_probes("run", LAYER_POS, *settings, "--json") == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    for line, curve in zip(lines, study.curves, strict=True):
        assert (line["run_id"], line["layers"]) == (curve.record.run_id, list(curve.layers))
        assert (line["accuracy"], line["best_layer"]) == (curve.accuracy, curve.record.best_layer)
        assert Path(line["path"]).is_file()


def test_report_rebuilds_the_same_bytes(study, copy, capsys):
    shutil.rmtree(copy / "tables")
    shutil.rmtree(copy / "figures")
    (copy / "runs" / "README.md").touch()  # a file beside the experiments is none
    assert call_probes("report") == 0
    assert capsys.readouterr().out.splitlines() == [
        "results/tables/layer_pos.md",
        "results/tables/layer_pos.csv",
        "results/figures/layer_pos.pdf",
        "results/figures/layer_pos.png",
        "results/index.html",
    ]
    (copy / "runs" / "README.md").unlink()
    (copy / "index.html").unlink()
    assert contents(copy) == contents(study.results)


@pytest.mark.parametrize("form", ["file", "name", "short"])
def test_compare_prints_the_difference(study, copy, capsys, form):
    names = [curve.record.run_id[:6] for curve in study.curves]
    first, second, twin = {
        "file": (f"results/runs/layer_pos/toy-bert-{names[0]}.json", f"{study.runs[1]}", study.curves.curves[1]),
        "name": ("layer_pos:pretrained", "layer_pos:untrained", study.curves["untrained"]),
        "short": ("layer_pos", f"layer_pos:{names[2]}", study.curves.curves[2]),
    }[form]
    assert call_probes("compare", first, second) == 0
    assert capsys.readouterr().out == f"{study.curves['pretrained'] - twin}\n"


def test_encode_fills_the_caches_once(settings, study, capsys):
    before = list_caches()
    assert call_probes("encode", LAYER_POS, *settings) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0][-16:] for line in lines] == [curve.record.fingerprints.cache for curve in study.curves]
    assert all(line.endswith("  13 layers  0.00 GB") for line in lines)
    assert list_caches() == before


def test_settings_list_every_key_with_its_default(capsys):
    assert call_probes("settings") == 0
    out = capsys.readouterr().out
    for key, _, default in describe(Run):
        given = "needed" if key in ("task.name", "method.name") else f"default: {json.dumps(default)}"
        assert f"{key}  ({given})\n" in out


@pytest.mark.parametrize("name", ["WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_run_by_several_processes_is_refused(name, settings, monkeypatch, capsys):
    monkeypatch.setenv(name, "4")
    assert fails(capsys, "run", LAYER_POS, *settings) == (
        2,
        "`probes run` fits and writes results in one process, but was started as 4. Share the encoding with: "
        "torchrun --no-python probes encode FILE, then run this once; or share the runs with --shard.",
    )
    monkeypatch.setenv(name, "1")
    assert call_probes("run", LAYER_POS, *settings, "--dry-run") == 0


def test_schema_is_the_file_beside_the_experiments(capsys):
    assert call_probes("settings", "--schema") == 0
    assert capsys.readouterr().out == (LAYER_POS.parent / "experiment.schema.json").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ("run", "none.yaml"),
            2,
            "An experiment file was expected at none.yaml, but there is none. "
            "Give the path of a YAML file, such as experiments/quickstart.yaml.",
        ),
        (
            ("run", LAYER_POS, "--shard", "3/2"),
            2,
            "--shard expects I/N with I from 1 to N, but came '3/2'. Write for example 2/8.",
        ),
        (
            ("run", LAYER_POS, "--set", "task.name=pso"),
            2,
            f"Unknown task 'pso'. Known tasks are {list_names('pso', KNOWN_TASKS)}. "
            "Choose one of these, or offer your own as an entry point 'probes.tasks'.",
        ),
        (
            ("encode", LAYER_POS, "--set", "encoder.name=pkg:none/model"),
            2,
            "Encoder 'pkg:none/model' needs the installed package 'none', but there is none. "
            "Install it, for example with: pip install none",
        ),
        (
            ("report",),
            2,
            "Results were expected in results/runs, but there are none. Run an experiment first.",
        ),
        (
            ("report", "nothing"),
            2,
            "Curves were expected in results/runs/nothing, but there are none; results/runs holds none. "
            "Run the experiment first.",
        ),
        (
            ("compare", "none.json", "b"),
            2,
            "A result was expected at none.json, but there is none. Run its experiment first.",
        ),
    ],
)
def test_mistake_is_one_message(arguments, code, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert fails(capsys, *arguments) == (code, message)
    assert list(tmp_path.iterdir()) == []


def test_results_that_cannot_be_written_are_one_message(settings, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    arguments = ("run", LAYER_POS, *settings, "--set", "encoder.twin=null", "--results", "taken", "--json")
    assert fails(capsys, *arguments) == (1, "[Errno 20] Not a directory: 'taken/outcomes'")


def test_interrupt_exits_with_130_and_no_traceback(settings, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("probes.study.plan.plan", interrupt)
    assert call_probes("run", LAYER_POS, *settings) == 130
    assert "Traceback" not in capsys.readouterr().err
