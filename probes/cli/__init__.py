"""The command line; the only place that imports typer and prints."""

from probes.cli.command import main

__all__ = ["main"]
