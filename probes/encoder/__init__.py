"""Frozen encoders: loading, alignment of pieces with words, the batch plan, and extraction into a cache."""
