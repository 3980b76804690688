"""Runs that share a cache are fitted in one stack, and give what they give alone."""

import numpy as np
import pytest
import yaml

import probes
from probes.cache import list_caches
from probes.config import read_experiment
from probes.errors import ConfigError, FitError, TaskError
from probes.fit.question import Question
from probes.study import execute as execute_module
from probes.study.assemble import MOST_EPOCHS, _training_rows
from probes.study.face import run
from probes.study.plan import plan, share_caches
from tests.toy import make_tiny_corpus, write_treebank

pytestmark = pytest.mark.usefixtures("no_report")


@pytest.fixture
def experiment(toy_bert, tmp_path, monkeypatch):
    """Two kinds of probe on two encoders: four runs, two caches; the kind of probe is the outer axis."""
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    treebank = write_treebank(make_tiny_corpus(), tmp_path / "tiny")
    settings = {
        "question": "Which probe?",
        "base": {
            "encoder": {"name": str(toy_bert), "num_layers": 2},
            "corpus": {"reader": "conllu", "path": f"{treebank}/*.conllu"},
            "task": {"name": "pos", "controls": ["word_type"], "draws": 2},
            "fit": {"l2": [1e-3], "min_steps": 8, "epochs": 1, "hidden": [4], "precision": "float64"},
        },
        "grid": {"fit.probe": ["linear", "mlp"], "encoder.twin": [None, {"kind": "untrained", "seed": 0}]},
    }
    path = tmp_path / "kinds.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def fits(monkeypatch):
    """How many questions each fit was asked."""
    fit, asked = execute_module.fit_questions, []

    def count(cache, questions, *, seed):
        asked.append(len(questions))
        return fit(cache, questions, seed=seed)

    monkeypatch.setattr(execute_module, "fit_questions", count)
    return asked


def test_runs_are_grouped_by_their_cache(experiment, tmp_path):
    steps = plan(read_experiment(experiment), tmp_path)
    assert share_caches(steps) == [[0, 2], [1, 3]]
    assert share_caches(steps[1:]) == [[0, 2], [1]]


def test_runs_of_one_cache_are_one_fit_and_equal_those_fitted_alone(experiment, fits, tmp_path):
    together = run(experiment, results=tmp_path / "together")
    assert fits == [2, 2]
    for number, kind in enumerate(("linear", "mlp")):
        alone = run(experiment, overrides=[f"fit.probe={kind}"], results=tmp_path / "alone")
        for twin in (0, 1):
            one, other = together.curves[2 * number + twin].record, alone.curves[twin].record
            assert one.run_id == other.run_id
            assert (one.scores, one.confusion, one.grid) == (other.scores, other.confusion, other.grid)
    assert fits == [2, 2, 1, 1, 1, 1]


def test_what_is_there_is_not_fitted_again_beside_what_is_missing(experiment, fits, tmp_path):
    run(experiment, overrides=["fit.probe=mlp"], results=tmp_path)
    curves = run(experiment, results=tmp_path)
    assert [curve.is_new for curve in curves] == [True, True, False, False]
    assert fits == [1, 1, 1, 1]


def test_a_run_that_cannot_be_asked_leaves_those_before_it(experiment, tmp_path, monkeypatch):
    def ask(task, controls, config):
        if config.probe == "mlp":
            raise FitError("this cannot be asked")
        return Question(task, controls, config)

    monkeypatch.setattr(execute_module, "Question", ask)
    with pytest.raises(FitError, match="this cannot be asked"):
        run(experiment, results=tmp_path)
    assert len(list((tmp_path / "runs" / "kinds").iterdir())) == 1


