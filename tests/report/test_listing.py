"""Tables and figures of analyses, from findings that are given."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from probes.report.listing import format_analysis, format_listing, write_listing
from probes.report.panel import draw_analyses
from probes.report.series import lines_of, notes_of, place_name, places_of
from probes.result import Analysis, Finding, Panel


def row(variant: str, value: float | None, **fields) -> Finding:
    return Finding(variant=variant, value=value, n=10, groups=5, **{"metric": "bits", **fields})


def make(panels, findings, *, encoder="x", twin=None, task="pos", notes=None) -> Analysis:
    config = {"encoder": {"name": encoder, "twin": twin}, "task": {"name": task}}
    config |= {"corpus": {"path": "p", "reader": "r"}}
    given = {"experiment": "e", "question": "Why?", "run_id": f"{task}{bool(twin)}", "package": "1", "method": "m"}
    given |= {"config": config, "environment": {}, "layers": ("emb", "1"), "post_norm_last": True, "wall_seconds": {}}
    given |= {"fingerprints": {"encoder": "1", "corpus": "2", "cache": ""}, "notes": notes or {}}
    return Analysis(panels=tuple(panels), findings=tuple(findings), **given)


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """Matplotlib's objects of what is drawn."""
    kept, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *given, **more: kept.append(self) or save(self, *given, **more))
    return kept


LAYERS = Panel(metric="bits", title="bits of it", is_share=True)
FOUND = [
    row("task", 0.5, layer=0, low=0.4, high=0.6),
    row("task", 0.75, layer=1),
    row("control", 0.2, layer=1),
    row("control", 0.9, layer=1, draw=3),
    row("chain", 0.25),
    row("task", 9.0, layer=0, metric="other"),
]
TWIN = {"kind": "untrained", "seed": 0}


def test_lines_are_variants_over_layers_and_a_floor_has_no_place():
    task, control, chain = lines_of(LAYERS, [make([LAYERS], FOUND)])
    assert [(place, one.value) for place, one in task.points] == [(0, 0.5), (1, 0.75)]
    assert [(place, one.value) for place, one in control.points] == [(1, 0.2)]
    assert (task.is_floor, chain.is_floor, chain.name) == (False, True, "chain")


def test_axis_and_lines_may_be_coordinates():
    panel = Panel(metric="bits", title="t", x="rank", lines="layer", where={"subset": "all", "kind": "a"})
    found = [row("task", rank / 10, layer=layer, at={"rank": rank, "kind": "a"}) for layer in (1, 0) for rank in (8, 2)]
    found += [row("task", 7.0, layer=0, at={"rank": 4, "kind": "b"})]
    lines = lines_of(panel, [make([panel], found)])
    assert [line.name for line in lines] == ["layer 1", "layer emb"]
    assert places_of(panel, lines) == [2, 8]
    assert [place_name(panel, place) for place in (2, 0.5)] == ["2", "0.5"]


def test_terminal_shows_the_first_panel():
    lines = [line.split() for line in format_analysis(make([LAYERS], FOUND)).splitlines()]
    assert lines == [
        ["m", "of", "pos,", "x,", "pretrained:", "bits", "of", "it"],
        ["layer", "task", "control"],
        ["emb", "50.0", "[40.0,", "60.0]"],
        ["1", "75.0", "20.0"],
        ["floors:", "chain", "25.0"],
    ]


def test_markdown_has_a_column_for_each_line_of_each_encoder():
    analyses = [make([LAYERS], FOUND, notes={"left out": 3}), make([LAYERS], FOUND[:2], twin=TWIN)]
    lines = format_listing(analyses).splitlines()
    assert "### bits of it" in lines
    assert "| layer | task, pretrained | control, pretrained | task, untrained 0 |" in lines
    assert "| emb | 50.0 [40.0, 60.0] |  | 50.0 [40.0, 60.0] |" in lines
    assert "Floors: chain 25.0." in lines
    assert "pretrained: left out: 3." in lines


