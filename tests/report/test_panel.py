"""An experiment of several questions: a panel and a section for each, a summary above."""

from pathlib import Path

import pytest

from probes.report.figure import draw_curves
from probes.report.summary import SUMMARY, summary_row
from probes.report.table import format_markdown
from probes.result.frame import panels


def ask_otherwise(record, task):
    config = {**record.config, "task": {**record.config["task"], "name": task}}
    return record.model_copy(update={"config": config})


@pytest.fixture
def records(study):
    every = [curve.record for curve in study.curves]
    return [*every[:2], *(ask_otherwise(one, "xpos") for one in every[:2])]


def test_curves_of_one_task_are_one_panel(records):
    assert {name: len(part) for name, part in panels(records).items()} == {"pos": 2, "xpos": 2}


def test_poolings_of_one_task_are_panels_of_their_own(records):
    pooled = [
        one.model_copy(update={"config": {**one.config, "encoder": {**one.config["encoder"], "sentence": how}}})
        for one, how in zip(records[:2], ("cls", "mean"), strict=True)
    ]
    assert list(panels(pooled)) == ["pos, cls", "pos, mean"]
    assert list(panels([*pooled, records[2]])) == ["pos, cls", "pos, mean", "xpos"]


def test_markdown_has_a_row_and_a_section_for_each_question(records):
    lines = format_markdown(records).splitlines()
    assert [line for line in lines if line.startswith("## ")] == ["## pos", "## xpos"]
    start = next(number for number, line in enumerate(lines) if line.startswith("| question"))
    header, row = ([cell.strip() for cell in lines[n].strip("|").split("|")] for n in (start, start + 2))
    cells = dict(zip(header, row, strict=True))
    main, twin = records[:2]
    best = main.select(variant="task", layer=main.best_layer)[0]
    assert cells["question"] == "pos"
    assert cells["labels"] == "6"
    assert cells["test"] == str(best.n)
    assert cells["best on dev"].startswith(f"{main.layers[main.best_layer]}: {100 * best.value:.1f} [")
    floors = {row.variant: row.value for row in main.select(layer=None) if row.variant in ("majority", "word_majority")}
    assert cells["highest floor"] == f"word_majority {100 * floors['word_majority']:.1f}"
    assert floors["word_majority"] > floors["majority"]
    at_best = twin.select(variant="task", layer=main.best_layer)[0].value
    assert cells["untrained"] == f"{100 * at_best:.1f}"
    assert cells["official"] == "-"
    assert cells["detectable"] == f"{100 * best.detectable:.1f}"


def test_twins_of_several_kinds_are_named(study):
    main, *twins = (curve.record for curve in study.curves)
    encoder = twins[1].config["encoder"]
    kept = {**twins[1].config, "encoder": {**encoder, "twin": {**encoder["twin"], "kind": "kept_norms"}}}
    column = SUMMARY.index("untrained")
    at_best = [100 * twin.select(variant="task", layer=main.best_layer)[0].value for twin in twins]
    one, other, last = (f"{value:.1f}" for value in at_best)
    assert summary_row("pos", [main, *twins])[column] == f"{one}, {other}, {last}"
    mixed = [main, twins[0], twins[1].model_copy(update={"config": kept}), twins[2]]
    assert summary_row("pos", mixed)[column] == f"untrained {one}, {last}; kept norms {other}"


def test_one_question_has_no_summary(records):
    assert "| question" not in format_markdown(records[:2])


def test_the_figure_has_a_panel_for_each_question(records, tmp_path: Path, monkeypatch):
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: drawn.append(self))
    draw_curves(records, tmp_path / "two.pdf")
    draw_curves(records[:2], tmp_path / "one.pdf")
    titles = [[axes.get_title(loc="left") for axes in figure.axes] for figure in drawn]
    assert titles == [["pos", "xpos"], ["pos: toy-bert"]]
    named = [[label.get_text() for label in figure.axes[0].get_xticklabels()] for figure in drawn]
    assert named[1] == ["emb", *map(str, range(1, 13))]
    assert named[0] == [name if place % 2 == 0 else "" for place, name in enumerate(named[1])]


def test_an_official_score_has_a_table_of_its_own_and_stands_in_the_summary(records):
    main = records[0]
    scored = [
        row.model_copy(update={"metric": "chunk_f1", "value": row.value / 2, "low": 0.1, "high": 0.9})
        for row in main.select(variant="task")
    ]
    official = main.model_copy(update={"scores": (*main.scores, *scored)})
    lines = format_markdown([official, records[1]]).splitlines()
    start = lines.index("## Official score: chunk_f1")
    cells = [cell.strip() for cell in lines[start + 4].strip("|").split("|")]
    assert cells == ["emb", f"{100 * scored[0].value:.1f} [10.0, 90.0]", ""]
    summary = next(line for line in format_markdown([official, *records[1:]]).splitlines() if line.startswith("| pos "))
    assert f"chunk_f1 {100 * scored[main.best_layer].value:.1f}" in summary


def test_what_is_left_out_and_capacity_are_shown(records):
    main = records[0].model_copy(update={"left_out": {"train": 17, "dev": 0, "test": 2}})
    capacity = main.select(variant="task", layer=main.best_layer)[0].model_copy(
        update={"variant": "permuted", "draw": 0, "split": "train", "value": 0.25}
    )
    main = main.model_copy(update={"scores": (*main.scores, capacity)})
    text = format_markdown([main, *records[1:]])
    assert "Left out: 17 of train, 0 of dev, 2 of test." in text.splitlines()
    assert "permuted, on train 25.0" in next(line for line in text.splitlines() if line.startswith("| pos "))


def test_another_trained_encoder_is_not_called_untrained(records):
    main, twin = records[:2]
    other = main.model_copy(update={"run_id": "other"})
    rows = format_markdown([main, other, twin, records[2]]).splitlines()
    header = [cell.strip() for cell in next(row for row in rows if row.startswith("| question")).strip("|").split("|")]
    cells = [cell.strip() for cell in next(row for row in rows if row.startswith("| pos ")).strip("|").split("|")]
    value = twin.select(variant="task", layer=main.best_layer)[0].value
    assert dict(zip(header, cells, strict=True))["untrained"] == f"{100 * value:.1f}"
