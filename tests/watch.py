"""What goes through an encoder, and an encoder that fails in the middle."""

from typing import Any

import pytest

from probes.encoder.frozen import FrozenEncoder


def watch_texts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many texts go through any encoder from now on, a number for each forward pass."""
    counts, forward = [], FrozenEncoder.forward

    def count(self: FrozenEncoder, batch: Any, **settings: Any) -> Any:
        counts.append(len(batch["input_ids"]))
        return forward(self, batch, **settings)

    monkeypatch.setattr(FrozenEncoder, "forward", count)
    return counts


def fail_after(encoder: FrozenEncoder, calls: int) -> None:
    """Make a forward pass raise after so many; `del encoder.model.__dict__["forward"]` ends this."""
    forward, made = encoder.model.forward, []

    def count(*args: Any, **given: Any) -> Any:
        made.append(1)
        if len(made) > calls:
            raise RuntimeError("stop")
        return forward(*args, **given)

    encoder.model.__dict__["forward"] = count
