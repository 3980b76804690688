"""What is done is not done again; whatever could change a number makes it be done again."""

import shutil
from pathlib import Path

import pytest

from probes.cache import list_caches
from probes.encoder.frozen import FrozenEncoder
from probes.study import execute as execute_module
from probes.study.face import run
from probes.study.predict import probes_folder
from tests.toy import CHECKOUT, make_tiny_corpus, write_treebank

LAYER_POS = CHECKOUT / "experiments" / "layer_pos.yaml"


pytestmark = pytest.mark.usefixtures("no_report")


@pytest.fixture
def copy(study, tmp_path, monkeypatch):
    """The results of the study, to be changed; W&B below the test's own folder."""
    shutil.copytree(study.results, tmp_path / "results", copy_function=shutil.copy2)
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    return tmp_path / "results"


@pytest.fixture
def forwards(monkeypatch):
    """Counts the batches that go through any encoder."""
    counted = []
    forward = FrozenEncoder.forward
    monkeypatch.setattr(FrozenEncoder, "forward", lambda self, batch: counted.append(1) or forward(self, batch))
    return counted


def stamps(results: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of every file of the runs themselves."""
    files = [*(results / "runs").rglob("*.json"), *(results / "outcomes").iterdir()]
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def scores_of(curves) -> list:
    return [(curve.record.scores, curve.record.probes, curve.record.confusion) for curve in curves]


def test_second_run_computes_nothing(study, copy, forwards):
    before = stamps(copy)
    said = []
    curves = run(LAYER_POS, overrides=study.overrides, results=copy, notify=said.append)
    assert forwards == []
    assert stamps(copy) == before
    assert [curve.is_new for curve in curves] == [False] * 4
    assert scores_of(curves) == scores_of(study.curves)
    assert said[
        0
    ] == f"toy-bert: is there already ({copy}/runs/layer_pos/{curves.curves[0].record.run_id[:6]})".replace(
        curves.curves[0].record.run_id[:6], study.runs[0].name
    )
    assert not (copy.parent / "wandb").exists(), "what is not new is not mirrored again"


def test_run_with_only_other_housekeeping_computes_nothing(study, copy):
    overrides = (*study.overrides, "encoder.device=cpu", "encoder.twin=null")
    (curve,) = run(LAYER_POS, overrides=overrides, results=copy)
    assert not curve.is_new


def test_a_share_of_train_is_all_that_a_curve_knows(study, copy, forwards):
    overrides = (*study.overrides, "encoder.twin=null", "task.train_share=0.5")
    (half,) = run(LAYER_POS, overrides=overrides, results=copy)
    assert forwards == [], "the cache of the whole is there"
    known, whole = half.outcomes.count, study.curves["pretrained"].outcomes.count
    assert len(known) == len(whole)
    assert (known <= whole).all()
    assert known.sum() == pytest.approx(whole.sum() / 2, rel=0.2)
    assert half.record.config["task"]["train_share"] == 0.5


def test_refresh_gives_the_same_scores(study, copy, forwards):
    before = stamps(copy)
    overrides = (*study.overrides, "encoder.twin=null")
    (curve,) = run(LAYER_POS, overrides=overrides, results=copy, refresh=True)
    assert curve.is_new
    assert forwards == [], "the cache of the states is still there"
    assert scores_of([curve]) == scores_of([study.curves["pretrained"]])
    changed = {name for name, stamp in stamps(copy).items() if stamp != before[name]}
    run_id = curve.record.run_id
    assert changed == {f"toy-bert-{run_id[:6]}.json", f"{run_id}.safetensors"}


def test_cache_that_was_removed_is_made_again_with_the_same_scores(study, copy, monkeypatch, tmp_path, forwards):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "home"))
    (curve,) = run(LAYER_POS, overrides=(*study.overrides, "encoder.twin=null"), results=copy, refresh=True)
    assert forwards
    assert scores_of([curve]) == scores_of([study.curves["pretrained"]])


def test_changed_corpus_is_run_again(toy_bert, study, copy, tmp_path):
    treebank = write_treebank(make_tiny_corpus(), tmp_path / "tiny")
    overrides = (*study.overrides, f"corpus.path={treebank}/*.conllu", "encoder.twin=null")
    (curve,) = run(LAYER_POS, overrides=overrides, results=copy)
    assert not curve.is_new, "the same content at another place is the same corpus"
    path = treebank / "tiny-ud-train.conllu"
    path.write_text(path.read_text("utf-8").replace("\tdog\t", "\tcat\t", 1), "utf-8")
    (again,) = run(LAYER_POS, overrides=overrides, results=copy)
    assert again.is_new
    assert again.record.run_id == curve.record.run_id
    assert again.record.fingerprints.corpus != curve.record.fingerprints.corpus
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 1


def test_other_version_of_the_package_is_run_again(study, copy, monkeypatch):
    monkeypatch.setattr(execute_module, "PACKAGE_VERSION", "0.0.0")
    (curve,) = run(LAYER_POS, overrides=(*study.overrides, "encoder.twin=null"), results=copy)
    assert curve.is_new


@pytest.mark.parametrize("damage", ["record", "outcomes"])
def test_damaged_or_missing_file_is_run_again(study, copy, damage):
    run_id = study.curves["pretrained"].record.run_id
    if damage == "record":
        (copy / "runs" / "layer_pos" / f"toy-bert-{run_id[:6]}.json").write_text("{")
    else:
        (copy / "outcomes" / f"{run_id}.safetensors").unlink()
    (curve,) = run(LAYER_POS, overrides=(*study.overrides, "encoder.twin=null"), results=copy)
    assert curve.is_new
    assert scores_of([curve]) == scores_of([study.curves["pretrained"]])


def test_twins_are_runs_beside_the_pretrained_encoder(study):
    records = [curve.record for curve in study.curves]
    assert [record.config["encoder"]["twin"] for record in records] == [
        None,
        *({"kind": "untrained", "seed": seed} for seed in range(3)),
    ]
    assert len({record.fingerprints.encoder for record in records}) == 4
    assert len({record.fingerprints.cache for record in records}) == 4
    assert len({record.fingerprints.corpus for record in records}) == 1


def test_keep_pretrained_removes_the_caches_of_twins_only(study, tmp_path, monkeypatch):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_MODE", "disabled")
    keep = (*study.overrides, "cache.keep=pretrained", "encoder.twin=null")
    run(LAYER_POS, overrides=keep, results=tmp_path / "results")
    (kept,) = list_caches()
    twin = (*study.overrides, "cache.keep=pretrained", "encoder.twin={kind: untrained, seed: 0}")
    (curve,) = run(LAYER_POS, overrides=twin, results=tmp_path / "results")
    assert list_caches() == [kept]
    assert curve.predict(["the dog"], layer=0), "the probes are kept"
    (again,) = run(LAYER_POS, overrides=twin, results=tmp_path / "results")
    assert not again.is_new


def test_permuting_test_labels_changes_no_chosen_value(study, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    corpus = make_tiny_corpus()
    folder = write_treebank(corpus, tmp_path / "tiny")
    path = folder / "tiny-ud-test.conllu"
    swapped = {"\tNOUN\t": "\tVERB\t", "\tVERB\t": "\tDET\t", "\tDET\t": "\tNOUN\t"}
    lines = []
    for line in path.read_text("utf-8").splitlines():
        mark = next((mark for mark in swapped if mark in line), "")
        lines.append(line.replace(mark, swapped[mark]) if mark else line)
    path.write_text("\n".join([*lines, ""]) + "\n", "utf-8")
    overrides = (*study.overrides, f"corpus.path={folder}/*.conllu", "encoder.twin=null")
    (curve,) = run(LAYER_POS, overrides=overrides, results=tmp_path / "results")
    one, other = study.curves["pretrained"].record, curve.record
    assert one.select(variant="task") != other.select(variant="task")
    assert one.best_layer == other.best_layer
    assert [row for row in one.probes if row.variant == "task"] == [
        row for row in other.probes if row.variant == "task"
    ], "penalty, epochs, accuracy on dev and gap were chosen without test"


def test_fitted_probes_are_kept_by_run_id(study):
    for curve in study.curves:
        names = sorted(path.name for path in probes_folder(curve.record.run_id).iterdir())
        assert names == ["encoder.json", "probes.json", "probes.safetensors"]


def test_no_file_of_a_run_is_a_pickle(study):
    kinds = {path.suffix for path in study.results.rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors", ".md", ".csv", ".pdf", ".png"}
