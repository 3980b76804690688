"""Runs that share a cache, from their settings to their files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from probes.cache import Cache, remove_cache
from probes.config import Run
from probes.errors import ProbesError, ResultError
from probes.fit.family import make_family
from probes.fit.fit import fit_questions
from probes.fit.question import Question
from probes.result import Record, read_record, save_outcomes, write_record
from probes.study.assemble import PACKAGE_VERSION, assemble
from probes.study.beside import encoders_beside
from probes.study.clock import Clock
from probes.study.collect import Fitted, collect
from probes.study.curve import Curve
from probes.study.material import Material, Materials, read_material
from probes.study.plan import Step
from probes.study.predict import keep_probes, predictor_of
from probes.task import build_task, control_task, keep_share, shares_rows, unit_of
from probes.task.join import TRAIN
from probes.types import Corpus

if TYPE_CHECKING:
    from probes.encoder.frozen import FrozenEncoder

Notify = Callable[[str], None]


def execute_together(
    steps: Sequence[Step], known: Materials, *, later: Sequence[Step] = (), refresh: bool, notify: Notify
) -> Iterator[tuple[Step, Curve]]:
    """The curves of runs that share a cache: read where their files are there and still hold, else fitted in one
    stack and written.

    `known` keeps corpora that were read, with their hashes, for the runs to come. Where states have to be computed,
    the caches of those `later` runs that read the same texts with the same encoder are filled in the same pass. A run
    that cannot be asked raises its error after the runs before it are written.
    """
    from probes.encoder.extract import extract  # here: a cache that was adopted is probed without transformers
    from probes.encoder.load import load_encoder

    clock, run = Clock(), steps[0].run
    unit = unit_of(run.task.name)
    for step in steps:
        make_family(step.run.fit)  # a probe that nobody knows is told before anything is encoded
    with clock.measure("read"):
        material = read_material(run, known)
    with clock.measure("encode"):
        encoder = load_encoder(run.encoder)
    missing = []
    for step in steps:
        record = None if refresh else _written(step, encoder, material.fingerprint)
        if record is None:
            missing.append(step)
            continue
        notify(f"{step.run.slug}: is there already ({step.record_path})")
        yield step, open_curve(step, record)
    if not missing:
        return
    with clock.measure("encode"):
        to_come = [step.run for step in later if refresh or not step.is_written]
        also = encoders_beside(encoder, run, to_come)
        cache = extract(encoder, material.corpus, unit, also=also, notify=notify)
    notify(f"{run.slug}: {cache.manifest.unit} states of {len(cache.layers)} layers in {clock.seconds['encode']:.1f} s")
    yield from _fit_and_write(missing, cache, material, clock, notify)
    if run.cache.keep == "pretrained" and run.encoder.twin is not None:
        remove_cache(cache.folder)


def _fit_and_write(
    steps: Sequence[Step], cache: Cache, material: Material, clock: Clock, notify: Notify
) -> Iterator[tuple[Step, Curve]]:
    asked, failure = [], None
    for step in steps:
        try:
            with clock.measure("task"):
                asked.append(ask(cache, material.corpus, step.run))
        except ProbesError as error:
            failure = error
            break
    fitted = fit_tasks(cache, asked, seed=steps[0].run.seed, clock=clock) if asked else []
    for step, one in zip(steps, fitted, strict=False):
        name, question = step.experiment.name, step.experiment.question
        own = Clock(dict(clock.seconds))
        record = assemble(one, cache, step.run, experiment=name, question=question, material=material, clock=own)
        _write(step, record, one)
        notify(f"{step.run.slug}: {step.run.task.name} fitted in {own.seconds['fit']:.1f} s")
        # As it was written, digits cut: what is shown now is what a later call will read.
        yield step, open_curve(step, read_record(step.record_path), is_new=True)
    if failure is not None:
        raise failure


@dataclass(frozen=True, slots=True)
class Asked:
    """The question of a run, and beside it its controls that have rows of their own."""

    question: Question
    aside: tuple[Question, ...]
    """Each with its draws: the first as its task, which chooses the settings."""


def ask(cache: Cache, corpus: Corpus, run: Run) -> Asked:
    """The task of a run over the rows of a cache, with its control draws."""
    indexes = {split: cache.index(split) for split in cache.splits}
    task = build_task(run.task.name, corpus, indexes, seed=run.seed)
    if run.task.train_share < 1:
        task = keep_share(task, indexes[TRAIN], run.task.train_share, run.seed)
    same, aside = [], []
    for name in run.task.controls:
        draws = tuple(control_task(name, task, seed=run.seed, draw=draw) for draw in range(run.task.draws))
        if shares_rows(draws[0], task):
            same += draws
        else:
            aside.append(Question(draws[0], draws[1:], run.fit))
    return Asked(Question(task, tuple(same), run.fit), tuple(aside))


def fit_tasks(cache: Cache, asked: Sequence[Asked], *, seed: int, clock: Clock) -> list[Fitted]:
    """Fit the probes of all questions in one stack, then read test once.

    The clock gets the time of one question: that of all, shared equally.
    """
    whole = Clock()
    questions = [one for run in asked for one in (run.question, *run.aside)]
    with whole.measure("fit"):
        every = fit_questions(cache, questions, seed=seed)
    with whole.measure("predict"):
        fitted = iter([collect(cache, one, probes) for one, probes in zip(questions, every, strict=True)])
    for part, seconds in whole.seconds.items():
        clock.seconds[part] = clock.seconds.get(part, 0.0) + seconds / len(asked)
    return [replace(next(fitted), aside=tuple(next(fitted) for _ in run.aside)) for run in asked]


def open_curve(step: Step, record: Record, *, is_new: bool = False) -> Curve:
    """A curve whose files are written."""
    return Curve(record, step.outcomes_path, predictor_of(step.run), is_new)


def _written(step: Step, encoder: "FrozenEncoder", corpus: str) -> Record | None:
    """The record of a run that is done: same settings, encoder, corpus, schema and package version."""
    if not step.is_written:
        return None
    try:
        record = read_record(step.record_path)
    except ResultError:
        return None
    prints = record.fingerprints
    is_same = (
        record.run_id == step.run.run_id
        and record.package == PACKAGE_VERSION
        and prints.encoder == encoder.weights_hash
        and prints.corpus == corpus
    )
    return record if is_same else None


def _write(step: Step, record: Record, fitted: Fitted) -> None:
    keep_probes(step.run, fitted.probes)
    save_outcomes(fitted.outcomes, step.outcomes_path)
    write_record(record, step.record_path)
