"""Encoders of which it is known what is in them: their words, labels of words, and the layers at which each is there.

A probing method is right where it finds what was planted and nothing else. Encoder `planted:NAME` and the corpus
`planted` are made of what stands here; neither needs data or training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from probes.errors import ConfigError, list_names
from probes.seed import generator

NUM_BLOCKS = 6
NUM_WORDS = 240
SHORTEST, LONGEST = 4, 12
MEAN_LENGTH = (SHORTEST + LONGEST) // 2
BITS = ("source", "own", "kind", "role")
"""What is drawn for every word: `source` is what its neighbour takes from it, `own` goes into parities, `kind` is a
label that a probe can only memorise, `role` says which words others attach to."""

Truth = Literal["linear", "nonlinear", "confounded", "absent"]
"""What a label is at a layer: read by a linear probe; only by others; told by the word or its place alone (that a
sentence is long, by a place near its end), so that nothing had to be computed for it; not there."""
LABELS = ("context", "parity", "word", "position", "length", "absent")


def word_names() -> tuple[str, ...]:
    return tuple(f"w{number}" for number in range(NUM_WORDS))


def word_bits() -> Int[np.ndarray, "bit word"]:
    """0 or 1 for each of `BITS`. Of four words that are equally frequent each has another source and role.

    So `context` and `parity` are fair coins, whatever the word is and wherever it stands.
    """
    stream, fours = generator(0, "planted.bits"), NUM_WORDS // 4
    source, role = np.tile([0, 0, 1, 1], fours), np.tile([0, 1, 0, 1], fours)
    own, kind = (stream.permuted(np.tile([0, 1, 0, 1], (fours, 1)), axis=1).ravel() for _ in range(2))
    return np.stack([source, own, kind, role])


def word_shares() -> Float[np.ndarray, " word"]:
    """How often words occur: few are frequent, as in text, and always four equally."""
    shares = np.repeat(1 / (np.arange(NUM_WORDS // 4) + 3.0), 4)
    return shares / shares.sum()


@dataclass(frozen=True, slots=True)
class Planting:
    """Which blocks of an encoder write what, counted from 1 as the layers after them; none for never."""

    written: int | None = None
    """Its attention writes `context`, the source bit of the word before."""
    erased: int | None = None
    """Its perceptron takes `context` away."""
    parity: int | None = None
    """Its perceptron writes whether `context` equals the word's own bit."""
    copied: int | None = None
    """It writes a copy of `context` into other dimensions."""
    is_used: bool = False
    """Whether the copy is made of `context`, or read anew from the word before."""
    tree: int | None = None
    """Its attention writes the place of each word's head."""
    tree_erased: int | None = None

    def truth(self, label: str, layer: int) -> Truth:
        """What a label is at a layer, 0 for the embeddings.

        >>> [Planting(written=2, erased=4).truth("context", layer) for layer in (1, 2, 3, 4)]
        ['absent', 'linear', 'linear', 'absent']
        """
        has_context = _is_between(self.written, layer, self.erased) or _is_between(self.copied, layer, None)
        if label == "context":
            return "linear" if has_context else "absent"
        if label == "parity":
            is_written = _is_between(self.parity, layer, None)
            return "linear" if is_written else "nonlinear" if has_context else "absent"
        return "confounded" if label in ("word", "position", "length") else "absent"

    def has_tree(self, layer: int) -> bool:
        """Whether squared distances of mapped states can be those of the tree."""
        return _is_between(self.tree, layer, self.tree_erased)


PLANTINGS: Mapping[str, Planting] = {
    "nothing": Planting(),
    "early": Planting(written=1, erased=3),
    "middle": Planting(written=2, erased=5),
    "late": Planting(written=4),
    "parity": Planting(written=2, parity=4, erased=4),
    "used": Planting(written=2, erased=4, copied=4, is_used=True),
    "unused": Planting(written=2, erased=4, copied=4),
    "tree": Planting(tree=2, tree_erased=5),
}


def find_planting(name: str) -> Planting:
    """A planting by its name; raises ConfigError for a name that there is not."""
    if name not in PLANTINGS:
        raise ConfigError(
            f"Unknown planted encoder {name!r}. Known ones are {list_names(name, PLANTINGS)}. Choose one of these."
        )
    return PLANTINGS[name]


def _is_between(first: int | None, layer: int, end: int | None) -> bool:
    return first is not None and first <= layer and (end is None or layer < end)
