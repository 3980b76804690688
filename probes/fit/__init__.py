"""Probes: a stack of independent fits over all layers, and the floors that need no vectors."""
