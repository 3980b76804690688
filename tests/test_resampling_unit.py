"""Intervals by words, sentences and documents, on the curves that are there."""

import json
import shutil

import numpy as np
import pytest

from probes.errors import ResultError
from tests.conftest import CHECKOUT
from tests.scripts import scripts
from tests.toy import make_corpus, make_tiny_corpus, write_treebank


@pytest.fixture(scope="module")
def modules():
    with scripts(CHECKOUT / "experiments" / "multiverse", "resampling_unit") as loaded:
        yield loaded["resampling_unit"]


@pytest.fixture
def found(modules, study, tmp_path, capsys, monkeypatch):
    """What the script writes of the study, and says."""
    monkeypatch.chdir(study.folder / "tiny")
    shutil.copytree(study.results, tmp_path / "results")
    modules.main(["layer_pos", "--results", str(tmp_path / "results")])
    path = tmp_path / "results" / "multiverse" / "unit-layer_pos.json"
    assert path.with_suffix(".md").read_text("utf-8") == capsys.readouterr().out
    return json.loads(path.read_text("utf-8"))


def test_units_are_those_of_the_corpus(found, study):
    test = make_tiny_corpus()["test"]
    sizes = {
        "word": sum(len(one.words) for one in test),
        "sentence": len(test),
        "document": len({one.group for one in test}),
    }
    assert len(found) == len(study.curves) == 4
    for one in found:
        assert {unit["unit"]: unit["groups"] for unit in one["units"]} == sizes
        assert {unit["pairs"] for unit in one["units"]} == {13 * 12 // 2}
        assert one["layers"] == list(study.curves["pretrained"].layers)


def test_errors_are_those_of_independent_words_and_of_whole_sentences(found, study):
    curve = study.curves["pretrained"]
    correct = curve.outcomes.correct
    errors = {unit["unit"]: np.array(unit["standard_error"]) for unit in found[0]["units"]}
    share = correct.mean(axis=1)
    assert errors["word"] == pytest.approx(np.sqrt(share * (1 - share) / correct.shape[1]), rel=0.06)
    sizes = np.array([len(one.words) for one in make_tiny_corpus()["test"]])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rest = np.add.reduceat(correct, starts, axis=1) - share[:, None] * sizes
    by_sentence = np.sqrt((rest**2).sum(axis=1)) / sizes.sum()  # of a ratio of two sums, by its linear part
    assert errors["sentence"] == pytest.approx(by_sentence, rel=0.15)


def test_the_error_of_a_document_is_that_of_the_curve_s_own_interval(found, study):
    record = study.curves["pretrained"].record
    rows = sorted(record.select(variant="task"), key=lambda row: row.layer)
    (documents,) = (unit for unit in found[0]["units"] if unit["unit"] == "document")
    widths = np.array([row.high - row.low for row in rows])
    assert widths == pytest.approx(2 * 1.96 * np.array(documents["standard_error"]), rel=0.2, abs=0.01)


def test_layers_that_are_alike_are_not_told_apart_and_others_are(modules):
    correct = np.zeros((3, 400), dtype=bool)
    correct[:2, :200] = True  # the first two are right of the same words
    outcomes = type("Outcomes", (), {"correct": correct})()
    record = study_record()
    curve = type("Curve", (), {"outcomes": outcomes, "record": record})()
    units = modules.by_unit(curve, {unit: np.arange(400) for unit in modules.UNITS})["units"]
    assert [unit["told_apart"] for unit in units] == [2, 2, 2]


def study_record():
    config = {"seed": 0, "encoder": {"name": "a", "twin": None}, "task": {"name": "pos"}}
    return type("Record", (), {"config": config, "layers": ("emb", "1", "2")})()


def test_a_corpus_that_is_another_is_refused(modules, study, tmp_path, monkeypatch):
    monkeypatch.chdir(write_treebank(make_corpus(size=12), tmp_path / "other"))
    with pytest.raises(ResultError) as told:
        modules.group_examples(study.curves["pretrained"])
    assert str(told.value) == (
        "A task of single words on the corpus of its curves was expected, but the test examples of layer_pos (pos) are "
        "others. Name an experiment on words, and set PROBES_DATA."
    )
