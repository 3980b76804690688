"""The readable description of a cache, with a seal over every byte of it."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from probes.cache.identity import SCHEMA, identity_hash
from probes.errors import CacheError
from probes.types import Unit

MANIFEST_NAME = "manifest.json"


class SplitSize(BaseModel):
    """Size of one split."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sentences: int
    rows: int
    ids: str
    """Hash of the ids in corpus order."""


class Manifest(BaseModel):
    """What a cache holds and how it was made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_number: int = SCHEMA
    identity: dict[str, Any]
    """Every field that can change a value."""
    encoder: dict[str, Any]
    """Settings of the encoder, for people."""
    commit: str | None = None
    """Commit of the checkpoint on the Hub, where it came from there."""
    corpus: str
    unit: Unit
    layers: tuple[str, ...]
    post_norm_last: bool
    """Whether the last state is of the same kind as the others (false for pre-norm models)."""
    dim: int
    dtype: str
    splits: dict[str, SplitSize]
    cut: dict[str, list[int]]
    """Words beyond the length limit by sentence id; for sentence vectors an empty list marks a cut text."""
    lost: dict[str, list[int]]
    """Words of which the tokenizer left no piece, by sentence id."""
    environment: dict[str, Any]
    """Device and threads, recorded but not part of the identity."""
    files: dict[str, str] = {}
    """SHA-256 of every small file; states have checksums by batch, in `batches.safetensors`."""

    def write(self, folder: Path) -> None:
        """Write the manifest, sealed."""
        (folder / MANIFEST_NAME).write_bytes(_render(self.model_dump(mode="json")))


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a cache; raises CacheError if there is none, or if a byte of it was changed."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise CacheError(
            f"A cache was expected in {folder}, but there is no {MANIFEST_NAME}. See the caches with: probes cache ls"
        )
    try:
        content = path.read_bytes()
        body = json.loads(content)
        del body["seal"]
        found = body.get("schema_number")
        # Rendered again, so that an edit between the values is seen too; resolved, so that "." has a name.
        is_sealed = content == _render(body) and folder.resolve().name.endswith(identity_hash(body["identity"]))
        if found == SCHEMA and not is_sealed:
            raise ValueError("its content does not match its seal")
        if found == SCHEMA:
            return Manifest.model_validate(body)
    except (ValueError, KeyError, AttributeError, TypeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise CacheError(
            f"{path} should be as it was written, but it was changed or cut: {reason}. "
            f"Remove the folder and encode again."
        ) from None
    raise CacheError(
        f"{path} should have schema {SCHEMA}, but has schema {found}: another version of probes wrote it. "
        f"Use that version, or remove the folder and encode again."
    )


def hash_ids(ids: Sequence[str]) -> str:
    """Hash of the ids of a split in corpus order."""
    return sha256("\x00".join(ids).encode()).hexdigest()


def _render(body: dict[str, Any]) -> bytes:
    seal = sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return (json.dumps(body | {"seal": seal}, indent=1, ensure_ascii=False) + "\n").encode()
