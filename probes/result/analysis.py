"""The JSON of an analysis: what a method found, and how it wants to be shown."""

from pathlib import Path
from typing import Any

from pydantic import Field

from probes.result.record import SCHEMA, Fingerprints, Frozen, Score, load_body, write_rows

Plain = str | int | float | bool | None


class Finding(Score):
    """One number of an analysis with its interval: a score with further coordinates.

    Its `variant` may be anything that the method compares, such as `random`; `detectable` is a difference that the
    method names.
    """

    metric: str  # pyright: ignore[reportGeneralTypeIssues] - a method always says what it measures
    """What is measured, with its unit where it has one: `uuas`, `code_bits`."""
    at: dict[str, Plain] = Field(default_factory=dict)
    """Further coordinates of the method, such as `{"rank": 64}`."""

    @property
    def at_text(self) -> str:
        """The coordinates as `key=value`, with semicolons between them."""
        return ";".join(f"{key}={value}" for key, value in self.at.items())


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
