"""One line on a terminal for what takes long: how far it is, at what rate, and the time left. Silent when piped."""

import sys
from typing import Any


class Progress:
    """Counts `total` things of a kind, such as words; nothing is shown where stderr is no terminal.

    >>> progress = Progress("encode", total=3, unit="words")
    >>> progress.start(), progress.advance(2), progress.stop()
    (None, None, None)
    """

    def __init__(self, what: str, *, total: int, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self._bar: Any = None
        self._task: Any = None

    def start(self) -> None:
        if sys.stderr.isatty() and self.total > 0:
            self._bar = _bar(self.unit)
            self._task = self._bar.add_task(self.what, total=self.total)
            self._bar.start()

    def advance(self, count: int) -> None:
        """So many more are done."""
        if self._bar is not None:
            self._bar.update(self._task, advance=count)

    def note(self, text: str) -> None:
        """Say behind what is done how it goes, such as the layers that still run."""
        if self._bar is not None:
            self._bar.update(self._task, description=f"{self.what} {text}")

    def stop(self) -> None:
        """Take the line away, whatever happened; again is nothing."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar(unit: str) -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Rate(ProgressColumn):
        """Things a second; nothing before the first."""

        def render(self, task: Task) -> Text:
            return Text(unit if task.speed is None else f"{unit}, {task.speed:,.0f}/s")

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
