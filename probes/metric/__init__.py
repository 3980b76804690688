"""Scores, intervals and comparisons: pure functions on NumPy arrays."""
