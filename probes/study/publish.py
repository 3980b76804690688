"""An experiment from its steps to its table, figure and W&B runs; what is done is shown even if a later run fails."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.report.figure import draw_curves
from probes.report.listing import write_listing
from probes.report.panel import draw_analyses
from probes.report.table import write_tables
from probes.result import Analysis
from probes.result.frame import shown_order
from probes.study.analyse import analyse_together
from probes.study.analyses import read_analyses
from probes.study.curve import Curve
from probes.study.curves import read_results
from probes.study.execute import Notify, execute_together
from probes.study.material import Materials
from probes.study.plan import Step, share_caches
from probes.track import log_analysis, log_curve


@dataclass(frozen=True)
class Published:
    """The curves of an experiment and where they are shown."""

    curves: tuple[Curve, ...]
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
) -> Published:
    """Execute the steps of one experiment and publish their curves.

    Raises the error of the first run that fails, after the curves before it are published.
    """
    known: Materials = {}
    done: dict[int, Curve] = {}
    try:
        for numbers in share_caches(steps):
            together = [steps[number] for number in numbers]
            for step, curve in execute_together(together, known, refresh=refresh, notify=notify):
                done[next(number for number in numbers if steps[number] is step)] = curve
                finished(step, curve)
    except BaseException:
        if done:
            _publish(steps, _in_order(done), results)
        raise
    return _publish(steps, _in_order(done), results)


@dataclass(frozen=True)
class PublishedAnalyses:
    """The analyses of an experiment and where they are shown; see `Published`."""

    analyses: tuple[Analysis, ...]
    paths: tuple[Path, ...]
    wandb_folder: str
    seconds: float


def run_analyses(
    steps: Sequence[Step],
    results: Path,
    *,
    refresh: bool,
    notify: Notify,
    finished: Callable[[Step, Analysis], None] = lambda step, analysis: None,
) -> PublishedAnalyses:
    """Execute the steps of one experiment of a method and publish what it found.

    Raises the error of the first run that fails, after the analyses before it are published.
    """
    known: Materials = {}
    done: dict[int, tuple[Analysis, bool]] = {}
    try:
        for numbers in share_caches(steps):
            together = [steps[number] for number in numbers]
            made = analyse_together(together, known, refresh=refresh, notify=notify)
            for number, (step, analysis, is_new) in zip(numbers, made, strict=True):
                done[number] = (analysis, is_new)
                finished(step, analysis)
    except BaseException:
        if done:
            _publish_analyses(steps, done, results)
        raise
    return _publish_analyses(steps, done, results)


def _publish_analyses(
    steps: Sequence[Step], done: dict[int, tuple[Analysis, bool]], results: Path
) -> PublishedAnalyses:
    start = time.perf_counter()
    analyses = [done[number][0] for number in sorted(done)]
    experiment = steps[0].experiment
    # The last of several shards leaves a report of all that have been done.
    is_whole = len(analyses) == len(experiment.expand())
    paths = report_analyses(analyses if is_whole else list(read_analyses(experiment.name, results)), results)
    figure, place = results / "figures" / f"{experiment.name}.png", ""
    for analysis, is_new in (done[number] for number in sorted(done)):
        if is_new:
            place = log_analysis(analysis, figure if figure.is_file() else None)
    return PublishedAnalyses(tuple(analyses), tuple(paths), place, time.perf_counter() - start)


def report_analyses(analyses: Sequence[Analysis], results: Path) -> list[Path]:
    """Table, CSV and figure of one experiment; rebuilt to the same bytes from the same files."""
    shown = sorted(analyses, key=shown_order)
    paths = write_listing(shown, results / "tables")
    name = results / "figures" / shown[0].experiment
    return [*paths, *(draw_analyses(shown, name.with_suffix(suffix)) for suffix in (".pdf", ".png"))]


def _in_order(done: dict[int, Curve]) -> list[Curve]:
    return [done[number] for number in sorted(done)]


def _publish(steps: Sequence[Step], curves: Sequence[Curve], results: Path) -> Published:
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
