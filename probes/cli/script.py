"""What commands and scripts have in common: how they end, and how a script answers."""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from probes.errors import ProbesError

FAILED = 1
INTERRUPTED = 130
TERMINATED = 128 + signal.SIGTERM


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Call `main` and exit with what it returns, or with the code of its error: 2 where the caller has to mend it.

    Errors that nobody raised on purpose keep their traceback.
    """
    try:
        with _ended_by_sigterm():
            sys.exit(main())
    except ProbesError as error:
        print(f"probes: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"probes: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the process, with what was done kept as after Ctrl-C.

    Lightning only takes note of the signal, goes on encoding, and ends a fit as if all were well; it calls a handler
    that was there before, too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(TERMINATED)


def answer(path: Path, body: Any, table: Iterable[str]) -> None:
    """Write what was found as JSON and, beside it, its table, and print the latter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = "\n".join(table)
    path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(text)
