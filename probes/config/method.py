"""Which analysis, where one fit a layer does not answer the question."""

from typing import Any

from pydantic import Field

from probes.config.setting import Settings


class MethodConfig(Settings):
    """An analysis by its name, with its own settings."""

    name: str
    """Name of the method, such as `online` (code length) or `structure` (structural probe)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Settings of the method itself; `probes settings --method NAME` lists them."""
