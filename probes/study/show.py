"""One sentence before the fitted probes of an experiment."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from probes.config import read_experiment
from probes.corpus.text import read_lines
from probes.errors import ConfigError, ResultError
from probes.report.shown import Shown
from probes.study.curve import Curve
from probes.study.curves import read_curve
from probes.study.plan import plan


def show_text(
    file: Path, text: str, overrides: Sequence[str], results: Path, *, with_twins: bool = False
) -> Iterator[Shown]:
    """What every layer says about a text, or about each line of a file, for each curve of an experiment.

    `file` is an experiment's YAML or the JSON of one curve. Raises ResultError where its runs have not been done and
    ConfigError for an analysis, which answers no text.
    """
    texts = _read_texts(text)
    for curve in _find_curves(file, overrides, results, with_twins=with_twins):
        for one in texts:
            yield curve.show(one)


def _find_curves(file: Path, overrides: Sequence[str], results: Path, *, with_twins: bool) -> list[Curve]:
    if file.suffix == ".json":
        return [read_curve(file)]
    steps = plan(read_experiment(file, overrides), results)
    if steps[0].run.method is not None:
        raise ConfigError(
            f"{file}: an experiment whose probes answer texts was expected, but it asks the method "
            f"{steps[0].run.method.name!r}. Show an experiment without a method."
        )
    wanted = [step for step in steps if with_twins or step.run.encoder.twin is None] or steps
    missing = [step.record_path for step in wanted if not step.record_path.is_file()]
    if missing:
        raise ResultError(
            f"{file}: {len(wanted)} finished runs were expected, but {len(missing)} are not there, such as "
            f"{missing[0]}. Run it first, with the same --set."
        )
    return [read_curve(step.record_path) for step in wanted]


def _read_texts(text: str) -> list[str]:
    path = Path(text)
    is_file = "\n" not in text and len(text) < 255 and path.is_file()
    texts = [line for _, line in read_lines(path)] if is_file else [text]
    kept = [one.strip() for one in texts if one.strip()]
    if not kept:
        raise ConfigError(f"A sentence was expected, but {text!r} has no words. Give one in quotes.")
    return kept
