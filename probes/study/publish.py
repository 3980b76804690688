"""An experiment from its steps to its table, figure and W&B runs; what is done is shown even if a later run fails."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.report.figure import draw_curves
from probes.report.table import write_tables
from probes.result.frame import shown_order
from probes.study.curve import Curve
from probes.study.curves import read_results
from probes.study.execute import Notify, execute_together
from probes.study.material import Materials
from probes.study.plan import Step, share_caches
from probes.track import log_curve


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
