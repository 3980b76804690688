"""The page is one file that asks for nothing else, and the same bytes for the same results."""

import re

import pytest

from probes.errors import ResultError
from probes.report.page import write_page
from probes.study.difference import compare
from probes.study.site import write_site
from tests.toy import call_probes


@pytest.fixture
def page(study, tmp_path):
    records = [curve.record for curve in study.curves]
    return write_page(records, [], [], tmp_path / "new" / "index.html").read_text(encoding="utf-8")


def test_nothing_is_asked_from_anywhere(page):
    markup = re.sub(r"<script.*?</script>", "<script></script>", page, flags=re.DOTALL)
    assert re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)", markup) == []
    assert set(re.findall(r'href="(.)', markup)) == {"#"}
    assert "@import" not in page
    assert "url(" not in page.split("</style>")[0]


def test_every_part_stands_in_its_place(page):
    assert re.findall(r"\{\{\w+\}\}", page) == []
    assert page.count("<script") == page.count("</script>") == 3
    assert page.startswith("<!doctype html>")


def test_a_library_that_names_the_end_of_a_script_does_not_end_it(study, tmp_path, monkeypatch):
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda snippet: 'x = "</script>";')
    records = [curve.record for curve in study.curves]
    text = write_page(records, [], [], tmp_path / "index.html").read_text(encoding="utf-8")
    assert text.count("</script>") == 3
    assert 'x = "<\\/script>";' in text


def test_same_results_same_bytes(study, page, tmp_path):
    records = [curve.record for curve in study.curves]
    again = write_page(records, [], [], tmp_path / "again.html")
    assert again.read_text(encoding="utf-8") == page


def test_site_compares_every_pair_whose_outcomes_are_there(copy, study, monkeypatch):
    kept = []
    monkeypatch.setattr("probes.study.site.write_page", lambda *given: kept.append(given) or given[-1])
    write_site(copy)
    records, analyses, differences, path = kept.pop()
    assert [record.run_id for record in records] == [curve.record.run_id for curve in study.curves]
    assert (analyses, path) == ([], copy / "index.html")
    assert len(differences) == 4 * 3 // 2
    first, second = study.curves.curves[:2]
    expected = compare(first, second)
    assert (differences[0].first, differences[0].second) == (first.record.run_id, second.record.run_id)
    assert (differences[0].value, differences[0].p) == (expected.value, expected.p_adjusted)
    (copy / "outcomes" / f"{first.record.run_id}.safetensors").unlink()
    write_site(copy)
    assert len(kept.pop()[2]) == 3 * 2 // 2


def test_report_writes_the_page_and_says_where(copy, capsys):
    assert call_probes("report") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "results/index.html"
    assert (copy / "index.html").stat().st_size > 500_000


def test_results_of_another_schema_are_no_page(copy):
    (path, *_) = sorted((copy / "runs" / "layer_pos").glob("*.json"))
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 0'))
    with pytest.raises(ResultError, match="should have schema 1"):
        write_site(copy)
