"""How probes are read: each reading says of a label whether it is there at a layer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from probes.fit.gap import CONVERGED_GAP
from probes.planted import NUM_BLOCKS, PLANTINGS
from probes.result import Analysis, Record, Score

LAYERS = range(NUM_BLOCKS + 1)
TOLERANCE_BITS = CONVERGED_GAP / math.log(2)
"""A fit counts as converged within .01 nats of its optimum, so a smaller difference of two fits says nothing."""


@dataclass(frozen=True)
class Case:
    """One label of one encoder: what every method says of it, layer by layer."""

    encoder: str
    label: str
    linear: Record
    perceptron: Record
    twins: tuple[Record, ...]
    perceptron_twins: tuple[Record, ...]
    online: Analysis
    information: Analysis

    def kind(self, layer: int) -> str:
        """What the label is at a layer, by what was planted; a confounded one by what gives it away."""
        truth = PLANTINGS[self.encoder].truth(self.label, layer)
        return self.label if truth == "confounded" else truth


Reading = Callable[[Case, int], bool]


def above(score: Score, *floors: Score) -> bool:
    """Whether the interval of a score lies above those of all floors."""
    return all((score.low or 0.0) > (floor.value if floor.high is None else floor.high) for floor in floors)


def at(record: Record | Analysis, layer: int | None, **fields: Any) -> Score:
    """The one score of a record with these fields."""
    (found,) = record.select(**{"layer": layer, "metric": "accuracy", **fields})
    return found


def low(score: Score) -> float:
    return float("-inf") if score.low is None else score.low


def compression(case: Case, layer: int, variant: str = "task", metric: str = "compression") -> Score:
    return at(case.online, layer, variant=variant, metric=metric, split="train")


def beyond_embeddings(case: Case, layer: int, least: float = 0) -> bool:
    """What a layer adds to the embeddings; the embeddings add nothing to themselves."""
    wanted = {"variant": "task", "metric": "conditional_v_information_bits"}
    return layer > 0 and low(at(case.information, layer, **wanted)) > least


READINGS: dict[str, Reading] = {
    "accuracy above the majority": lambda case, layer: above(
        at(case.linear, layer, variant="task"), at(case.linear, None, variant="majority")
    ),
    "accuracy above the majority of each word": lambda case, layer: above(
        at(case.linear, layer, variant="task"), at(case.linear, None, variant="word_majority")
    ),
    "accuracy above untrained twins": lambda case, layer: above(
        at(case.linear, layer, variant="task"), *(at(twin, layer, variant="task") for twin in case.twins)
    ),
    "selectivity above 0": lambda case, layer: low(at(case.linear, layer, variant="selectivity")) > 0,
    "perceptron above the majority": lambda case, layer: above(
        at(case.perceptron, layer, variant="task"), at(case.perceptron, None, variant="majority")
    ),
    "perceptron above untrained twins": lambda case, layer: above(
        at(case.perceptron, layer, variant="task"),
        *(at(twin, layer, variant="task") for twin in case.perceptron_twins),
    ),
    "selectivity of the perceptron above 0": lambda case, layer: (
        low(at(case.perceptron, layer, variant="selectivity")) > 0
    ),
    "code shorter than the entropy": lambda case, layer: (
        low(compression(case, layer, metric="compression_of_entropy")) > 1
    ),
    "code shorter than the control's": lambda case, layer: above(
        compression(case, layer), compression(case, layer, "word_type")
    ),
    "V-information above 0": lambda case, layer: (
        low(at(case.information, layer, variant="task", metric="v_information_bits")) > 0
    ),
    "V-information beyond the embeddings": beyond_embeddings,
    "V-information beyond the embeddings, over .01 nats": lambda case, layer: beyond_embeddings(
        case, layer, TOLERANCE_BITS
    ),
}


def first_found(reading: Reading, case: Case) -> int | None:
    """The first layer at which a label is said to be."""
    return next((layer for layer in LAYERS if reading(case, layer)), None)


def first_there(case: Case) -> int | None:
    """The layer after the block that writes the label; none where a block only makes what it follows from."""
    return next((layer for layer in LAYERS if case.kind(layer) == "linear"), None)
