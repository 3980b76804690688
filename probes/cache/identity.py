"""What makes two caches the same: everything that can change a value, hashed."""

import json
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import Any

# Raised when the meaning of a stored byte changes.
SCHEMA = 2
COMPUTING_LIBRARIES = ("torch", "transformers", "tokenizers")


def identity_hash(identity: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits for a set of fields; the order of keys does not matter.

    >>> identity_hash({"a": 1, "b": 2}) == identity_hash({"b": 2, "a": 1})
    True
    """
    return sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def library_versions(names: tuple[str, ...] = COMPUTING_LIBRARIES) -> dict[str, str]:
    """Installed versions of libraries; "none" for one that is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found