@pytest.mark.parametrize(
    ("of_twin", "text"),
    [(0.25, "Floors: chain 25.0."), (0.125, "Floors: chain 25.0 (pretrained), chain 12.5 (untrained 0).")],
)
def test_a_floor_is_said_once_where_every_encoder_has_it(of_twin, text):
    analyses = [make([LAYERS], FOUND), make([LAYERS], [*FOUND[:2], row("chain", of_twin)], twin=TWIN)]
    assert text in format_listing(analyses).splitlines()


@pytest.mark.parametrize(("number", "are_apart"), [(6, False), (7, True)])
def test_encoders_with_many_lines_have_a_table_each(number, are_apart):
    panel = Panel(metric="bits", title="t", lines="kind")
    found = {twin: [row("task", one / 8, layer=0, at={"kind": one + twin}) for one in range(number)] for twin in (0, 1)}
    lines = format_listing([make([panel], found[0]), make([panel], found[1], twin=TWIN)]).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| emb")]
    values = [f"{one / 8:.4g}" for one in range(number)]
    assert rows == ([["emb", *values]] * 2 if are_apart else [["emb", *values, *values]])
    assert ("Pretrained:" in lines, "Untrained 0:" in lines) == (are_apart, are_apart)
    if are_apart:
        header = lines[lines.index("Untrained 0:") + 2]
        assert header == f"| layer | {' | '.join(f'kind {one + 1}' for one in range(number))} |"


def test_several_tasks_have_a_section_each():
    text = format_listing([make([LAYERS], FOUND), make([LAYERS], FOUND, task="xpos")])
    assert text.index("## pos") < text.index("## xpos")


def test_csv_has_every_finding_with_its_coordinates(tmp_path):
    found = [*FOUND, row("task", None, layer=1, at={"rank": 2, "kind": "a"})]
    _, csv = write_listing([make([LAYERS], found)], tmp_path)
    lines = csv.read_text().splitlines()
    assert len(lines) == 1 + len(found)
    assert lines[-1].endswith("rank=2;kind=a")


@pytest.mark.parametrize("x", ["layer", "rank", "relation"])
def test_figures_of_the_same_findings_are_the_same_bytes(x, tmp_path):
    panel = Panel(metric="bits", title="a title that is so long that it has to be broken into two lines", x=x)
    at = [{"rank": 10**n, "relation": f"relation {n}"} for n in range(3)]
    found = [row("task", 0.1 * n, layer=n % 2, at=one, low=0.0, high=0.5) for n, one in enumerate(at)]
    found.append(row("task", None, layer=1, at=at[0]))
    analyses = [make([panel], [*found, row("chain", 0.3)]), make([panel], found, twin=TWIN)]
    one, other = (draw_analyses(analyses, tmp_path / name).read_bytes() for name in ("one.pdf", "other.pdf"))
    assert one == other
    assert len(one) > 5000
    changed = [analyses[0], make([panel], [*found[:-1], row("task", 0.4, layer=1, at=at[0])], twin=TWIN)]
    assert draw_analyses(changed, tmp_path / "changed.pdf").read_bytes() != one


def test_a_long_note_is_left_to_the_json():
    notes = {"left out": 3, "settings": [{"l2": 1e-5}] * 100, "rank": {"0": 8}}
    assert notes_of([make([LAYERS], FOUND, notes=notes), make([LAYERS], FOUND)]) == [
        "pretrained: left out: 3; rank: {'0': 8}."
    ]


@pytest.mark.parametrize(("ranks", "are_names"), [([2, 8], False), ([2, "full"], False), (["a", "b"], True)])
def test_names_stand_below_each_other_and_numbers_beside(ranks, are_names, tmp_path, figures):
    panel = Panel(metric="bits", title="t", x="rank")
    found = [row("task", number / 10, layer=0, at={"rank": rank}) for number, rank in enumerate(ranks)]
    draw_analyses([make([panel], found)], tmp_path / "x.pdf")
    assert bool(figures[0].axes[0].yaxis_inverted()) is are_names


