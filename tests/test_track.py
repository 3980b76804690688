"""W&B, offline: read back from its own files with its own reader."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import track
from probes.errors import ConfigError
from tests.report.test_listing import LAYERS, make
from tests.report.test_listing import row as find
from tests.toy import CHECKOUT

WANDB = Path(sys.executable).parent / "wandb"
FAKE_KEY = "0123456789abcdef" * 2 + "deadbeef"
HISTORY = ("_step", "_runtime", "_timestamp", "_wandb")


def read_log(folder: Path) -> list[dict]:
    """The records of a run as `wandb leet inspect --json` prints them."""
    command = [str(WANDB), "leet", "inspect", "--json", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def history(log: list[dict]) -> list[dict]:
    return [entry["history"]["item"] for entry in log if entry["type"] == "history"]


def strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from () if "digest" in name else strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)
    elif isinstance(value, str):
        yield value


@pytest.fixture(scope="session")
def folders(study) -> dict[str, Path]:
    found = (study.folder / "wandb").glob("offline-run-*")
    return {folder.name.rpartition("-")[2]: folder for folder in found}


@pytest.fixture(scope="session")
def log(study, folders) -> list[dict]:
    return read_log(folders[study.curves["pretrained"].record.run_id])


def test_every_curve_of_a_process_is_a_run_of_its_own(study, folders):
    assert folders.keys() == {curve.record.run_id for curve in study.curves}


def test_run_is_named_grouped_and_configured(study, log):
    record = study.curves["pretrained"].record
    (run,) = [entry["run"] for entry in log if entry["type"] == "run"]
    assert (run["run_id"], run["run_group"], run["project"]) == (record.run_id, "layer_pos", "probes")
    assert (run["display_name"], run["tags"]) == ("pos toy-bert", ["pos", "conllu"])
    config = run["config"]["update"]
    assert config["encoder"] == record.config["encoder"]
    assert config["fingerprints"] == record.fingerprints.model_dump()


def test_layer_is_the_step_of_every_metric(log):
    metrics = [entry["metric"] for entry in log if entry["type"] == "metric"]
    assert {metric.get("name") for metric in metrics} == {"layer", None}
    (rule,) = [metric for metric in metrics if "glob_name" in metric]
    assert (rule["glob_name"], rule["step_metric"]) == ("*", "layer")


def test_the_fit_of_each_layer_is_a_line_of_a_chart_and_no_row_of_its_own(study, folders, log):
    record = study.curves["pretrained"].record
    (path,) = (folders[record.run_id] / "files" / "media" / "table").glob("fit_table*")
    table = json.loads(path.read_text("utf-8"))
    places = [table["columns"].index(name) for name in ("step", "lineKey", "lineVal")]
    found = {tuple(row[place] for place in places) for row in table["data"]}
    assert found == {(one.epoch, f"layer {record.layers[one.layer]}", one.dev_loss) for one in record.training}
    assert len(history(log)) == 13


def test_history_has_one_row_a_layer_with_the_numbers_of_the_record(study, log):
    record, rows = study.curves["pretrained"].record, history(log)
    assert [row["layer"] for row in rows] == list(range(13))
    for layer, row in enumerate(rows):
        for name, variant in (("test/accuracy", "task"), ("word_type/accuracy", "word_type"), ("selectivity",) * 2):
            score = record.select(variant=variant, layer=layer)[0]
            shown = (row[name], row[f"{name}_low"], row[f"{name}_high"])
            assert shown == pytest.approx((score.value, score.low, score.high))
        for variant in ("majority", "word_majority"):
            assert row[f"{variant}/accuracy"] == pytest.approx(record.select(variant=variant)[0].value)
        assert row["dev/accuracy"] == record.select(variant="task", split="dev", layer=layer)[0].value
        assert row["test/macro_f1"] == record.select(variant="task", metric="macro_f1", layer=layer)[0].value


def test_all_rows_have_the_same_metrics(log):
    names = [
        {name for name in row if name not in HISTORY and not name.startswith(("scores.", "figure.", "fit"))}
        for row in history(log)
    ]
    assert all(one == names[0] for one in names)


def test_table_and_figure_lie_in_the_run(study, folders):
    record = study.curves["pretrained"].record
    files = folders[record.run_id] / "files" / "media"
    (table,) = (files / "table").glob("scores*")
    found = json.loads(table.read_text("utf-8"))
    assert found["columns"] == list(track.COLUMNS)
    assert len(found["data"]) == len(record.scores)
    assert found["data"][0] == [getattr(record.scores[0], column) for column in track.COLUMNS]
    dev = [row for row in found["data"] if row[track.COLUMNS.index("split")] == "dev"]
    assert len(dev) == 13
    (figure,) = (files / "images").iterdir()
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_same_curve_again_is_a_new_folder_with_the_same_id(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_DIR", raising=False)
    places = [Path(study.curves["pretrained"].log_wandb())]
    while len(places) < 2:
        place = Path(study.curves["pretrained"].log_wandb())
        places += [place] if place != places[0] else []  # a folder's name holds the second
    ids = {entry["run"]["run_id"] for place in places for entry in read_log(place) if entry["type"] == "run"}
    assert ids == {study.curves["pretrained"].record.run_id}
    assert {place.parent for place in places} == {tmp_path / "wandb"}
    assert len({place.name for place in places}) == 2


SECRET = """
import sys
from pathlib import Path
from probes.study.curves import read_results
curve = read_results("layer_pos", sys.argv[1])["pretrained"]
print(curve.log_wandb())
"""


@pytest.mark.slow
def test_no_file_names_a_key_the_user_or_the_machine(study, tmp_path):
    """In a process of its own, whose user, home and key are known words."""
    home, work = tmp_path / "zaphod", tmp_path / "work"
    for folder in (home, work):
        folder.mkdir()
    names = {"HOME": str(home), "USER": "zaphod", "LOGNAME": "zaphod", "USERNAME": "zaphod"}
    hidden = ("WANDB_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in hidden} | names
    environment |= {"WANDB_API_KEY": FAKE_KEY, "WANDB_MODE": "offline", "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", SECRET, str(study.results)]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    files += [path for path in study.results.rglob("*") if path.is_file()]
    files += [path for path in Path(os.environ["PROBES_HOME"]).rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if FAKE_KEY.encode() in path.read_bytes()] == []
    words = {word for text in strings(read_log(Path(done.stdout.strip()))) for word in re.split(r"[^\w.-]", text)}
    assert "toy-bert" in words
    assert not words & {"zaphod", socket.gethostname(), FAKE_KEY}
    assert not (home / ".local" / "share" / "wandb").exists(), "no copies outside the folder of the run"


@pytest.fixture
def logged_out(tmp_path, monkeypatch):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_user_who_is_not_logged_in_is_offline(logged_out):
    assert track.choose_mode() == "offline"


def test_key_in_the_environment_is_online(logged_out, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", FAKE_KEY)
    assert track.choose_mode() == "online"


@pytest.mark.parametrize(
    ("host", "mode"), [("api.wandb.ai", "online"), ("api.other.org", "offline"), ("wandb.here", "offline")]
)
def test_login_to_the_host_is_online(logged_out, host, mode):
    (logged_out / ".netrc").write_text(f"machine {host}\n login user\n password {FAKE_KEY}\n")
    (logged_out / ".netrc").chmod(0o600)
    assert track.choose_mode() == mode


def test_login_to_an_own_host_is_online(logged_out, monkeypatch):
    (logged_out / "keys").write_text(f"machine wandb.here\n login user\n password {FAKE_KEY}\n")
    (logged_out / "keys").chmod(0o600)
    monkeypatch.setenv("NETRC", str(logged_out / "keys"))
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.here:8080")
    assert track.choose_mode() == "online"


def test_damaged_login_file_is_offline(logged_out):
    (logged_out / ".netrc").write_text("machine\n")
    assert track.choose_mode() == "offline"


@pytest.mark.parametrize("mode", track.MODES)
def test_mode_of_the_environment_wins(logged_out, monkeypatch, mode):
    monkeypatch.setenv("WANDB_MODE", mode)
    monkeypatch.setenv("WANDB_API_KEY", FAKE_KEY)
    assert track.choose_mode() == mode


def test_disabled_leaves_no_folder(study, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_DIR", raising=False)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert study.curves["pretrained"].log_wandb() == ""
    assert list(tmp_path.iterdir()) == []


def test_unknown_mode_is_one_message(logged_out, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offlin")
    with pytest.raises(ConfigError) as caught:
        track.choose_mode()
    assert str(caught.value) == (
        "WANDB_MODE should be one of online, offline, disabled, but is 'offlin'. Correct it in the environment."
    )


def test_a_layer_of_an_analysis_shows_what_belongs_to_it_with_its_coordinates():
    found = [
        find("task", 0.5, layer=1, low=0.4, high=0.6, at={"rank": 2}),
        find("task", 0.7, layer=0),
        find("task", 0.9, layer=1, draw=1),
        find("chain", 0.25),
        find("task", None, layer=1, metric="uuas"),
    ]
    assert track.finding_row(make([LAYERS], found), 1) == {
        "layer": 1,
        "task/bits/rank=2": 0.5,
        "task/bits/rank=2_low": 0.4,
        "task/bits/rank=2_high": 0.6,
        "chain/bits": 0.25,
    }
