"""The page over everything in a results folder, with the paired differences that outcomes allow."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from probes.errors import ResultError
from probes.report.page import write_page
from probes.report.payload import PairedDifference
from probes.result import Analysis
from probes.result.frame import questions
from probes.study.analyses import holds_analyses, read_analyses
from probes.study.curve import Curve
from probes.study.curves import read_results
from probes.study.difference import compare

PAGE_NAME = "index.html"
# Every pair of the curves of a question is compared up to this many; beyond, each with the first.
MOST_COMPARED = 6


def write_site(results: Path) -> Path:
    """Write `index.html` over all experiments under `results`.

    A difference needs the outcomes of both curves; runs whose outcomes are elsewhere have none. Raises ResultError for
    results of another schema.
    """
    curves: list[Curve] = []
    analyses: list[Analysis] = []
    for name in sorted(path.name for path in (results / "runs").glob("*/")):
        if holds_analyses(name, results):
            analyses += read_analyses(name, results)
        else:
            curves += read_results(name, results)
    return write_page([curve.record for curve in curves], analyses, list(_differences(curves)), results / PAGE_NAME)


def _differences(curves: Sequence[Curve]) -> Iterator[PairedDifference]:
    by_id = {curve.record.run_id: curve for curve in curves}
    for _, _, part in questions([curve.record for curve in curves]):
        asked = [by_id[record.run_id] for record in part]
        pairs = combinations(asked, 2) if len(asked) <= MOST_COMPARED else ((asked[0], one) for one in asked[1:])
        for first, second in pairs:
            yield from _compare(first, second)


def _compare(first: Curve, second: Curve) -> Iterator[PairedDifference]:
    try:
        found = compare(first, second)
    except ResultError:  # no outcomes here, encoders of two depths, other examples: then there is no difference
        return
    ids = first.record.run_id, second.record.run_id
    yield PairedDifference(*ids, found.value, found.low, found.high, found.p_adjusted)
