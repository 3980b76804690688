"""Corpora: reading annotated text, and the built-in grammar."""

from probes.corpus.build import from_lists
from probes.corpus.read import READERS, corpus_hash, read_corpus

__all__ = ["READERS", "corpus_hash", "from_lists", "read_corpus"]