@pytest.mark.parametrize(("lines", "number", "dark_first"), [("kind", 7, False), ("kind", 8, True), ("layer", 5, True)])
def test_each_name_has_a_colour_of_its_own_and_layers_go_from_dark_to_light(
    lines, number, dark_first, tmp_path, figures
):
    panel = Panel(metric="bits", title="t", x="rank", lines=lines)
    found = [
        row("task", one / 10, layer=one, at={"rank": rank, "kind": f"k{one}"}, low=one / 10 - 0.2, high=one / 10 + 0.2)
        for one in range(number)
        for rank in (1, 2)
    ]
    analysis = make([panel], [*found, row("chain", 0.3)]).model_copy(update={"layers": tuple("01234567")})
    path = draw_analyses([analysis], tmp_path / "x.png")
    colors = [to_rgb(line.get_color()) for line in figures[0].axes[0].get_lines() if len(line.get_xdata()) == 2][
        :number
    ]
    assert len(set(colors)) == number
    light = [sum(color) for color in colors]
    assert (light == sorted(light)) is dark_first
    with Image.open(path) as image:
        there = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
    for color in colors:
        assert np.abs(there - np.rint(255 * np.array(color))).max(axis=1).min() <= 2


@pytest.mark.parametrize("number", [4, 5])
def test_a_legend_that_would_hide_the_lines_stands_below_the_panel(number, tmp_path, figures):
    panel = Panel(metric="bits", title="t", lines="kind")
    found = [
        row("task", (one + layer) / 10, layer=layer, at={"kind": f"k{one}"})
        for one in range(number)
        for layer in (0, 1)
    ]
    draw_analyses([make([panel], found)], tmp_path / "x.png")
    (axes,) = figures[0].axes
    legend = axes.get_legend()
    assert legend is not None
    is_below = legend.get_window_extent().y1 < axes.get_window_extent().y0
    assert bool(is_below) is (number > 4)


def test_a_panel_in_which_nothing_has_a_value_says_so(tmp_path, figures):
    empty = Panel(metric="reached", title="t")
    found = [*FOUND, *(row("task", None, layer=layer, metric="reached") for layer in (0, 1))]
    draw_analyses([make([LAYERS, empty], found)], tmp_path / "x.png")
    assert [[text.get_text() for text in axes.texts] for axes in figures[0].axes] == [[], ["no value"]]


def test_two_encoders_are_listed_apart_each_with_its_twin():
    found = {"x": 0.5, "y": 0.25}
    several = [make([LAYERS], [row("task", found[name], layer=0)], encoder=name) for name in found]
    several += [make([LAYERS], [row("task", 0.125, layer=0)], encoder=name, twin=TWIN) for name in found]
    lines = format_listing(several).splitlines()
    for name, shown in (("x", "50.0"), ("y", "25.0")):
        start = lines.index(f"## pos, {name}")
        assert lines[start + 1] == f"Encoder: {name}."
        assert lines[start + 5 : start + 8] == [
            "| layer | task, pretrained | task, untrained 0 |",
            "| --- | --- | --- |",
            f"| emb | {shown} | 12.5 |",
        ]


def test_many_names_have_a_line_each(tmp_path, figures):
    panel = Panel(metric="bits", title="t", x="relation")
    found = [row("task", one / 50, at={"relation": f"relation {one}"}) for one in range(45)]
    draw_analyses([make([panel, LAYERS], [*found, *FOUND])], tmp_path / "x.png")
    (figure,) = figures
    labels = figure.axes[0].get_yticklabels()
    assert len(labels) == 45
    points = 72 * figure.axes[0].get_window_extent().height / figure.dpi
    assert points / 45 > 1.2 * labels[0].get_fontsize()
