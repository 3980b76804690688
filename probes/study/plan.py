"""What an experiment will do: its runs, which of them exist, and the disk that their caches need."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from probes.cache import Layout, caches_folder
from probes.cache.space import estimate_bytes
from probes.config import Experiment, Run
from probes.errors import ConfigError
from probes.method import check_method
from probes.study.material import material_key, read_sentences
from probes.task import unit_of
from probes.types import Corpus, Unit

DEFAULT_RESULTS = Path("results")


@dataclass(frozen=True, slots=True)
class Step:
    """One run of an experiment and where its files go."""

    experiment: Experiment
    run: Run
    results: Path

    @property
    def record_path(self) -> Path:
        return self.results / "runs" / self.experiment.name / self.run.file_name

    @property
    def outcomes_path(self) -> Path:
        return self.results / "outcomes" / f"{self.run.run_id}.safetensors"

    @property
    def is_written(self) -> bool:
        has_outcomes = self.run.method is not None or self.outcomes_path.is_file()
        return self.record_path.is_file() and has_outcomes


@dataclass(frozen=True, slots=True)
class DiskNeed:
    """Caches of an experiment, whether they exist already or not."""

    caches: int
    num_bytes: int
    folder: Path


def plan(experiment: Experiment, results: Path = DEFAULT_RESULTS) -> list[Step]:
    """The runs of an experiment in order.

    Raises TaskError for a task and ConfigError for a method or an option of it that nobody knows.
    """
    runs = experiment.expand()
    for run in runs:
        unit_of(run.task.name)
        if run.method is not None:
            check_method(run.method)
    if len({run.method is None for run in runs}) > 1:
        raise ConfigError(
            f"{experiment.name}: the runs of an experiment should all be curves or all be analyses, but only some "
            f"have a method. Write two files."
        )
    return [Step(experiment, run, results) for run in runs]


def take_shard(steps: list[Step], shard: str) -> list[Step]:
    """Every N-th step from the I-th, for `shard` = "I/N"; raises ConfigError for anything else."""
    part, _, whole = shard.partition("/")
    if not (part.isdecimal() and whole.isdecimal() and 1 <= int(part) <= int(whole)):
        raise ConfigError(f"--shard expects I/N with I from 1 to N, but came {shard!r}. Write for example 2/8.")
    return steps[int(part) - 1 :: int(whole)]


def share_caches(steps: Sequence[Step]) -> list[list[int]]:
    """Numbers of the steps that read one cache and can be fitted together, in order of their first."""
    groups: dict[str, list[int]] = {}
    for number, step in enumerate(steps):
        key = f"{_cache_key(step.run)} {step.run.seed} {step.run.cache.keep}"
        groups.setdefault(key, []).append(number)
    return list(groups.values())


def _cache_key(run: Run) -> str:
    return f"{run.encoder.model_dump_json()} {material_key(run)} {unit_of(run.task.name)}"


def estimate_disk(steps: Sequence[Step]) -> DiskNeed:
    """Bytes that the caches of these steps hold, counted from the corpora and the encoders' sizes."""
    sizes: dict[str, int] = {}
    known: dict[str, Corpus] = {}  # the caches of all encoders hold the same sentences
    for run in (step.run for step in steps):
        key, sentences = _cache_key(run), material_key(run)
        if key not in sizes:
            known[sentences] = known.get(sentences) or read_sentences(run)
            sizes[key] = _cache_bytes(run, known[sentences], unit_of(run.task.name))
    return DiskNeed(len(sizes), sum(sizes.values()), caches_folder())


def _cache_bytes(run: Run, corpus: Corpus, unit: Unit) -> int:
    from probes.encoder.load import read_encoder_config  # here: curves are read without transformers

    settings = read_encoder_config(run.encoder)
    layers, dim = 1 + settings.num_hidden_layers, settings.hidden_size
    dtype = run.encoder.store_dtype or ("float16" if unit == "word" else "float32")
    layouts, num_sentences, id_bytes = {}, 0, 0
    for split, sentences in corpus.splits.items():
        num_rows = 0
        for sentence in sentences:
            num_rows += len(sentence.words) if unit == "word" else 1
            num_sentences += 1
            id_bytes += len(sentence.id.encode())
        layouts[split] = Layout(layers, num_rows, dim, dtype)
    return estimate_bytes(layouts, num_sentences, id_bytes)
