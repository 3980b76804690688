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
