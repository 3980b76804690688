"""The experiment that these tests look at, run once."""

from pathlib import Path

import pytest

from tests.toy import Study, run_layer_pos


@pytest.fixture(scope="session")
def study(toy_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return run_layer_pos(toy_bert, tmp_path_factory.getbasetemp() / "layer_pos")


@pytest.fixture
def curve(study):
    return study.curves["pretrained"]


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves tables and figures out where a test looks at runs: they take most of a small run's time."""
    monkeypatch.setattr("probes.study.publish.report", lambda curves, results: [])
