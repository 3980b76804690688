"""A method from its YAML to its files, and back."""

import json
from pathlib import Path

import pytest
import yaml

import probes
from probes.config import read_experiment
from probes.errors import ConfigError, ResultError
from probes.result import Analysis, Finding, Panel, read_analysis, write_analysis
from probes.study.analyses import holds_analyses
from probes.study.plan import plan
from tests.toy import SHORT_FIT, call_probes, make_tiny_corpus, write_treebank

EXPERIMENT = {
    "question": "How many bits does each layer give?",
    "base": {
        "encoder": {"num_layers": 2},
        "task": {"name": "pos", "controls": ["word_type"], "draws": 2},
        "method": {"name": "information", "options": {"conditional": False}},
    },
    "grid": {"encoder.twin": [None, {"kind": "untrained", "seed": 0}]},
}


@pytest.fixture
def file(toy_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_DIR", raising=False)
    folder = write_treebank(make_tiny_corpus(), tmp_path / "treebank")
    base = {**EXPERIMENT["base"], "corpus": {"reader": "conllu", "path": f"{folder}/*.conllu"}}
    base["encoder"] = {**base["encoder"], "name": str(toy_bert)}
    (tmp_path / "bits.yaml").write_text(yaml.safe_dump({**EXPERIMENT, "base": base}))
    return tmp_path / "bits.yaml"


def run(file: Path, *more: str) -> int:
    settings = [part for one in SHORT_FIT if one.startswith("fit.") for part in ("--set", one)]
    return call_probes("run", file, *settings, *more)


def test_method_runs_from_yaml_to_every_file_and_not_twice(file, capsys, tmp_path):
    assert run(file) == 0
    first = capsys.readouterr()
    files = sorted(path.name for path in (tmp_path / "results").rglob("*") if path.is_file())
    assert files[:4] == ["bits.csv", "bits.md", "bits.pdf", "bits.png"]
    assert len(files) == 6
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 2
    assert "information of pos" in first.out
    assert "V-information, bits an example" in first.out
    found = probes.read_analyses("bits")
    assert [one.config["encoder"]["twin"] is None for one in found] == [True, False]
    before = {path: path.read_bytes() for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert run(file) == 0
    assert "is there already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 2


def test_record_of_an_analysis_says_where_it_comes_from(file):
    assert run(file) == 0
    (one, twin) = probes.read_analyses("bits")
    assert (one.method, one.task, one.layers) == ("information", "pos", ("emb", "1", "2"))
    assert one.question == EXPERIMENT["question"]
    assert set(one.wall_seconds) == {"read", "encode", "method"}
    assert len(one.fingerprints.encoder) == 64
    assert one.fingerprints.encoder != twin.fingerprints.encoder
    assert len(one.fingerprints.cache) == 16
    assert one.config["method"] == {"name": "information", "options": {"conditional": False}}
    values = one.select(variant="task", metric="v_information_bits")
    assert [row.layer for row in values] == [0, 1, 2]
    assert one.select(variant="word_type", metric="v_information_bits", draw=1, layer=2)


def test_tables_and_figures_rebuild_to_the_same_bytes(file, tmp_path):
    assert run(file) == 0
    shown = [path for path in (tmp_path / "results").rglob("*") if path.is_file() and path.suffix != ".json"]
    before = {path: path.read_bytes() for path in shown}
    for path in shown:
        path.unlink()
    assert call_probes("report", "bits.yaml") == 0
    assert {path: path.read_bytes() for path in shown} == before


def test_python_finds_what_the_command_finds(file, toy_bert, tmp_path):
    assert run(file) == 0
    (one, _) = probes.read_analyses("bits")
    experiment = read_experiment(file, [o for o in SHORT_FIT if o.startswith("fit.")])
    first = experiment.expand()[0]
    cache = probes.encode(first.encoder, probes.read_corpus(first.corpus))
    fit = first.fit.model_dump(exclude_defaults=True)
    (found,) = probes.analyse(cache, "information", "pos", controls=["word_type"], draws=2, fit=fit, conditional=False)
    assert [row.value for row in found.findings] == pytest.approx([row.value for row in one.findings], rel=1e-5)


def test_json_line_for_each_analysis(file, capsys):
    assert run(file, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [set(line) for line in lines] == [{"path", "run_id", "method", "wall_seconds"}] * 2
    assert all(Path(line["path"]).is_file() for line in lines)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ["method.name=informatio"],
            "probes: Unknown method 'informatio'. Known methods are 'information', ",
        ),
        (
            ["method.options.conditionel=1"],
            "probes: method 'information': Unknown key 'conditionel'. Known keys at the top are 'conditional'. "
            "Rename or remove it.\n",
        ),
        (
            ["method.options.conditional=some"],
            "probes: method 'information': Key 'conditional' should be a valid boolean, unable to interpret input, but "
            "is 'some'. Change it.\n",
        ),
        (["method.nam=x"], "probes: --set method.nam: unknown key 'method.nam'. Known keys are 'method.name', "),
    ],
)
def test_mistake_is_told_before_anything_is_encoded(file, settings, message, capsys, tmp_path):
    assert run(file, *(part for one in settings for part in ("--set", one))) == 2
    assert capsys.readouterr().err.startswith(message)
    assert not (tmp_path / "results").exists()


