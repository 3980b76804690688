"""The JSON of a curve: every score with its interval, floors and controls, and where it comes from."""

import json
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator

from probes.errors import ResultError

SCHEMA = 1
# Seven significant digits are finer than any interval here, and the shortest form keeps files small and diffs readable.
DIGITS = 7


# A list of numbers over several lines; in a string of JSON no line ends.
_NUMBERS = re.compile(r"\[\n[-+.\de,\s]+\]")


class Frozen(BaseModel):
    """The base of everything that is kept as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @field_serializer("*", when_used="json")
    def _shorten(self, value: Any) -> Any:
        if not isinstance(value, float):
            return value
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def finite_or_none(value: float | None) -> float | None:
    """The share of no examples is none, before it is written as after."""
    return value if value is None or math.isfinite(value) else None


class Score(Frozen):
    """One number with its interval."""

    variant: str
    """`task`, the name of a control or floor, or `selectivity`."""
    draw: int | None = None
    """Number of the control draw; none for the mean over draws and for everything else."""
    layer: int | None = None
    """0 is the output of the embeddings; none for floors that need no vectors."""
    split: str = "test"
    subset: str = "all"
    """`all`; `seen` and `unseen`: units that do and do not occur in train; `count:1-9` and so on: those that occur so
    often there; `genre:NAME`, `paradigm:NAME`: what the corpus tells apart."""
    metric: str = "accuracy"
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int
    """Examples."""
    groups: int
    """Clusters that the interval resamples."""
    detectable: float | None = None
    """Smallest difference to the layer chosen on dev that a two-sided 5 % test finds with power 80 %."""

    _drop_undefined = field_validator("value", "low", "high", "detectable")(finite_or_none)


COLUMNS = tuple(Score.model_fields)
"""The fields of a score in their order, as a table has them."""


class ProbeRow(Frozen):
    """How one probe was fitted."""

    layer: int
    variant: str
    draw: int | None
    l2: float
    step_size: float | None = None
    """First step size of the optimiser; none for the exact solver."""
    epochs: int
    """Passes over train up to the best one on dev; for the exact solver its passes over the rows."""
    dev_accuracy: float
    gap: float | None
    """Objective minus its minimum, nats for each training row; none where it cannot be told."""
    gap_kind: str
    """`estimate` by a few steps on a sample, `exact`, or `none`."""
    converged: bool
    diverged: bool = False
    """Whether its steps ended in numbers that are not finite; what is scored is its best epoch before."""


class GridRow(Frozen):
    """One candidate setting of the task at one layer, with what dev said."""

    layer: int
    l2: float
    step_size: float | None
    dev_accuracy: float | None
    """None where it diverged."""
    dev_loss: float | None
    """Mean negative log-likelihood, in nats."""
    chosen: bool


class EpochRow(Frozen):
    """What dev said of the task's probe of one layer after one epoch."""

    layer: int
    epoch: int
    """Passes over train, from 1."""
    dev_accuracy: float | None
    dev_loss: float | None
    """Mean negative log-likelihood, in nats; none where it is not finite."""


class Confusion(Frozen):
    """Test counts `layers[layer][label][predicted]` of the task."""

    labels: tuple[str, ...]
    layers: dict[int, list[list[int]]]


class Fingerprints(Frozen):
    """Hashes of what a curve was computed from."""

    encoder: str
    corpus: str
    cache: str


class Record(Frozen):
    """A curve: one encoder, corpus, task and fit; layers, draws, floors and settings are inside."""

    schema_number: int = Field(default=SCHEMA, alias="schema", serialization_alias="schema")
    experiment: str
    question: str
    run_id: str
    package: str
    """Version of probes that wrote it."""
    config: dict[str, Any]
    environment: dict[str, Any]
    fingerprints: Fingerprints
    layers: tuple[str, ...]
    post_norm_last: bool
    """Whether the last state is of the same kind as the others (false for pre-norm models)."""
    best_layer: int
    """Chosen on dev."""
    may_be_best: tuple[int, ...]
    """Layers that comparison with the best does not exclude on test."""
    scores: tuple[Score, ...]
    probes: tuple[ProbeRow, ...]
    grid: tuple[GridRow, ...] = ()
    """The candidates among which dev chose."""
    training: tuple[EpochRow, ...] = ()
    """The fit of the chosen probes, of many epochs some; none for the exact solver."""
    confusion: Confusion
    supports: dict[str, dict[str, int]]
    """Examples of each label, by split."""
    left_out: dict[str, int] = {}
    """What is no example, by split: its label is too rare in train, or the cache lacks its word."""
    overlaps: dict[str, int] = {}
    """Sentences of one split whose text stands in another one too, such as `test in train`."""
    wall_seconds: dict[str, float]

    @property
    def task(self) -> str:
        return self.config["task"]["name"]

    def select(self, **fields: Any) -> list[Score]:
        """The scores with these fields, in their order in the file."""
        wanted = {"draw": None, "split": "test", "subset": "all", "metric": "accuracy"} | fields
        return [score for score in self.scores if all(getattr(score, k) == v for k, v in wanted.items())]


def write_record(record: Record, path: Path) -> None:
    """Write a curve's JSON so that it is there whole or not at all, one score a line."""
    write_rows(record, path, ("scores", "probes", "grid", "training"))


def write_rows(result: Frozen, path: Path, names: Sequence[str]) -> None:
    """Write a result whose fields `names` are long lists, one item a line; a list of numbers is one line, too."""
    body = result.model_dump(mode="json", by_alias=True)
    lines = {name: _lines(body.pop(name)) for name in names}
    text = json.dumps(body | {name: f"@{name}" for name in lines}, indent=1, ensure_ascii=False)
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[0][1:-1].split())}]", text)
    for name, rows in lines.items():
        text = text.replace(f'"@{name}"', rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    working = path.with_name(f".{path.name}.{os.getpid()}")
    working.write_text(text + "\n", encoding="utf-8")
    working.replace(path)


def _lines(rows: list[dict[str, Any]]) -> str:
    return "[\n  " + ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n ]"


def read_record(path: Path) -> Record:
    """A curve from its JSON; raises ResultError for a missing or damaged file and for another schema."""
    return load_body(path, Record, "a curve")


Kept = TypeVar("Kept", bound=Frozen)


def load_body(path: Path, model: type[Kept], what: str) -> Kept:
    """A result from its JSON; raises ResultError for a missing or damaged file and for another schema."""
    if not path.is_file():
        raise ResultError(f"A result was expected at {path}, but there is none. Run its experiment first.")
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        found = body.get("schema")
        if found == SCHEMA:
            return model.model_validate(body)
    except (ValueError, AttributeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ResultError(
            f"{path} should be {what} as probes writes it, but: {reason}. Run its experiment with --refresh."
        ) from None
    raise ResultError(
        f"{path} should have schema {SCHEMA}, but has {found!r}: another version of probes wrote it. "
        f"Run its experiment with --refresh; results of two schemas are never mixed."
    )
