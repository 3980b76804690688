"""What a run is asked of: its corpus, or the corpus that its task derives from it."""

from dataclasses import dataclass

from probes.config import Run
from probes.corpus import corpus_hash, count_overlaps, derive, read_corpus
from probes.task import derivation_of
from probes.types import Corpus


@dataclass(frozen=True, slots=True)
class Material:
    """A corpus with its hash, and how many sentences its splits share."""

    corpus: Corpus
    fingerprint: str
    overlaps: dict[str, int]


Materials = dict[str, Material]


def material_key(run: Run) -> str:
    """Equal for runs that are asked of the same sentences."""
    derived = derivation_of(run.task.name)
    return f"{run.corpus.model_dump_json()} {derived} {run.seed if derived else ''}"


def read_sentences(run: Run) -> Corpus:
    """The corpus of a run; a task that changes the text has one derived of it."""
    corpus, derived = read_corpus(run.corpus), derivation_of(run.task.name)
    return derive(corpus, derived, run.seed) if derived else corpus


def read_material(run: Run, known: Materials) -> Material:
    """The corpus of a run with what is recorded of it; `known` keeps what was read for the runs to come."""
    key = material_key(run)
    if key not in known:
        known[key] = describe(read_sentences(run))
    return known[key]


def describe(corpus: Corpus) -> Material:
    """A corpus with what is recorded of it."""
    return Material(corpus, corpus_hash(corpus), count_overlaps(corpus))
