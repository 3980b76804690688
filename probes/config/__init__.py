"""Settings: frozen models, one file a stage, that are the truth for YAML, `--set`, help and the JSON schema."""

from probes.config.corpus import CorpusConfig
from probes.config.encoder import EncoderConfig, TwinConfig
from probes.config.experiment import Experiment, read_experiment
from probes.config.fit import FitConfig
from probes.config.method import MethodConfig
from probes.config.run import CacheConfig, Run, logical_name, plain
from probes.config.setting import Settings, describe, parse
from probes.config.task import TaskConfig

__all__ = [
    "CacheConfig",
    "CorpusConfig",
    "EncoderConfig",
    "Experiment",
    "FitConfig",
    "MethodConfig",
    "Run",
    "Settings",
    "TaskConfig",
    "TwinConfig",
    "describe",
    "logical_name",
    "parse",
    "plain",
    "read_experiment",
]
