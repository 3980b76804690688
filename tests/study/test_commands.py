"""Dry runs and shards on the command line."""

import os
from pathlib import Path

from probes.cache import list_caches
from tests.toy import CHECKOUT, call_probes

LAYER_POS = CHECKOUT / "experiments" / "layer_pos.yaml"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_dry_run_prints_runs_and_disk_and_writes_nothing(settings, study, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = list_caches()
    assert call_probes("run", LAYER_POS, *settings, "--dry-run") == 0
    out, err = capsys.readouterr()
    *runs, disk = out.splitlines()
    assert [line.split()[:4] for line in runs] == [
        [curve.record.run_id[:6], "to", "do", "pos"] for curve in study.curves
    ]
    assert disk == f"caches: 4, about 0.00 GB in {os.environ['PROBES_HOME']}/caches"
    assert err == ""
    assert list(tmp_path.iterdir()) == []
    assert list_caches() == before


def test_dry_run_tells_what_is_there(settings, study, copy, capsys):
    (copy / "runs" / "layer_pos" / study.runs[0].name).unlink()
    assert call_probes("run", LAYER_POS, *settings, "--dry-run") == 0
    states = [line.split("  ")[1] for line in capsys.readouterr().out.splitlines()[:-1]]
    assert states == ["to do", "is there", "is there", "is there"]


def test_shards_together_write_what_one_call_writes(settings, study, copy, capsys, monkeypatch):
    for path in [*(copy / "tables").iterdir(), *(copy / "figures").iterdir()]:
        path.unlink()
    for shard in ("1/2", "2/2"):
        assert call_probes("run", LAYER_POS, *settings, "--shard", shard) == 0
    assert contents(copy) == contents(study.results)


def test_shard_without_a_run_is_no_failure(settings, copy, capsys):
    assert call_probes("run", LAYER_POS, *settings, "--shard", "5/6") == 0
    assert capsys.readouterr() == ("", "layer_pos: no run falls to shard 5/6\n")
