"""A curve as users hold it: print it, plot it, subtract it, ask for its best layer, predict with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from probes.errors import ResultError
from probes.report.figure import draw_curves
from probes.report.shown import Shown
from probes.report.table import format_curve
from probes.result import Outcomes, Record, load_outcomes, to_frame
from probes.result.frame import twin_label
from probes.study.difference import Difference, compare
from probes.task import unit_of
from probes.track import log_curve

if TYPE_CHECKING:
    import pandas


@runtime_checkable
class Predictor(Protocol):
    """Fitted probes that answer new text."""

    def __call__(self, texts: Sequence[Any], layer: int) -> list[Any]: ...

    def show(self, text: Any, title: str, layers: Sequence[str]) -> Shown: ...


@dataclass(frozen=True)
class BestLayer:
    """The layer that dev chose, and those that test cannot tell from the best.

    `is_named` is False where the smallest detectable difference is larger than the differences between the
    layers: then no layer should be called the best.
    """

    layer: int
    name: str
    cannot_be_told_from: tuple[str, ...]
    is_named: bool

    def __str__(self) -> str:
        others = ", ".join(self.cannot_be_told_from)
        if not self.is_named:
            return f"no best layer: the differences are smaller than can be detected (not excluded: {others})"
        return f"layer {self.name}, chosen on dev; not excluded on test: {others}"


@dataclass(frozen=True, repr=False)
class Curve:
    """One encoder, corpus, task and fit: a score with interval for every layer, its floors and controls."""

    record: Record
    source: Outcomes | Path = field(repr=False, compare=False)
    """The outcomes, or the file that holds them."""
    predictor: Predictor | None = field(default=None, repr=False, compare=False)
    is_new: bool = field(default=False, repr=False, compare=False)
    """Whether it was computed by this call and not read from its files."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, `emb` first."""
        return self.record.layers

    @property
    def accuracy(self) -> list[float | None]:
        """Test accuracy of the task at each layer, in 0..1."""
        return [score.value for score in self.record.select(variant="task")]

    @cached_property
    def outcomes(self) -> Outcomes:
        """What every test example was taken for."""
        return self.source if isinstance(self.source, Outcomes) else load_outcomes(self.source)

    def best_layer(self) -> BestLayer:
        """The layer chosen on dev, with the layers it cannot be told from on test."""
        record = self.record
        scores = record.select(variant="task")
        values = [score.value or 0.0 for score in scores]
        detectable = min(score.detectable or 0.0 for score in scores)
        return BestLayer(
            layer=record.best_layer,
            name=record.layers[record.best_layer],
            cannot_be_told_from=tuple(record.layers[layer] for layer in record.may_be_best),
            is_named=max(values) - min(values) >= detectable and len(record.may_be_best) < len(values),
        )

    def to_frame(self) -> "pandas.DataFrame":
        """Every score as a row."""
        return to_frame([self.record])

    def plot(self, path: str | Path, *, columns: Literal[1, 2] | None = None) -> Path:
        """Write the figure of this curve; the ending of `path` (.pdf, .png, .svg) gives the format.

        `columns` makes it as wide as one or both columns of a paper.
        """
        return draw_curves([self.record], Path(path), columns=columns)

    def _repr_png_(self) -> bytes:
        """The figure, where a notebook shows a curve."""
        with TemporaryDirectory() as folder:
            return self.plot(Path(folder, "curve.png")).read_bytes()

    def log_wandb(self) -> str:
        """Send the curve to W&B as one run (offline unless logged in); returns the run's folder."""
        return log_curve(self.record)

    def predict(self, texts: Sequence[str | Sequence[str]], layer: int) -> list[Any]:
        """Labels for new texts by the fitted probe of one layer.

        For a word task a list of labels for each text, whose words are given, or split at spaces and
        punctuation; for a sentence task one label a text. Raises ResultError for a curve without probes and
        CacheError for a layer that does not exist.
        """
        return self._predictor(texts, layer)

    def show(self, text: str | Sequence[str]) -> Shown:
        """What the probe of every layer says about a text, as a table to print, with disagreement marked.

        Raises ResultError for a curve without probes.
        """
        return self._predictor.show(text, self._title, self.layers)

    @property
    def _title(self) -> str:
        record, encoder = self.record, self.record.config["encoder"]
        pooling = [] if unit_of(record.task) == "word" else [encoder.get("sentence") or "cls"]
        return ", ".join([record.task, encoder["name"], *pooling, twin_label(record)])

    @property
    def _predictor(self) -> Predictor:
        if self.predictor is None:
            raise ResultError(
                f"Prediction needs the fitted probes of run {self.record.run_id!r}, but this curve has none at hand. "
                f"Read it with probes.read_results, or run its experiment again."
            )
        return self.predictor

    def __sub__(self, other: "Curve | CurveGroup") -> Difference:
        """The paired difference in accuracy at each layer, on the same test examples."""
        return compare(self, other)

    def __str__(self) -> str:
        return format_curve(self.record)

    def __repr__(self) -> str:
        return f"<Curve {self._title}, {len(self.layers)} layers, run {self.record.run_id[:6]}>"


@dataclass(frozen=True)
class CurveGroup:
    """Curves that differ in a seed, such as three untrained twins; stands for their mean."""

    curves: tuple[Curve, ...]

    @property
    def record(self) -> Record:
        return self.curves[0].record

    def __sub__(self, other: "Curve | CurveGroup") -> Difference:
        return compare(self, other)

    def __str__(self) -> str:
        return "\n\n".join(str(curve) for curve in self.curves)