def test_curves_and_analyses_do_not_share_an_experiment(file):
    experiment = read_experiment(file)
    mixed = experiment.model_copy(update={"grid": {"method": [None, {"name": "information"}]}})
    with pytest.raises(ConfigError) as error:
        plan(mixed)
    assert str(error.value) == (
        "bits: the runs of an experiment should all be curves or all be analyses, but only some have a method. "
        "Write two files."
    )


def test_settings_of_a_method_are_listed(capsys):
    assert call_probes("settings", "--method", "online") == 0
    out = capsys.readouterr().out
    assert "method.options.orders  (default: 3)" in out


FINDING = Finding(variant="task", metric="bits", layer=0, value=float("nan"), at={"rank": 2}, n=1, groups=1)


def make_analysis(**fields) -> Analysis:
    given = {
        "experiment": "e", "question": "q", "run_id": "abc", "package": "1", "method": "m", "layers": ("emb", "1"),
        "config": {"encoder": {"name": "x"}, "task": {"name": "t"}, "corpus": {"path": None, "reader": "r"}},
        "environment": {}, "post_norm_last": True, "wall_seconds": {}, "panels": (Panel(metric="bits", title="b"),),
        "fingerprints": {"encoder": "1", "corpus": "2", "cache": ""},
        "findings": (FINDING,),
    }  # fmt: skip
    return Analysis.model_validate(given | fields)


def test_analysis_is_read_as_it_was_written(tmp_path):
    analysis = make_analysis()
    write_analysis(analysis, tmp_path / "a.json")
    assert read_analysis(tmp_path / "a.json") == analysis
    assert analysis.findings[0].value is None
    assert analysis.select(at={"rank": 2}) == list(analysis.findings)
    assert analysis.select(at={"rank": 3}) == []


def test_damaged_analysis_is_refused_by_name(tmp_path):
    path = tmp_path / "a.json"
    write_analysis(make_analysis(), path)
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 9'))
    with pytest.raises(ResultError, match="should have schema 1, but has 9: another version of probes wrote it"):
        read_analysis(path)
    path.write_text("{")
    with pytest.raises(ResultError, match="should be an analysis as probes writes it, but: "):
        read_analysis(path)
    assert not holds_analyses("nothing", tmp_path)


def test_what_was_found_before_a_run_that_fails_is_published(file, capsys, tmp_path):
    """The second run asks for a control that the corpus cannot have."""
    body = yaml.safe_load(file.read_text())
    body["grid"] = {"task.controls": [["word_type"], ["root_lemma"]]}
    file.write_text(yaml.safe_dump(body))
    assert run(file) == 2
    assert "Control 'root_lemma' is one for sentences with a tree" in capsys.readouterr().err
    assert len(probes.read_analyses("bits")) == 1
    assert (tmp_path / "results" / "tables" / "bits.md").is_file()
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 1


def test_shards_leave_a_report_of_all_that_is_done(file, tmp_path):
    tables = tmp_path / "results" / "tables" / "bits.md"
    assert run(file, "--shard", "1/2") == 0
    assert "untrained 0" not in tables.read_text()
    assert run(file, "--shard", "2/2") == 0
    assert "untrained 0" in tables.read_text()


def test_cache_of_a_twin_is_dropped_on_request_and_shared_before(file, tmp_path, monkeypatch):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "home"))
    body = yaml.safe_load(file.read_text())
    body["base"]["cache"] = {"keep": "pretrained"}
    body["grid"]["method"] = [{"name": "information", "options": {"conditional": False}}, {"name": "geometry"}]
    file.write_text(yaml.safe_dump(body))
    assert run(file) == 0
    assert [path.name.rpartition("-")[0] for path in (tmp_path / "home" / "caches").glob("*-*")] == ["toy-bert"]
    assert len(probes.read_analyses("bits")) == 4
