"""Tables: what people read holds the numbers of the records, what machines read holds every score."""

import csv

import pytest

from probes.report.summary import percent
from probes.report.table import format_markdown, sparkline, write_tables
from probes.result import Score


@pytest.fixture
def records(study):
    return [curve.record for curve in study.curves]


@pytest.fixture
def markdown(records) -> str:
    return format_markdown(records)


def rows_below(markdown: str, title: str) -> list[list[str]]:
    """The cells of the first table below a line that begins with `title`."""
    lines = iter(markdown.splitlines())
    next(line for line in lines if line.startswith(title))
    rows: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
        elif rows:
            break
    return [rows[0], *rows[2:]]


def test_markdown_holds_accuracy_and_interval_of_every_curve_and_layer(records, markdown):
    header, *rows = rows_below(markdown, "# layer_pos")
    assert header == ["layer", "toy-bert, pretrained", *(f"toy-bert, untrained {seed}" for seed in range(3))]
    assert [row[0] for row in rows] == list(records[0].layers)
    for layer, row in enumerate(rows):
        for record, cell in zip(records, row[1:], strict=True):
            score = record.select(variant="task", layer=layer)[0]
            assert cell == f"{score.value * 100:.1f} [{score.low * 100:.1f}, {score.high * 100:.1f}]"


def test_markdown_holds_controls_and_subsets(records, markdown):
    header, *rows = rows_below(markdown, "## Controls: toy-bert, pretrained")
    assert header == ["layer", "task", "word_type", "selectivity", "seen types", "unseen types"]
    for layer, row in enumerate(rows):
        wanted = [("task", "all"), ("word_type", "all"), ("selectivity", "all"), ("task", "seen"), ("task", "unseen")]
        values = [records[0].select(variant=variant, subset=subset, layer=layer)[0].value for variant, subset in wanted]
        assert row[1:] == [f"{value * 100:.1f}" for value in values]


def test_markdown_holds_floors_and_the_choice_of_layer(records, markdown):
    header, *rows = rows_below(markdown, "## Floors and choice of layer")
    assert header == ["curve", "floors", "best layer on dev", "not excluded on test"]
    assert len(rows) == 4
    majority = records[0].select(variant="majority")[0].value
    assert rows[0][1].startswith(f"majority {majority * 100:.1f}, word_majority ")
    assert rows[0][2] == records[0].layers[records[0].best_layer]
    assert rows[0][3] == ", ".join(records[0].layers[layer] for layer in records[0].may_be_best)


def test_markdown_of_curves_of_other_depths_leaves_cells_empty(records):
    scores = tuple(score for score in records[1].scores if score.layer is None or score.layer < 3)
    shallow = records[1].model_copy(update={"layers": records[1].layers[:3], "scores": scores, "may_be_best": (0,)})
    _, *rows = rows_below(format_markdown([records[0], shallow]), "# layer_pos")
    assert len(rows) == 13
    assert [row[2] == "" for row in rows] == [False] * 3 + [True] * 10


def test_csv_has_a_row_for_every_score(records, tmp_path):
    _, path = write_tables(records, tmp_path / "tables")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = [score for record in records for score in record.scores]
    assert len(rows) == len(scores)
    assert [row["variant"] for row in rows] == [score.variant for score in scores]
    assert float(rows[0]["value"]) == pytest.approx(scores[0].value, abs=1e-6)


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0.0, "0.0"), (1.0, "100.0"), (0.98765, "98.8")])
def test_share_is_shown_in_per_cent(value, text):
    assert percent(value) == text


def test_share_of_nothing_is_a_dash_in_the_table(records):
    nothing = Score(variant="task", layer=0, subset="unseen", value=float("nan"), n=0, groups=0)
    scores = [
        nothing if (score.variant, score.layer, score.subset) == ("task", 0, "unseen") else score
        for score in records[0].scores
    ]
    changed = records[0].model_copy(update={"scores": tuple(scores)})
    _, first, *_ = rows_below(format_markdown([changed]), "## Controls")
    assert first[-1] == "-"


def test_sparkline_is_on_the_scale_of_what_stands_beside_it():
    assert sparkline([0.5, 0.5]) == "▁▁"
    assert sparkline([0.5, 0.5], [0.0, 1.0]) == "▅▅"
    assert sparkline([0.0, 1.0], [0.5]) == "▁█"


@pytest.mark.parametrize(
    ("values", "text"), [([0.5], "▁"), ([0.5, 0.5], "▁▁"), ([0.0, 1.0], "▁█"), ([1, 0.5, 0], "█▅▁")]
)
def test_sparkline_has_a_bar_for_each_layer(values, text):
    assert sparkline(values) == text
