"""The JSON schema that editors complete experiment files from."""

from typing import Any

from probes.config.experiment import Experiment
from probes.config.run import Run


def experiment_schema() -> dict[str, Any]:
    """JSON schema of an experiment file: `base` is a run in parts, since the grid may give the rest."""
    schema = Experiment.model_json_schema()
    run = Run.model_json_schema()
    definitions = run.pop("$defs")
    for part in (run, *definitions.values()):
        part.pop("required", None)
    schema["properties"]["base"] = {"$ref": "#/$defs/Run"}
    schema["$defs"] = {**schema.get("$defs", {}), **definitions, "Run": run}
    return schema
