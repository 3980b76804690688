"""The schema that editors complete from, and the experiment files of this checkout."""

import json
from pathlib import Path

import pytest

from probes.config import Run, describe, read_experiment
from probes.config.schema import experiment_schema

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


def test_schema_beside_the_experiments_is_that_of_the_settings():
    text = (EXPERIMENTS / "experiment.schema.json").read_text(encoding="utf-8")
    assert text == json.dumps(experiment_schema(), indent=1) + "\n", "write it: probes settings --schema"


def test_schema_holds_every_key_with_its_help():
    definitions = experiment_schema()["$defs"]
    known = {name: part for definition in definitions.values() for name, part in definition["properties"].items()}
    for key, text, _ in describe(Run):
        assert text
        assert known[key.split(".")[-1]]["description"]


def test_schema_allows_a_base_in_parts():
    assert not any("required" in part for part in experiment_schema()["$defs"].values())


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_experiment_file_is_valid_and_names_its_schema(path):
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=experiment.schema.json\n")
    experiment = read_experiment(path)
    assert experiment.question.endswith("?")
    ids = [run.run_id for run in experiment.expand()]
    assert len(set(ids)) == len(ids)
