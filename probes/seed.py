"""Named random streams: another consumer, or another draw, never changes an existing number."""

from hashlib import sha256

import numpy as np


def stream_seed(seed: int, stream: str, *index: int) -> int:
    """A 63-bit seed that belongs to one named use, such as `("control.word_type", draw)`.

    >>> stream_seed(0, "fit.order") == stream_seed(0, "fit.order")
    True
    >>> stream_seed(0, "control.word_type", 0) == stream_seed(0, "control.word_type", 1)
    False
    """
    name = "/".join([str(int(seed)), stream, *(str(int(position)) for position in index)])
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big") >> 1


def generator(seed: int, stream: str, *index: int) -> np.random.Generator:
    """NumPy's generator for one named use."""
    return np.random.default_rng(stream_seed(seed, stream, *index))
