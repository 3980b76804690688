"""The scripts beside the package, which import each other by name as they do when they are run."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def scripts(folder: Path, *names: str) -> Iterator[dict[str, ModuleType]]:
    """Modules of a folder by name; afterwards another folder may have its own of the same name."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            path = getattr(sys.modules[name], "__file__", None)
            if path is not None and Path(path).parent == folder:
                del sys.modules[name]
