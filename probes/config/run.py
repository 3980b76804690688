"""One curve: an encoder, a corpus, a task and a fit, with the id that is theirs."""

import json
from hashlib import sha256
from pathlib import PurePath
from typing import Any, Literal

from pydantic import Field, model_validator

from probes.config.corpus import CorpusConfig
from probes.config.encoder import EncoderConfig
from probes.config.fit import FitConfig
from probes.config.method import MethodConfig
from probes.config.setting import Settings
from probes.config.task import TaskConfig


class CacheConfig(Settings):
    """What stays on disk after a run."""

    keep: Literal["all", "pretrained"] = "all"
    """`pretrained`: caches of untrained twins are removed when their curve is written."""


class Run(Settings):
    """The settings of one curve. Layers, control draws, floors and penalties are inside it."""

    encoder: EncoderConfig = Field(default_factory=EncoderConfig)
    corpus: CorpusConfig
    task: TaskConfig
    fit: FitConfig = Field(default_factory=FitConfig)
    method: MethodConfig | None = None
    """An analysis in place of a curve; none for a curve."""
    cache: CacheConfig = Field(default_factory=CacheConfig)
    seed: int = Field(default=0, ge=0)
    """Root of all random streams: control draws, order of batches, bootstrap."""

    @model_validator(mode="after")
    def _check_share(self) -> "Run":
        if self.method is not None and self.task.train_share < 1:
            raise ValueError(
                f"task.train_share is of curves, but came {self.task.train_share:g} with method {self.method.name!r}. "
                f"Leave it out; the axis 'examples' of method 'sweep' is such a share"
            )
        return self

    @property
    def run_id(self) -> str:
        """Hash of every setting that can change a number, 16 hexadecimal digits.

        Defaults are left out, so a new setting changes no old id; folders count by their last name, so
        another machine gives the same id.
        """
        settings = self.model_dump(mode="json", exclude_defaults=True, exclude={"cache": True})
        settings.setdefault("encoder", {}).pop("device", None)
        settings["encoder"]["name"] = logical_name(self.encoder.name)
        _name_paths(settings["corpus"])
        return sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def slug(self) -> str:
        """The encoder's short name for people, as it stands in file names."""
        return self.encoder.slug

    @property
    def file_name(self) -> str:
        """Name of the curve's JSON file."""
        return f"{self.slug}-{self.run_id[:6]}.json"


def logical_name(path: str) -> str:
    """A name that is the same on every machine: an absolute path counts by its last part.

    >>> logical_name("/data/treebank/en-*.conllu"), logical_name("bert-base-uncased")
    ('en-*.conllu', 'bert-base-uncased')
    """
    return PurePath(path).name if PurePath(path).is_absolute() else path


def plain(run: Run) -> dict[str, Any]:
    """All settings of a run as JSON values, paths by their logical names."""
    settings = run.model_dump(mode="json")
    settings["encoder"]["name"] = logical_name(run.encoder.name)
    _name_paths(settings["corpus"])
    return settings


def _name_paths(corpus: dict[str, Any]) -> None:
    """Replace the paths of a corpus, and of those beside it, by their logical names."""
    if corpus.get("path") is not None:
        corpus["path"] = logical_name(corpus["path"])
    for other in corpus.get("beside", {}).values():
        _name_paths(other)
