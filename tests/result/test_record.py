"""The JSON of a curve: whole or not at all, read back as it was, refused where it is another schema."""

import json
import math
from pathlib import Path

import pytest

from probes.errors import ResultError
from probes.result import Record, Score, read_record, write_record


@pytest.fixture
def record(study):
    return study.curves["pretrained"].record


def test_record_round_trips(record, tmp_path):
    write_record(record, tmp_path / "runs" / "one.json")
    assert read_record(tmp_path / "runs" / "one.json") == record


def test_record_is_written_to_the_same_bytes(record, tmp_path, study):
    write_record(record, tmp_path / "one.json")
    path = next(path for path in study.runs if record.run_id[:6] in path.name)
    assert (tmp_path / "one.json").read_bytes() == path.read_bytes()


def test_record_has_one_score_one_probe_and_one_candidate_a_line(record, tmp_path):
    write_record(record, tmp_path / "one.json")
    lines = (tmp_path / "one.json").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith('  {"variant"') for line in lines) == len(record.scores)
    assert sum(line.startswith('  {"layer"') for line in lines) == len(record.probes) + len(record.grid) + len(
        record.training
    )
    assert len(record.grid) == 13 * 3


def test_a_list_of_numbers_is_a_line(record, tmp_path):
    """So are rows of a confusion matrix, which would be most of the file otherwise."""
    write_record(record.model_copy(update={"question": "[\n1,\n2]"}), tmp_path / "one.json")
    text = (tmp_path / "one.json").read_text(encoding="utf-8")
    for counts in record.confusion.layers[3]:
        assert f"\n    [{', '.join(map(str, counts))}]" in text
    assert f'"may_be_best": [{", ".join(map(str, record.may_be_best))}]' in text
    assert json.loads(text)["question"] == "[\n1,\n2]"


def test_numbers_keep_seven_significant_digits(record, tmp_path):
    probe = record.probes[0].model_copy(update={"l2": 1e-9, "gap": 1.23456789e-8})
    changed = record.model_copy(update={"probes": (probe, *record.probes[1:])})
    write_record(changed, tmp_path / "one.json")
    read = read_record(tmp_path / "one.json").probes[0]
    assert (read.l2, read.gap) == (1e-9, 1.234568e-8)


@pytest.mark.parametrize("undefined", [math.nan, math.inf, None])
def test_share_of_nothing_is_none_before_and_after_it_is_written(record, tmp_path, undefined):
    score = Score(variant="task", value=undefined, low=undefined, n=0, groups=0)
    assert score.value is score.low is None
    write_record(record.model_copy(update={"scores": (score,)}), tmp_path / "one.json")
    assert "NaN" not in (tmp_path / "one.json").read_text("utf-8")
    assert read_record(tmp_path / "one.json").scores == (score,)


def test_text_of_any_script_is_kept(record, tmp_path):
    changed = record.model_copy(update={"question": 'Wörter, 言葉, "scores"?\n'})
    write_record(changed, tmp_path / "one.json")
    assert read_record(tmp_path / "one.json") == changed


def test_write_that_fails_leaves_the_old_file(record, tmp_path, monkeypatch):
    path = tmp_path / "one.json"
    write_record(record, path)
    before = path.read_bytes()

    def fail(self: Path, target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        write_record(record.model_copy(update={"question": "another"}), path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.glob("*.json")] == ["one.json"], "a glob of results sees whole files only"


def test_missing_result_is_told(tmp_path):
    with pytest.raises(ResultError) as caught:
        read_record(tmp_path / "one.json")
    expected = f"A result was expected at {tmp_path}/one.json, but there is none. Run its experiment first."
    assert str(caught.value) == expected
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("schema", [0, 2, None])
def test_other_schema_is_refused_by_name(record, tmp_path, schema):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(record.model_dump(mode="json", by_alias=True) | {"schema": schema}))
    with pytest.raises(ResultError) as caught:
        read_record(path)
    assert str(caught.value) == (
        f"{path} should have schema 1, but has {schema!r}: another version of probes wrote it. "
        f"Run its experiment with --refresh; results of two schemas are never mixed."
    )


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[:100], "Unterminated string starting at: line 4 column 14 (char 57)"),
        (lambda text: "[]", "'list' object has no attribute 'get'"),
        (lambda text: '{"schema": 1}', "16 validation errors for Record"),
        (lambda text: text.replace('"layers"', '"layer"', 1), "2 validation errors for Record"),
    ],
)
def test_damaged_result_is_told(record, tmp_path, damage, reason):
    path = tmp_path / "one.json"
    write_record(record.model_copy(update={"question": "Which? " * 20}), path)
    path.write_text(damage(path.read_text("utf-8")), "utf-8")
    with pytest.raises(ResultError) as caught:
        read_record(path)
    message = f"{path} should be a curve as probes writes it, but: "
    assert str(caught.value).startswith(message)
    assert str(caught.value) == f"{message}{reason}. Run its experiment with --refresh."


def test_select_means_the_whole_test_split_unless_told(record):
    scores = record.select(variant="task")
    assert [score.layer for score in scores] == list(range(len(record.layers)))
    assert {(score.split, score.subset, score.metric, score.draw) for score in scores} == {
        ("test", "all", "accuracy", None)
    }
    assert len(record.select(variant="word_type", draw=1, layer=0)) == 1


def test_unknown_field_is_refused(record):
    with pytest.raises(ValueError, match="colour"):
        Record.model_validate(record.model_dump(by_alias=True) | {"colour": "red"})
