"""One run, from its settings to its files."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from probes.cache import Cache, remove_cache
from probes.config import CorpusConfig, Run
from probes.corpus import corpus_hash, read_corpus
from probes.errors import ResultError
from probes.fit.fit import fit_probes
from probes.result import Record, read_record, save_outcomes, write_record
from probes.study.assemble import PACKAGE_VERSION, Fitted, assemble, collect_outcomes
from probes.study.clock import Clock
from probes.study.curve import Curve
from probes.study.plan import Step
from probes.study.predict import keep_probes, predictor_of
from probes.task import build_task, control_task, unit_of
from probes.types import Corpus

if TYPE_CHECKING:
    from probes.encoder.frozen import FrozenEncoder

Notify = Callable[[str], None]
Corpora = dict[str, tuple[Corpus, str]]


def execute(step: Step, corpora: Corpora, *, refresh: bool, notify: Notify) -> Curve:
    """The curve of one run: read if its files are there and still hold, else computed and written.

    `corpora` keeps corpora that were read, with their hashes, for the runs to come.
    """
    from probes.encoder.extract import extract  # here: a cache that was adopted is probed without transformers
    from probes.encoder.load import load_encoder

    clock, run = Clock(), step.run
    unit_of(run.task.name)
    with clock.measure("read"):
        corpus, fingerprint = _read(run.corpus, corpora)
    with clock.measure("encode"):
        encoder = load_encoder(run.encoder)
    if not refresh and step.is_written:
        record = _written(step, encoder, fingerprint)
        if record is not None:
            notify(f"{step.run.slug}: is there already ({step.record_path})")
            return open_curve(step, record)
    with clock.measure("encode"):
        cache = extract(encoder, corpus, unit_of(run.task.name), notify=notify)
    notify(f"{run.slug}: {cache.manifest.unit} states of {len(cache.layers)} layers in {clock.seconds['encode']:.1f} s")
    fitted = fit_task(cache, corpus, run, clock)
    name, question = step.experiment.name, step.experiment.question
    record = assemble(fitted, cache, run, experiment=name, question=question, corpus=fingerprint, clock=clock)
    _write(step, record, fitted)
    notify(f"{run.slug}: fitted in {clock.seconds['fit']:.1f} s")
    if run.cache.keep == "pretrained" and run.encoder.twin is not None:
        remove_cache(cache.folder)
    # As it was written, digits cut: what is shown now is what a later call will read.
    return open_curve(step, read_record(step.record_path), is_new=True)


def fit_task(cache: Cache, corpus: Corpus, run: Run, clock: Clock) -> Fitted:
    """Fit the probes of one run over a cache, then read test once."""
    with clock.measure("task"):
        indexes = {split: cache.index(split) for split in cache.splits}
        task = build_task(run.task.name, corpus, indexes)
        controls = tuple(
            control_task(name, task, seed=run.seed, draw=draw)
            for name in run.task.controls
            for draw in range(run.task.draws)
        )
    with clock.measure("fit"):
        probes = fit_probes(cache, [task, *controls], run.fit, seed=run.seed)
    with clock.measure("predict"):
        outcomes = collect_outcomes(cache, task, controls, probes)
    return Fitted(task, controls, probes, outcomes)


def open_curve(step: Step, record: Record, *, is_new: bool = False) -> Curve:
    """A curve whose files are written."""
    return Curve(record, step.outcomes_path, predictor_of(step.run), is_new)


def _read(config: CorpusConfig, corpora: Corpora) -> tuple[Corpus, str]:
    key = config.model_dump_json()
    if key not in corpora:
        corpus = read_corpus(config)
        corpora[key] = (corpus, corpus_hash(corpus))
    return corpora[key]


def _written(step: Step, encoder: "FrozenEncoder", corpus: str) -> Record | None:
    """The record of a run that is done: same settings, encoder, corpus, schema and package version."""
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
