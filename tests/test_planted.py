"""The planted experiments are files that can be run."""

import pytest

from probes.config import read_experiment
from tests.conftest import CHECKOUT

FILES = sorted((CHECKOUT / "experiments" / "planted").glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_valid_and_names_its_schema(path):
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=../experiment.schema.json\n")
    assert read_experiment(path).question.endswith("?")
