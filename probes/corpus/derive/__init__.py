"""Corpora derived from another one by changing the words of half of its sentences."""

from probes.corpus.derive.build import DERIVED, count_left_out, derive

__all__ = ["DERIVED", "count_left_out", "derive"]
