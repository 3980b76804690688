"""Corpora derived from another one by changing the words of half of its sentences."""

from probes.corpus.derive.build import DERIVED, derive

__all__ = ["DERIVED", "derive"]
