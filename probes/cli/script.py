"""What commands and scripts have in common: how they end, and how a script answers."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from probes.errors import ProbesError

FAILED = 1
INTERRUPTED = 130


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Call `main` and exit with what it returns, or with the code of its error: 2 where the caller has to mend it.

    Errors that nobody raised on purpose keep their traceback.
    """
    try:
        sys.exit(main())
    except ProbesError as error:
        print(f"probes: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        print(f"probes: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def answer(path: Path, body: Any, table: Iterable[str]) -> None:
    """Write what was found as JSON and, beside it, its table, and print the latter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    text = "\n".join(table)
    path.with_suffix(".md").write_text(text + "\n", encoding="utf-8")
    print(text)