def test_a_list_of_tasks_gives_a_curve_each(toy_bert):
    cache = probes.encode(str(toy_bert), make_tiny_corpus(), num_layers=2)
    settings = {"l2": 1e-3, "epochs": 1, "min_steps": 8, "precision": "float64"}
    both = probes.probe(cache, ["pos", "pos"], **settings)
    alone = probes.probe(cache, "pos", **settings)
    assert [curve.record.scores for curve in both] == [alone.record.scores] * 2
    with pytest.raises(TaskError) as caught:
        probes.probe(cache, [])
    assert str(caught.value) == "At least one task was expected, but came an empty list. Name one, such as 'pos'."


def test_the_grid_and_its_choice_stand_in_the_record(toy_bert):
    cache = probes.encode(str(toy_bert), make_tiny_corpus(), num_layers=2)
    curve = probes.probe(cache, "pos", l2=[1e-4, 1.0], step_size=[0.05, 0.01], epochs=1, min_steps=8)
    grid = curve.record.grid
    assert [(row.layer, row.l2, row.step_size) for row in grid[:4]] == [
        (0, 1e-4, 0.05),
        (0, 1e-4, 0.01),
        (0, 1.0, 0.05),
        (0, 1.0, 0.01),
    ]
    for row in curve.record.probes:
        (chosen,) = [one for one in grid if one.layer == row.layer and one.chosen]
        assert (row.l2, row.step_size, row.dev_accuracy) == (chosen.l2, chosen.step_size, chosen.dev_accuracy)
        assert chosen.dev_accuracy == max(one.dev_accuracy for one in grid if one.layer == row.layer)


def test_the_exact_solver_is_a_setting(toy_bert):
    cache = probes.encode(str(toy_bert), make_tiny_corpus(), num_layers=2)
    curve = probes.probe(cache, "pos", controls=["word_type"], draws=2, solver="exact", l2=[1e-3, 1e-2])
    assert {(row.gap_kind, row.step_size, row.converged) for row in curve.record.probes} == {("exact", None, True)}
    assert len(curve.record.probes) == 3 * 3


def test_a_probe_that_nobody_knows_is_told_before_anything_is_encoded(experiment, tmp_path, monkeypatch):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "home"))
    with pytest.raises(ConfigError) as caught:
        run(experiment, overrides=["fit.probe=mpl"], results=tmp_path)
    assert str(caught.value).startswith("Unknown probe 'mpl'. Known probes are 'mlp', 'linear'")
    assert list_caches() == []


def test_what_the_exact_solver_cannot_fit_is_one_message(experiment, tmp_path):
    with pytest.raises(ConfigError) as caught:
        run(experiment, overrides=["fit.probe=mlp", "fit.solver=exact"], results=tmp_path)
    assert str(caught.value) == (
        "kinds: fit: solver 'exact' expects a linear probe of full rank on standardised features without dropout, but "
        "came probe 'mlp', rank None, features 'white', input_dropout 0. Use solver 'stack' for these."
    )


def test_the_fit_stands_in_the_record_epoch_by_epoch(curve):
    record = curve.record
    for row in (row for row in record.probes if row.variant == "task"):
        rows = [one for one in record.training if one.layer == row.layer]
        assert [one.epoch for one in rows] == list(range(1, len(rows) + 1))
        assert rows[row.epochs - 1].dev_accuracy == pytest.approx(row.dev_accuracy)
        assert max(one.dev_accuracy for one in rows) == rows[row.epochs - 1].dev_accuracy
    assert {one.layer for one in record.training} == set(range(13))


def test_a_long_fit_is_thinned_and_an_ended_probe_has_no_more_epochs():
    dev_curve = np.full((100, 2, 2), np.nan)
    dev_curve[:, 0] = np.arange(100)[:, None]
    dev_curve[:3, 1] = [[0.5, np.inf], [0.6, 2.0], [0.7, 1.0]]
    rows = list(_training_rows(dev_curve))
    first = [row.epoch for row in rows if row.layer == 0]
    assert len(first) == MOST_EPOCHS
    assert (first[0], first[-1]) == (1, 100)
    assert [(row.epoch, row.dev_loss) for row in rows if row.layer == 1] == [(1, None), (2, 2.0), (3, 1.0)]
