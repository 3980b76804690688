"""What each step reads, what of it is masked, and how large the step is: functions of seed and step alone."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Dataset

from probes.seed import generator, stream_seed

# Of the masked pieces: the rest of these two shares stays as it is (Devlin et al. 2019, section 3.1).
AS_MASK, AS_RANDOM = 0.8, 0.1
UNMASKED = -100


SHORT = 128
# A stage begins with an optimiser that knows nothing yet.
STAGE_WARM_UP = 100


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps `first` to `end` (exclusive), taken by an encoder of so many blocks on texts of so many pieces."""

    number: int
    layers: int
    first: int
    end: int
    length: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a training: short texts first, long ones in the last tenth, so that every position is trained.

    With `growth` the encoder begins with fewer blocks (Gong et al. 2019): a shallow one learns as much from a piece in
    the beginning, and reads several times as many in a second. Texts may be shorter then (Press et al. 2021): a head
    finds its neighbour among fewer pieces.
    """

    steps: int
    layers: int = 12
    growth: tuple[tuple[int, int, int], ...] = ()
    """Blocks, the steps taken with them, and the length of their texts, before the encoder has all its blocks."""
    pieces_in_step: int = 8_192
    short: int = SHORT
    long: int = 512
    long_share: float = 0.1
    warm_up: int = 500
    step_size: float = 1e-3
    masked_share: float = 0.15
    seed: int = 0

    @property
    def first_long(self) -> int:
        return self.steps - round(self.long_share * self.steps)

    def length(self, step: int) -> int:
        return self.long if step >= self.first_long else self._stage(step).length

    def begin(self, step: int) -> int:
        """The first step whose texts are as long as those of this one: from there the text is gone through in turns."""
        length = self.length(step)
        return min(
            first for first in (*(one.first for one in self.stages), self.first_long) if self.length(first) == length
        )

    def _stage(self, step: int) -> Stage:
        return next(one for one in reversed(self.stages) if one.first <= step)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The trainings one after another; the last is that of the whole encoder."""
        made, first = [], 0
        whole = self.layers, self.steps - sum(steps for _, steps, _ in self.growth), self.short
        for number, (layers, steps, length) in enumerate((*self.growth, whole)):
            made.append(Stage(number, layers, first, first + steps, length))
            first += steps
        return tuple(made)

    def factor(self, step: int) -> float:
        """Share of the largest step size: a linear rise, then a linear fall to zero; a short rise in every stage."""
        warm_up = min(self.warm_up, max(1, self.steps // 10))
        if step < warm_up:
            return (step + 1) / warm_up
        begun = self._stage(step).first
        rise = min(1.0, (step - begun + 1) / STAGE_WARM_UP) if begun else 1.0
        return rise * max(0.0, (self.steps - step) / max(1, self.steps - warm_up))


class Steps(Dataset):
    """Batches by the number of the step; an epoch over the blocks is a permutation, and the next one another."""

    def __init__(self, plan: Plan, blocks: dict[int, np.ndarray], special: int, mask: int, vocabulary: int) -> None:
        self.plan, self.blocks = plan, blocks
        self.special, self.mask, self.vocabulary = special, mask, vocabulary
        self._known: tuple[tuple[int, int], np.ndarray] | None = None

    def __len__(self) -> int:
        return self.plan.steps

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        length = self.plan.length(step)
        blocks = self.blocks[length]
        size = max(1, self.plan.pieces_in_step // length)
        first = self.plan.begin(step)
        wanted = np.arange((step - first) * size, (step - first + 1) * size)
        turns, places = np.divmod(wanted, len(blocks))
        chosen = np.concatenate(
            [self._order(length, turn)[places[turns == turn]] for turn in np.unique(turns).tolist()]
        )
        pieces = torch.from_numpy(blocks[chosen].astype(np.int64))
        return mask_pieces(pieces, self, stream_seed(self.plan.seed, "mask", step))

    def _order(self, length: int, turn: int) -> np.ndarray:
        key = (length, turn)
        if self._known is None or self._known[0] != key:
            order = generator(self.plan.seed, "pretrain.order", length, turn).permutation(len(self.blocks[length]))
            self._known = key, order
        return self._known[1]


def mask_pieces(pieces: Int[Tensor, "block length"], steps: Steps, seed: int) -> dict[str, Tensor]:
    """Pieces as the encoder sees them, and what it has to say at the masked places."""
    stream = torch.Generator().manual_seed(seed)
    draw, kind = (torch.rand(pieces.shape, generator=stream) for _ in range(2))
    is_masked = (draw < steps.plan.masked_share) & (pieces >= steps.special)
    others = torch.randint(steps.special, steps.vocabulary, pieces.shape, generator=stream)
    seen = torch.where(is_masked & (kind < AS_MASK), steps.mask, pieces)
    seen = torch.where(is_masked & (kind >= AS_MASK) & (kind < AS_MASK + AS_RANDOM), others, seen)
    return {"pieces": seen, "wanted": torch.where(is_masked, pieces, UNMASKED)}
