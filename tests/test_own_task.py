"""The worked example: a reader and a task of another package, found by their entry points as pip would leave them."""

import tomllib
from pathlib import Path

import pytest

import probes
from probes.task import unit_of
from tests.toy import CHECKOUT, SHORT_FIT

OWN = CHECKOUT / "experiments" / "own_task"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The metadata that pip writes for the package, and its module on the path."""
    points = tomllib.loads((OWN / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [
        line for group, part in points.items() for line in (f"[{group}]", *(f"{k} = {v}" for k, v in part.items()))
    ]
    metadata = tmp_path / "site" / "own_task-0.1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: own-task\nVersion: 0.1\n")
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(str(metadata.parent))
    monkeypatch.syspath_prepend(str(OWN))


@pytest.mark.usefixtures("installed")
def test_the_experiment_of_another_package_runs(toy_bert, tmp_path, monkeypatch):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    verses = "the big dog\nsees a small dog\nthe cat often runs\n\na cat\nthe old cat\na dog runs\n\n"
    for split, times in (("train", 8), ("dev", 3), ("test", 3)):
        (tmp_path / f"verses-{split}.txt").write_text(verses * times)
    overrides = [f"encoder.name={toy_bert}", f"corpus.path={tmp_path}/verses-*.txt", *SHORT_FIT]
    (curve,) = probes.run(OWN / "rhyme.yaml", overrides=overrides, results=tmp_path / "results")
    assert curve.record.task == "rhyme"
    assert curve.record.supports["test"] == {"none": 6, "rhyme": 6}
    # Poems are the groups, and the words of a verse make a floor.
    assert {score.groups for score in curve.record.select(variant="task")} == {6}
    assert curve.record.select(variant="bag_of_words")
    assert unit_of("rhyme") == "sentence"
