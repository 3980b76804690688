"""Runs of a method, from their settings to their files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from probes.cache import Cache, identity_hash, remove_cache
from probes.config import plain
from probes.errors import ConfigError, ResultError
from probes.method import Subject, check_method
from probes.result import Analysis, Fingerprints, read_analysis, write_analysis
from probes.study.assemble import PACKAGE_VERSION, describe_environment
from probes.study.execute import Notify
from probes.study.material import Material, Materials, read_material
from probes.study.plan import Step


@dataclass(frozen=True, slots=True)
class MadeAnalysis:
    """An analysis, and whether it was made now or read."""

    analysis: Analysis
    is_new: bool


def analyse_together(
    steps: Sequence[Step], known: Materials, *, refresh: bool, notify: Notify
) -> Iterator[tuple[Step, MadeAnalysis]]:
    """The analyses of runs that share an encoder and a cache: read where their files are there and still hold, else
    made and written.
    """
    from probes.encoder.load import load_encoder  # here: analyses of states from elsewhere need no transformers

    encoder = load_encoder(steps[0].run.encoder)
    read: list[Cache] = []
    for step in steps:
        start = perf_counter()
        material = read_material(step.run, known)
        given = read[0] if read else None
        subject = Subject(step.run, material.corpus, given=given, loaded=encoder, notify=notify)
        analysis = None if refresh else _written(step, subject, material.fingerprint)
        if analysis is not None:
            notify(f"{step.run.slug}: is there already ({step.record_path})")
            yield step, MadeAnalysis(analysis, is_new=False)
            continue
        seconds = {"read": perf_counter() - start}
        names = (step.experiment.name, step.experiment.question)
        write_analysis(apply_method(subject, material, names=names, seconds=seconds), step.record_path)
        if subject.has_read_cache:
            read = [subject.cache]
        # As it was written, digits cut: what is shown now is what a later call will read.
        made = read_analysis(step.record_path)
        notify(f"{step.run.slug}: {made.method} of {made.task} in {made.wall_seconds['method']:.1f} s")
        yield step, MadeAnalysis(made, is_new=True)
    run = steps[0].run
    if read and run.cache.keep == "pretrained" and run.encoder.twin is not None:
        remove_cache(read[0].folder)


def apply_method(
    subject: Subject, material: Material, *, names: tuple[str, str], seconds: dict[str, float]
) -> Analysis:
    """What the method of a run finds, with where it comes from; `names` are experiment and question.

    Raises ConfigError for a run without a method, and what the method raises.
    """
    run = subject.run
    if run.method is None:
        raise ConfigError("A run with a method was expected, but it has none. Set method.name.")
    method, settings = check_method(run.method)
    start = perf_counter()
    findings = method.apply(subject, settings)
    total = perf_counter() - start
    layers, is_post_norm = _layers(subject)
    return Analysis(
        experiment=names[0],
        question=names[1],
        run_id=run.run_id,
        package=PACKAGE_VERSION,
        method=run.method.name,
        config=plain(run),
        environment=describe_environment(_device(subject)),
        fingerprints=_fingerprints(subject, material),
        layers=layers,
        post_norm_last=is_post_norm,
        panels=findings.panels,
        findings=findings.rows,
        notes=findings.notes,
        wall_seconds={
            part: round(value, 3)
            for part, value in {
                **seconds,
                "encode": subject.encode_seconds,
                "method": total - subject.encode_seconds,
            }.items()
        },
    )


def _layers(subject: Subject) -> tuple[tuple[str, ...], bool]:
    if subject.has_read_cache:
        return subject.cache.layers, subject.cache.manifest.post_norm_last
    return subject.encoder.layers, subject.encoder.is_post_norm


def _device(subject: Subject) -> str:
    if subject.has_read_cache:
        return subject.cache.manifest.environment.get("device", "unknown")
    return str(subject.encoder.device)


def _fingerprints(subject: Subject, material: Material) -> Fingerprints:
    if not subject.has_read_cache:
        return Fingerprints(encoder=subject.encoder.weights_hash, corpus=material.fingerprint, cache="")
    identity = subject.cache.manifest.identity
    return Fingerprints(
        encoder=identity.get("weights") or identity_hash(identity),
        corpus=material.fingerprint,
        cache=subject.cache.folder.name[-16:],
    )


def _written(step: Step, subject: Subject, corpus: str) -> Analysis | None:
    """The analysis of a run that is done: same settings, encoder, corpus, schema and package version."""
    if not step.is_written:
        return None
    try:
        found = read_analysis(step.record_path)
    except ResultError:
        return None
    prints = found.fingerprints
    is_same = found.run_id == step.run.run_id and found.package == PACKAGE_VERSION and prints.corpus == corpus
    return found if is_same and prints.encoder == subject.encoder.weights_hash else None
