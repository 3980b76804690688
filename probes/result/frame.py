"""Many curves as one table of scores."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from probes.config import CorpusConfig, EncoderConfig, FitConfig, Settings, TaskConfig
from probes.result.analysis import Analysis
from probes.result.record import Record

if TYPE_CHECKING:
    import pandas


# Settings beside the task that make another question, where the runs of an experiment differ in them.
ASIDE = (
    ("corpus", "path"),
    *(("encoder", key) for key in ("name", "sentence", "word", "segments", "pieces")),
    ("task", "train_share"),
)
# All that can change a number: the distance to the optimum is only told.
FITS = tuple(("fit", key) for key in FitConfig.model_fields if key != "gap")
SETTINGS: dict[str, type[Settings]] = {
    "corpus": CorpusConfig,
    "encoder": EncoderConfig,
    "fit": FitConfig,
    "task": TaskConfig,
}
Kept = TypeVar("Kept", Record, Analysis)


def to_frame(records: Iterable[Record]) -> "pandas.DataFrame":
    """One row a score: where it comes from, then all its fields."""
    import pandas

    rows = [
        {
            "experiment": record.experiment,
            "run_id": record.run_id,
            "encoder": record.config["encoder"]["name"],
            "sentence": record.config["encoder"].get("sentence"),
            "twin": twin_label(record),
            "corpus": record.config["corpus"]["path"] or record.config["corpus"]["reader"],
            "task": record.task,
            "layer_name": None if score.layer is None else record.layers[score.layer],
            **score.model_dump(),
        }
        for record in records
        for score in record.scores
    ]
    return pandas.DataFrame(rows)


def findings_frame(analyses: Iterable[Analysis]) -> "pandas.DataFrame":
    """One row a finding: where it comes from, then all its fields, its coordinates as `key=value`."""
    import pandas

    rows = [
        {
            "experiment": one.experiment,
            "run_id": one.run_id,
            "encoder": one.config["encoder"]["name"],
            "twin": twin_label(one),
            "method": one.method,
            "task": one.task,
            "layer_name": None if finding.layer is None else one.layers[finding.layer],
            **finding.model_dump(exclude={"at"}),
            "at": finding.at_text,
        }
        for one in analyses
        for finding in one.findings
    ]
    return pandas.DataFrame(rows)


def shown_order(record: Record | Analysis) -> tuple[Any, ...]:
    """What curves are sorted by in tables and figures: pretrained before twins, these by kind and seed."""
    encoder = record.config["encoder"]
    twin = encoder.get("twin") or {}
    aside = tuple(str(_setting(record, section, key)) for section, key in (*ASIDE, *FITS))
    return (bool(twin), encoder["name"], twin.get("kind", ""), twin.get("seed", 0), record.task, aside, record.run_id)


def panels(records: Sequence[Kept]) -> dict[str, list[Kept]]:
    """Curves that belong side by side, by what is asked: the task; where they differ, corpus, encoder, pooling and fit.

    Two encoders do not stand side by side: only a twin of the same shape says what an encoder's curve is worth.
    """
    by_task: dict[str, list[Kept]] = {}
    for record in records:
        by_task.setdefault(record.task, []).append(record)
    differing = {task: _differing(part) for task, part in by_task.items()}
    has_methods = len({one.method for one in records if isinstance(one, Analysis)}) > 1
    asked: dict[str, list[Kept]] = {}
    for record in records:
        method = [record.method] if isinstance(record, Analysis) and has_methods else []
        settings = (_shown(section, key, _setting(record, section, key)) for section, key in differing[record.task])
        asked.setdefault(", ".join([record.task, *method, *settings]), []).append(record)
    return asked


def questions(records: Sequence[Kept]) -> Iterator[tuple[str, str, list[Kept]]]:
    """Experiments in their order, what each asks, and the curves that answer it."""
    experiments: dict[str, list[Kept]] = {}
    for record in records:
        experiments.setdefault(record.experiment, []).append(record)
    for experiment, kept in experiments.items():
        for name, part in panels(kept).items():
            yield experiment, name, part


def _differing(records: Sequence[Record | Analysis]) -> list[tuple[str, str]]:
    """The settings, of those that make another question, in which these are not alike."""
    asked = (*ASIDE, *FITS)
    return [(section, key) for section, key in asked if len({_setting(one, section, key) for one in records}) > 1]


def _setting(record: Record | Analysis, section: str, key: str) -> Any:
    """A setting of a run; of one that is older than the setting its default, which is what it was run with."""
    value = record.config.get(section, {}).get(key, SETTINGS[section].model_fields[key].default)
    return tuple(value) if isinstance(value, list) else value


def _shown(section: str, key: str, value: Any) -> str:
    """A setting in the name of a question; of a fit with its key, but for the kind of probe.

    >>> _shown("fit", "l2", (1e-06, 0.0001)), _shown("fit", "probe", "mlp"), _shown("encoder", "word", None)
    ('l2 1e-06 0.0001', 'mlp', 'default')
    """
    text = " ".join(map(str, value)) if isinstance(value, tuple) else str("default" if value in (None, "") else value)
    return f"{key} {text}" if section == "fit" and key != "probe" else text


def tested_controls(record: Record) -> tuple[str, ...]:
    """The controls that are scored on test: permuted labels only say what a probe can learn by heart."""
    return tuple(control for control in record.config["task"]["controls"] if record.select(variant=control))


def twin_label(record: Record | Analysis) -> str:
    """`pretrained`, or the kind and seed of an untrained twin."""
    twin = record.config["encoder"].get("twin")
    return f"{twin['kind']} {twin['seed']}" if twin else "pretrained"
