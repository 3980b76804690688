"""Corpora: reading annotated text, the built-in grammar, and corpora derived of others."""

from probes.corpus.build import from_lists
from probes.corpus.cut import cut_dev, rename_splits
from probes.corpus.derive import DERIVED, derive
from probes.corpus.overlap import count_overlaps
from probes.corpus.read import READERS, corpus_hash, read_corpus

__all__ = [
    "DERIVED",
    "READERS",
    "corpus_hash",
    "count_overlaps",
    "cut_dev",
    "derive",
    "from_lists",
    "read_corpus",
    "rename_splits",
]
