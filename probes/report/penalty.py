"""Whether dev asks for stronger penalties than it was offered."""

from probes.result import GridRow, Record

LEAST_GAIN = 0.001
"""A tenth of a point of dev accuracy, or a thousandth of a nat where the likelihood chooses."""

ASKED_FOR_MORE = (
    "At most layers the strongest penalty offered is clearly the best on dev. Offer stronger ones in fit.l2."
)
"""What is said of several curves at once."""


def penalty_note(record: Record) -> str | None:
    """A sentence where more than half of the layers would take a stronger penalty than any offered, else None.

    A layer would where the strongest offered is better on dev than the next by `LEAST_GAIN`. The best penalty then
    lies beyond the grid, and a low accuracy may be that of the fit.
    """
    offered = sorted({row.l2 for row in record.grid})
    if len(offered) < 2:
        return None
    *_, second, strongest = offered
    layers = range(len(record.layers))
    asking = sum(_best(record, layer, strongest) - _best(record, layer, second) >= LEAST_GAIN for layer in layers)
    if 2 * asking <= len(layers):
        return None
    return (
        f"At {asking} of {len(layers)} layers the strongest penalty offered ({strongest:g}) is clearly the best on "
        f"dev. Offer stronger ones in fit.l2."
    )


def _best(record: Record, layer: int, l2: float) -> float:
    """What chooses, at its best for this penalty over all step sizes; minus infinity where every one diverged."""
    rows = (row for row in record.grid if row.layer == layer and row.l2 == l2)
    by_accuracy = record.config["fit"]["select"] == "accuracy"
    return max((_score(row, by_accuracy) for row in rows), default=float("-inf"))


def _score(row: GridRow, by_accuracy: bool) -> float:
    value = row.dev_accuracy if by_accuracy else row.dev_loss
    if value is None:
        return float("-inf")
    return value if by_accuracy else -value
