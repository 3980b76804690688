"""The official score of SemEval-2010 Task 8 (Hendrickx et al. 2010, section 4)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from probes.metric.chunk import f1

OTHER = "Other"


def relation_counts(
    labels: Int[np.ndarray, " example"],
    predicted: Int[np.ndarray, " example"],
    groups: Int[np.ndarray, " example"],
    names: Sequence[str],
    num_groups: int,
) -> Float[np.ndarray, "relation 3 group"]:
    """Right, wrong and missed of each relation in each group, without `Other`.

    The two directions of a relation, `Cause-Effect(e1,e2)` and `Cause-Effect(e2,e1)`, count together, but an answer
    with the wrong direction is wrong for the relation and misses it.
    """
    relations = [name.partition("(")[0] for name in names]
    known = sorted({relation for relation in relations if relation != OTHER})
    number = np.array([known.index(relation) if relation != OTHER else -1 for relation in relations])
    counts = np.zeros((len(known), 3, num_groups))
    wanted, found, right = number[labels], number[predicted], labels == predicted
    for row, chosen, relation in (
        (0, right, wanted),
        (1, ~right, found),
        (2, ~right, wanted),
    ):
        kept = chosen & (relation >= 0)
        np.add.at(counts[:, row], (relation[kept], groups[kept]), 1)
    return counts


def relation_f1(counts: Float[np.ndarray, "*curve relation 3"]) -> Float[np.ndarray, "*curve"]:
    """Unweighted mean of the F1 of all relations, those that were never found included."""
    return np.asarray(f1(counts).mean(axis=-1))
