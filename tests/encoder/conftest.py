"""A loaded toy encoder, encoders with other settings, and copies of its checkpoint to break."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from probes.config import EncoderConfig
from probes.encoder.frozen import FrozenEncoder
from probes.encoder.load import load_encoder
from tests.reference.states import SlowReader

Load = Callable[..., FrozenEncoder]


@pytest.fixture(scope="session")
def toy(toy_bert: Path) -> FrozenEncoder:
    """The toy with default settings; its parameters are never changed."""
    return load_encoder(str(toy_bert))


@pytest.fixture(scope="session")
def load(toy_bert: Path) -> Load:
    """The toy under other settings, or another checkpoint with `name=`."""

    def load_with(*, pooler: bool = False, **settings: Any) -> FrozenEncoder:
        return load_encoder(EncoderConfig(**{"name": str(toy_bert), **settings}), pooler=pooler)

    return load_with


@pytest.fixture(scope="session")
def slow(toy_bert: Path) -> SlowReader:
    return SlowReader(toy_bert)


@pytest.fixture
def checkpoint(toy_bert: Path, tmp_path: Path) -> Path:
    """A copy of the toy's folder that a test may edit."""
    return Path(shutil.copytree(toy_bert, tmp_path / "copy"))


@pytest.fixture
def edit_json() -> Callable[..., None]:
    """Change keys of a JSON file."""

    def edit(path: Path, **changes: Any) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


@pytest.fixture
def count_rows() -> Callable[[FrozenEncoder], list[int]]:
    """Sentences that go through an encoder, one number a forward pass."""

    def watch(encoder: FrozenEncoder) -> list[int]:
        seen: list[int] = []

        def note(module: torch.nn.Module, args: tuple[Any, ...], given: dict[str, Any]) -> None:
            seen.append(len(given["input_ids"]))

        encoder.model.register_forward_pre_hook(note, with_kwargs=True)
        return seen

    return watch
