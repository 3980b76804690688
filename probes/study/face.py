"""The ten lines of every user: encode, probe, run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

from probes.cache import Cache
from probes.config import (
    CorpusConfig,
    EncoderConfig,
    Experiment,
    Run,
    parse,
    read_experiment,
)
from probes.errors import TaskError
from probes.method import Subject
from probes.study.analyse import apply_method
from probes.study.analyses import Analyses
from probes.study.assemble import assemble
from probes.study.clock import Clock
from probes.study.curve import Curve
from probes.study.curves import Curves
from probes.study.execute import Notify, ask, fit_tasks
from probes.study.material import describe
from probes.study.plan import DEFAULT_RESULTS, plan
from probes.study.predict import FittedPredictor
from probes.study.publish import run_analyses, run_steps
from probes.types import Corpus, Unit


def encode(
    encoder: str | EncoderConfig,
    corpus: Corpus,
    *,
    unit: Unit | None = None,
    twin: Literal["untrained", "random_blocks", "kept_norms"] | None = None,
    seed: int = 0,
    **settings: Any,
) -> Cache:
    """All hidden states of a corpus, computed once; the next call with the same arguments only opens them.

    `unit` is `word` where the corpus has words, else `sentence`. `twin` takes an untrained copy, whose weights
    are drawn from `seed`. Further settings are those of `EncoderConfig`, such as `word="mean"`. Raises
    ConfigError, CorpusError, EncoderError and CacheError.
    """
    from probes.encoder.extract import extract  # here: a cache that was adopted is probed without transformers
    from probes.encoder.load import load_encoder

    if isinstance(encoder, str):
        given = {"name": encoder, **settings, **({"twin": {"kind": twin, "seed": seed}} if twin else {})}
        encoder = parse(EncoderConfig, given, where="encode")
    if unit is None:
        first = next((sentence for split in corpus.splits.values() for sentence in split), None)
        unit = "word" if first is not None and first.words else "sentence"
    return extract(load_encoder(encoder), corpus, unit)


@overload
def probe(cache: Cache, task: str, **settings: Any) -> Curve: ...


@overload
def probe(cache: Cache, task: Sequence[str], **settings: Any) -> list[Curve]: ...


def probe(
    cache: Cache,
    task: str | Sequence[str],
    *,
    controls: Sequence[str] = (),
    draws: int = 5,
    corpus: Corpus | None = None,
    seed: int = 0,
    **settings: Any,
) -> Curve | list[Curve]:
    """A probe for every layer, setting and control draw in one fit, scored on test with intervals.

    Several tasks are fitted together, each batch read once for all, and give a curve each. `corpus` holds the
    annotation; by default the corpus that was encoded. Further settings are those of `FitConfig`, such as
    `epochs=3`. Raises ConfigError, TaskError and FitError.
    """
    names = [task] if isinstance(task, str) else list(task)
    if not names:
        raise TaskError("At least one task was expected, but came an empty list. Name one, such as 'pos'.")
    corpus = _find_corpus(cache, corpus, names[0])
    material, clock = describe(corpus), Clock()
    shared = {"fit": settings, "seed": seed}
    asked = [{"name": name, "controls": controls, "draws": draws} for name in names]
    runs = [_make_run(cache, corpus.name, material.fingerprint, {"task": one, **shared}) for one in asked]
    with clock.measure("task"):
        asked = [ask(cache, corpus, run) for run in runs]
    curves = []
    for run, fitted in zip(runs, fit_tasks(cache, asked, seed=seed, clock=clock), strict=True):
        own = Clock(dict(clock.seconds))
        record = assemble(fitted, cache, run, experiment="python", question="", material=material, clock=own)
        is_adopted = "adopted" in cache.manifest.identity
        predictor = None if is_adopted else FittedPredictor(run.encoder, run.task.name, fitted.probes)
        curves.append(Curve(record, fitted.outcomes, predictor))
    return curves[0] if isinstance(task, str) else curves


def analyse(
    cache: Cache,
    method: str,
    task: str,
    *,
    controls: Sequence[str] = (),
    draws: int = 5,
    corpus: Corpus | None = None,
    seed: int = 0,
    fit: Mapping[str, Any] | None = None,
    **options: Any,
) -> Analyses:
    """What a method finds about a task over the states of a cache, such as `analyse(cache, "online", "pos")`.

    `options` are those of the method (`probes settings --method NAME`), `fit` those of `FitConfig`; `corpus` holds the
    annotation, by default the corpus that was encoded. Raises ConfigError, TaskError and FitError.
    """
    corpus = _find_corpus(cache, corpus, task)
    material = describe(corpus)
    settings = {
        "task": {"name": task, "controls": controls, "draws": draws},
        "fit": dict(fit or {}),
        "seed": seed,
        "method": {"name": method, "options": options},
    }
    run = _make_run(cache, corpus.name, material.fingerprint, settings)
    subject = Subject(run, corpus, given=cache)
    return Analyses((apply_method(subject, material, names=("python", ""), seconds={}),))


def _find_corpus(cache: Cache, corpus: Corpus | None, task: str) -> Corpus:
    corpus = corpus or cache.corpus
    if corpus is None:
        raise TaskError(
            f"Task {task!r} needs the annotation of a corpus, but {cache.folder.name} was opened without one. "
            f"Give it: probes.probe(cache, {task!r}, corpus=...)."
        )
    return corpus


def _make_run(cache: Cache, corpus: str, fingerprint: str, settings: dict[str, Any]) -> Run:
    # Vectors from elsewhere have a name, and what they are as their revision.
    revision = {"revision": cache.folder.name[-16:]} if "adopted" in cache.manifest.identity else {}
    given = {
        "encoder": parse(EncoderConfig, cache.manifest.encoder | revision, where=cache.folder.name),
        "corpus": CorpusConfig(reader="python", path=corpus, options={"hash": fingerprint[:16]}),
        **settings,
    }
    return parse(Run, given, where="probe")


def run(
    experiment: str | Path | Experiment,
    *,
    overrides: Sequence[str] = (),
    results: str | Path = DEFAULT_RESULTS,
    refresh: bool = False,
    notify: Notify = lambda message: None,
) -> Curves | Analyses:
    """Every run of an experiment, then its table and figure; runs that are done are not done again.

    `experiment` is a YAML file or an `Experiment`; `overrides` are `key=value`. Gives curves, or analyses where the
    experiment names a method. Raises the error of the first run that fails; runs before it are kept.
    """
    if not isinstance(experiment, Experiment):
        experiment = read_experiment(experiment, overrides)
    steps = plan(experiment, Path(results))
    if steps[0].run.method is not None:
        return Analyses(run_analyses(steps, Path(results), refresh=refresh, notify=notify).found)
    return Curves(run_steps(steps, Path(results), refresh=refresh, notify=notify).found)
