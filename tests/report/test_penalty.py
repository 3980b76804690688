"""A grid of penalties that ends too early is told of where the curve is read."""

import pytest

from probes.report.methods import checklist
from probes.report.penalty import penalty_note
from probes.report.table import format_curve, format_markdown, format_summary
from probes.result import GridRow, Record

LAYERS = 13
BETTER, SAME = (0.5, 0.6), (0.5, 0.5)


def note_of(asking: int) -> str:
    return (
        f"At {asking} of 13 layers the strongest penalty offered (0.01) is clearly the best on dev. "
        f"Offer stronger ones in fit.l2."
    )


def asked(record: Record, asking: int, pair=BETTER, *, loss=(0.5, 0.5), select: str = "accuracy") -> Record:
    """The record with a grid of three penalties; at `asking` layers the two stronger ones have this pair on dev."""
    grid = []
    for layer in range(LAYERS):
        scores = (0.1, *(pair if layer < asking else SAME))
        rows = zip((1e-4, 1e-3, 1e-2), scores, (0.9, *loss), strict=True)
        grid += [
            GridRow(layer=layer, l2=l2, step_size=0.015, dev_accuracy=accuracy, dev_loss=nats, chosen=False)
            for l2, accuracy, nats in rows
        ]
    config = {**record.config, "fit": {**record.config["fit"], "select": select}}
    return record.model_copy(update={"grid": tuple(grid), "config": config})


@pytest.fixture
def record(study) -> Record:
    found = next(iter(study.curves)).record
    assert len(found.layers) == LAYERS
    return found


@pytest.mark.parametrize(
    ("asking", "pair", "noted"),
    [
        (13, BETTER, True),
        (7, BETTER, True),
        (6, BETTER, False),  # not more than half
        (13, (0.5, 0.5009), False),  # below a tenth of a point
        (13, (0.6, 0.5), False),
        (13, (None, 0.6), True),  # the weaker one diverged
        (13, (0.5, None), False),
        (13, (None, None), False),
    ],
)
def test_a_note_where_most_layers_would_take_a_stronger_penalty(record, asking, pair, noted):
    assert penalty_note(asked(record, asking, pair)) == (note_of(asking) if noted else None)


def test_the_likelihood_is_asked_where_it_chooses(record):
    worse = asked(record, 13, loss=(0.4, 0.5), select="log_likelihood")
    assert penalty_note(worse) is None
    better = asked(record, 0, loss=(0.5, 0.4), select="log_likelihood")
    assert penalty_note(better) == note_of(13)


def test_the_best_step_size_speaks_for_a_penalty(record):
    """A bad step size beside a good one takes nothing from a penalty."""
    low = asked(record, 13, (0.6, 0.2))
    high = [row.model_copy(update={"step_size": 0.1, "dev_accuracy": 0.7}) for row in low.grid if row.l2 == 1e-2]
    assert penalty_note(low) is None
    assert penalty_note(low.model_copy(update={"grid": (*low.grid, *high)})) == note_of(13)


def test_one_penalty_is_no_grid(record):
    grid = tuple(row for row in asked(record, 13).grid if row.l2 == 1e-2)
    assert penalty_note(record.model_copy(update={"grid": grid})) is None


def test_every_place_where_a_curve_is_read_has_the_note(record):
    asking, inside = asked(record, 13), asked(record, 13, (0.6, 0.5))
    assert format_curve(asking).splitlines()[-1] == note_of(13)
    other = asking.model_copy(update={"run_id": "0123456789"})
    said = "At most layers the strongest penalty offered is clearly the best on dev. Offer stronger ones in fit.l2."
    shown = format_summary([asking, inside, other]).splitlines()
    assert shown[4:] == [f"{record.run_id[:6]}, 012345: {said}"]
    assert format_markdown([asking]).splitlines()[-1] == f"toy-bert, pretrained: {note_of(13)}"
    item = "no stronger penalty than those offered is asked for by dev"
    assert dict(checklist([asking]))[item] is False
    assert dict(checklist([inside]))[item] is True
    assert "stronger" not in format_curve(inside) + format_summary([inside]) + format_markdown([inside])
