"""The JSON of an analysis: what a method found, and how it wants to be shown."""

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from probes.result.record import SCHEMA, Fingerprints, Frozen, finite_or_none, load_body, write_rows

Plain = str | int | float | bool | None


class Finding(Frozen):
    """One number of an analysis with its interval."""

    variant: str
    """Whose number it is: `task`, a control, a floor, or what the method compares, such as `random`."""
    metric: str
    """What is measured, with its unit where it has one: `uuas`, `code_bits`."""
    layer: int | None = None
    """0 is the output of the embeddings; none for what belongs to no layer."""
    draw: int | None = None
    """Number of the random draw; none for the mean over draws and for everything else."""
    split: str = "test"
    subset: str = "all"
    at: dict[str, Plain] = Field(default_factory=dict)
    """Further coordinates of the method, such as `{"rank": 64}`."""
    value: float | None
    low: float | None = None
    high: float | None = None
    """95 % interval; none where nothing is resampled."""
    n: int
    """Examples."""
    groups: int
    """Clusters that the interval resamples."""
    detectable: float | None = None
    """Smallest difference that a two-sided 5 % test finds with power 80 %, where the method says to what."""

    _drop_undefined = field_validator("value", "low", "high", "detectable")(finite_or_none)


class Panel(Frozen):
    """One picture and table of an analysis: a metric along an axis, one line for each value of `lines`."""

    metric: str
    title: str
    """What the axis of values says."""
    x: str = "layer"
    """`layer`, or a key of `at`."""
    lines: str = "variant"
    """`variant`, `layer`, `subset`, or a key of `at`."""
    is_share: bool = False
    """Shown in per cent."""
    where: dict[str, Plain] = Field(default_factory=dict)
    """Only findings with these fields, or keys of `at`."""


class Analysis(Frozen):
    """What one method found about one encoder, corpus and task."""

    schema_number: int = Field(default=SCHEMA, alias="schema", serialization_alias="schema")
    experiment: str
    question: str
    run_id: str
    package: str
    """Version of probes that wrote it."""
    method: str
    config: dict[str, Any]
    environment: dict[str, Any]
    fingerprints: Fingerprints
    layers: tuple[str, ...]
    post_norm_last: bool
    panels: tuple[Panel, ...]
    findings: tuple[Finding, ...]
    notes: dict[str, Any] = Field(default_factory=dict)
    """Counts of what was left out, settings that were chosen, and whatever else must be known."""
    wall_seconds: dict[str, float]

    @property
    def task(self) -> str:
        return self.config["task"]["name"]

    def select(self, *, at: dict[str, Plain] | None = None, **fields: Any) -> list[Finding]:
        """The findings with these fields and, in `at`, these coordinates, in their order in the file."""
        wanted = {"draw": None, "split": "test", "subset": "all"} | fields
        return [
            one
            for one in self.findings
            if all(getattr(one, key) == value for key, value in wanted.items())
            and all(one.at.get(key) == value for key, value in (at or {}).items())
        ]


def write_analysis(analysis: Analysis, path: Path) -> None:
    """Write an analysis so that it is there whole or not at all, one finding a line."""
    write_rows(analysis, path, ("panels", "findings"))


def read_analysis(path: Path) -> Analysis:
    """An analysis from its JSON; raises ResultError for a missing or damaged file and for another schema."""
    return load_body(path, Analysis, "an analysis")
