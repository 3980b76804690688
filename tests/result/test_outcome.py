"""What every test example was taken for, kept in the smallest types."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from probes.errors import ResultError
from probes.result import Outcomes, load_outcomes, save_outcomes
from probes.result.outcome import smallest


@pytest.fixture
def outcomes() -> Outcomes:
    return Outcomes(
        label=np.array([0, 1, 2]),
        group=np.array([0, 0, 300]),
        count=np.array([-1, 0, 70_000]),
        predicted={"task": np.array([[0, 1, 1], [0, 1, 2]]), "word_type": np.zeros((2, 2, 3), dtype=np.int64)},
        control_label={"word_type": np.ones((2, 3), dtype=np.int64)},
    )


def test_outcomes_round_trip(outcomes, tmp_path):
    save_outcomes(outcomes, tmp_path / "outcomes" / "one.safetensors")
    read = load_outcomes(tmp_path / "outcomes" / "one.safetensors")
    for name in ("label", "group", "count"):
        np.testing.assert_array_equal(getattr(read, name), getattr(outcomes, name))
    assert read.predicted.keys() == outcomes.predicted.keys()
    np.testing.assert_array_equal(read.predicted["word_type"], outcomes.predicted["word_type"])
    np.testing.assert_array_equal(read.control_label["word_type"], outcomes.control_label["word_type"])
    np.testing.assert_array_equal(read.correct, [[True, True, False], [True, True, True]])


def test_outcomes_may_be_read_by_whoever_may_read_other_files(outcomes, tmp_path):
    save_outcomes(outcomes, tmp_path / "one.safetensors")
    (tmp_path / "other").touch()
    assert (tmp_path / "one.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_outcomes_of_a_task_without_controls_round_trip(outcomes, tmp_path):
    alone = Outcomes(outcomes.label, outcomes.group, outcomes.count, {"task": outcomes.predicted["task"]}, {})
    save_outcomes(alone, tmp_path / "one.safetensors")
    read = load_outcomes(tmp_path / "one.safetensors")
    assert (list(read.predicted), read.control_label) == (["task"], {})


def test_outcomes_are_kept_in_the_smallest_types(outcomes, tmp_path):
    save_outcomes(outcomes, tmp_path / "one.safetensors")
    kinds = {name: values.dtype.name for name, values in load_file(tmp_path / "one.safetensors").items()}
    assert kinds == {
        "label": "uint8",
        "group": "uint16",
        "count": "int32",
        "predicted.task": "uint8",
        "predicted.word_type": "uint8",
        "label.word_type": "uint8",
    }


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([], "uint8"),
        ([255], "uint8"),
        ([256], "uint16"),
        ([65_536], "uint32"),
        ([2**32], "int64"),
        ([-1, 127], "int8"),
        ([-1, 128], "int16"),
        ([-129], "int16"),
        ([-1, 2**15], "int32"),
        ([-1, 2**31], "int64"),
    ],
)
def test_smallest_type_holds_the_values(values, kind):
    made = smallest(np.array(values, dtype=np.int64))
    assert made.dtype.name == kind
    np.testing.assert_array_equal(made.astype(np.int64), values)


def test_write_that_fails_leaves_the_old_file(outcomes, tmp_path, monkeypatch):
    path = tmp_path / "one.safetensors"
    save_outcomes(outcomes, path)
    before = path.read_bytes()

    def fail(self: Path, target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        save_outcomes(Outcomes(outcomes.label + 1, outcomes.group, outcomes.count, outcomes.predicted, {}), path)
    assert path.read_bytes() == before


def test_missing_outcomes_are_told(tmp_path):
    with pytest.raises(ResultError) as caught:
        load_outcomes(tmp_path / "one.safetensors")
    assert str(caught.value) == (
        f"The outcomes of a run were expected at {tmp_path}/one.safetensors, but there are none. "
        f"Run its experiment with --refresh."
    )


def test_damaged_outcomes_are_told(outcomes, tmp_path):
    path = tmp_path / "one.safetensors"
    save_outcomes(outcomes, path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ResultError) as caught:
        load_outcomes(path)
    assert str(caught.value) == (
        f"{path} should hold outcomes as probes writes them, but: Error while deserializing header: "
        f"incomplete metadata, file not fully covered. Run its experiment with --refresh."
    )
