"""A curve as users hold it."""

import re
from dataclasses import replace

import pytest

from probes.errors import ResultError
from probes.report.penalty import penalty_note
from probes.report.table import sparkline
from probes.study.curve import Curve
from probes.study.curves import Curves, read_curve, read_results


def test_print_shows_layers_intervals_controls_and_floors(curve):
    title, header, *rows, floors, note = str(curve).splitlines()
    record = curve.record
    assert note == penalty_note(record), "dev of this toy asks for more"
    assert title == f"pos, toy-bert, pretrained, run {record.run_id[:6]}  {sparkline(curve.accuracy)}"
    assert header.split() == ["layer", "accuracy", "95", "%", "interval", "word_type", "selectivity", "dev", "gap"]
    assert [row.split()[0] for row in rows] == ["emb", *map(str, range(1, 13))]
    first = record.select(variant="task", layer=0)[0]
    shown = f"{first.value * 100:.1f}  [{first.low * 100:.1f}, {first.high * 100:.1f}]"
    assert shown in re.sub(" +", "  ", rows[0]).replace(",  ", ", ")
    values = {score.variant: f"{score.value * 100:.1f}" for score in record.select(layer=None)}
    assert floors == "floors: " + ", ".join(f"{name} {value}" for name, value in values.items())
    assert list(values) == ["majority", "word_majority", "word_type_majority", "word_type_ceiling"]


def test_accuracy_is_that_of_the_task_on_test(curve):
    correct = curve.outcomes.correct.mean(axis=1)
    assert curve.accuracy == pytest.approx(correct, abs=1e-6)  # seven digits are kept
    assert curve.layers == ("emb", *map(str, range(1, 13)))


def test_best_layer_is_the_one_dev_chose(curve):
    dev = [score.value for score in curve.record.select(variant="task", split="dev")]
    best = curve.best_layer()
    assert dev[best.layer] == max(dev)
    assert best.name == curve.layers[best.layer]
    assert best.cannot_be_told_from == tuple(curve.layers[layer] for layer in curve.record.may_be_best)


def with_scores(curve, values, detectable, may_be_best) -> Curve:
    tasks = [
        score.model_copy(update={"value": value, "detectable": detectable})
        for score, value in zip(curve.record.select(variant="task"), values, strict=True)
    ]
    record = curve.record.model_copy(update={"scores": tuple(tasks), "may_be_best": may_be_best, "best_layer": 2})
    return replace(curve, record=record)


def test_best_layer_is_named_where_differences_can_be_detected(curve):
    values = [0.5, 0.6, 0.9, *[0.5] * 10]
    found = with_scores(curve, values, 0.1, (2,)).best_layer()
    assert found.is_named
    assert str(found) == "layer 2, chosen on dev; not excluded on test: 2"


@pytest.mark.parametrize(("detectable", "may_be_best"), [(0.5, (1, 2)), (0.1, tuple(range(13)))])
def test_best_layer_is_not_named_where_they_cannot(curve, detectable, may_be_best):
    values = [0.5, 0.6, 0.9, *[0.5] * 10]
    found = with_scores(curve, values, detectable, may_be_best).best_layer()
    assert not found.is_named
    names = ", ".join(curve.layers[layer] for layer in may_be_best)
    expected = f"no best layer: the differences are smaller than can be detected (not excluded: {names})"
    assert str(found) == expected


@pytest.mark.parametrize(("name", "magic"), [("a.pdf", b"%PDF"), ("a.png", b"\x89PNG"), ("sub/a.svg", b"<?xml")])
def test_plot_writes_the_format_of_its_ending(curve, tmp_path, name, magic):
    assert curve.plot(tmp_path / name) == tmp_path / name
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_frame_has_every_score(curve):
    assert len(curve.to_frame()) == len(curve.record.scores)


def test_prediction_without_probes_is_told(curve):
    with pytest.raises(ResultError) as caught:
        replace(curve, predictor=None).predict(["a"], layer=0)
    assert str(caught.value) == (
        f"Prediction needs the fitted probes of run {curve.record.run_id!r}, but this curve has none at hand. "
        f"Read it with probes.read_results, or run its experiment again."
    )


def test_results_read_back_are_the_curves_that_were_run(study):
    read = read_results("layer_pos", study.results)
    assert len(read) == 4
    assert [curve.record for curve in read] == [curve.record for curve in study.curves]
    assert str(read["pretrained"]) == str(study.curves["pretrained"])
    assert read["untrained"].curves == study.curves["untrained"].curves


def test_curve_is_found_by_the_digits_of_its_run_id(study):
    run_id = study.curves.curves[2].record.run_id
    assert study.curves[run_id[:6]].record.run_id == run_id
    assert read_curve(next(path for path in study.runs if run_id[:6] in path.name)).record.run_id == run_id


def test_unknown_curve_names_those_that_are_there(study):
    with pytest.raises(ResultError) as caught:
        study.curves["untraind"]
    message = str(caught.value)
    assert message.startswith("No curve is called 'untraind'; there are 'untrained', 'pretrained', '")
    assert message.endswith("'. Ask for one of these.")
    assert all(repr(curve.record.run_id[:6]) in message for curve in study.curves)


@pytest.mark.parametrize("results", ["results", "nowhere"])
def test_unknown_experiment_names_those_that_are_there(study, results):
    folder = study.folder / results / "runs"
    with pytest.raises(ResultError) as caught:
        read_results("layer_pso", study.folder / results)
    known = "'layer_pos'" if results == "results" else "none"
    assert str(caught.value) == (
        f"Curves were expected in {folder}/layer_pso, but there are none; {folder} holds {known}. "
        f"Run the experiment first."
    )


def test_curves_of_different_settings_are_never_one_name(study):
    first, *others = study.curves
    other = replace(first, record=first.record.model_copy(update={"config": {**first.record.config, "seed": 7}}))
    with pytest.raises(ResultError) as caught:
        Curves((first, other, *others))["pretrained"]
    run_id = first.record.run_id[:6]
    assert str(caught.value) == (
        f"'pretrained' should name one curve or twins that differ in their seed, but the runs {run_id}, {run_id} "
        f"differ in other settings. Ask by run id, or remove the files of old trials."
    )


def test_a_curve_shows_itself_in_a_notebook_by_its_figure_and_a_short_name(curve):
    encoder = curve.record.config["encoder"]["name"]
    assert repr(curve) == f"<Curve pos, {encoder}, pretrained, 13 layers, run {curve.record.run_id[:6]}>"
    assert curve._repr_png_().startswith(b"\x89PNG")
    shown = curve.show("the dog")
    assert repr(shown) == f"<Shown pos, {encoder}, pretrained: 2 words, 13 layers>"
    assert shown._repr_html_().startswith("<table")
