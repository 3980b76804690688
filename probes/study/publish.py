"""An experiment from its steps to its table, figure and W&B runs; what is done is shown even if a later run fails."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from probes.report.figure import draw_curves
from probes.report.listing import write_listing
from probes.report.panel import draw_analyses
from probes.report.table import write_tables
from probes.result import Analysis
from probes.result.frame import shown_order
from probes.study.analyse import MadeAnalysis, analyse_together
from probes.study.analyses import read_analyses
from probes.study.curve import Curve
from probes.study.curves import read_results
from probes.study.execute import Notify, execute_together
from probes.study.material import Materials
from probes.study.plan import Step, share_caches
from probes.track import log_analysis, log_curve

Made = TypeVar("Made")


@dataclass(frozen=True)
class Published(Generic[Made]):
    """What an experiment gave, curves or analyses, and where it is shown."""

    found: tuple[Made, ...]
    paths: tuple[Path, ...]
    wandb_folder: str
    """Folder of the last W&B run; empty if there was none."""
    seconds: float
    """Wall time of table, figure and W&B."""


def run_steps(
    steps: Sequence[Step],
    results: Path,
    *,
    refresh: bool,
    notify: Notify,
    finished: Callable[[Step, Curve], None] = lambda step, curve: None,
) -> Published[Curve]:
    """Execute the steps of one experiment and publish their curves.

    Raises the error of the first run that fails, after the curves before it are published.
    """
    known: Materials = {}
    return _run(
        steps,
        lambda together, later: execute_together(together, known, later=later, refresh=refresh, notify=notify),
        lambda curves: _publish(steps, curves, results),
        finished,
    )


def run_analyses(
    steps: Sequence[Step],
    results: Path,
    *,
    refresh: bool,
    notify: Notify,
    finished: Callable[[Step, Analysis], None] = lambda step, analysis: None,
) -> Published[Analysis]:
    """The same for an experiment of a method."""
    known: Materials = {}
    return _run(
        steps,
        lambda together, later: analyse_together(together, known, refresh=refresh, notify=notify),
        lambda made: _publish_analyses(steps, made, results),
        lambda step, made: finished(step, made.analysis),
    )


def _run(
    steps: Sequence[Step],
    make: Callable[[Sequence[Step], Sequence[Step]], Iterable[tuple[Step, Made]]],
    publish: Callable[[list[Made]], Any],
    finished: Callable[[Step, Made], None],
) -> Any:
    """Make what each step asks for, those of one cache together; publish it in the order of the steps.

    `make` is given the steps of one cache, and those that come after them.
    """
    done: dict[int, Made] = {}
    try:
        groups = share_caches(steps)
        for position, numbers in enumerate(groups):
            later = [steps[number] for group in groups[position + 1 :] for number in group]
            for step, made in make([steps[number] for number in numbers], later):
                done[next(number for number in numbers if steps[number] is step)] = made
                finished(step, made)
    except BaseException:
        if done:
            publish([done[number] for number in sorted(done)])
        raise
    return publish([done[number] for number in sorted(done)])


def _publish_analyses(steps: Sequence[Step], made: Sequence[MadeAnalysis], results: Path) -> Published[Analysis]:
    start = time.perf_counter()
    analyses, experiment = [one.analysis for one in made], steps[0].experiment
    # The last of several shards leaves a report of all that have been done.
    is_whole = len(analyses) == len(experiment.expand())
    paths = report_analyses(analyses if is_whole else list(read_analyses(experiment.name, results)), results)
    figure, place = results / "figures" / f"{experiment.name}.png", ""
    for one in made:
        if one.is_new:
            place = log_analysis(one.analysis, figure if figure.is_file() else None)
    return Published(tuple(analyses), tuple(paths), place, time.perf_counter() - start)


def report_analyses(analyses: Sequence[Analysis], results: Path) -> list[Path]:
    """Table, CSV and figure of one experiment; rebuilt to the same bytes from the same files."""
    shown = sorted(analyses, key=shown_order)
    paths = write_listing(shown, results / "tables")
    name = results / "figures" / shown[0].experiment
    return [*paths, *(draw_analyses(shown, name.with_suffix(suffix)) for suffix in (".pdf", ".png"))]


def _publish(steps: Sequence[Step], curves: Sequence[Curve], results: Path) -> Published[Curve]:
    start = time.perf_counter()
    is_whole = len(curves) == len(steps[0].experiment.expand())
    # The last of several shards leaves a report of all that have been done.
    shown = curves if is_whole else list(read_results(steps[0].experiment.name, results))
    paths = report(shown, results)
    return Published(tuple(curves), tuple(paths), mirror(curves, results), time.perf_counter() - start)


def report(curves: Sequence[Curve], results: Path) -> list[Path]:
    """Table, CSV and figure of one experiment; rebuilt to the same bytes from the same records."""
    records = sorted((curve.record for curve in curves), key=shown_order)
    paths = write_tables(records, results / "tables")
    name = results / "figures" / records[0].experiment
    return [*paths, *(draw_curves(records, name.with_suffix(suffix)) for suffix in (".pdf", ".png"))]


def mirror(curves: Sequence[Curve], results: Path) -> str:
    """Every curve that is new as a W&B run; returns the folder of the last one, or "" if there is none."""
    place = ""
    for curve in (curve for curve in curves if curve.is_new):
        figure = results / "figures" / f"{curve.record.experiment}.png"
        place = log_curve(curve.record, figure if figure.is_file() else None)
    return place
