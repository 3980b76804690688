"""The scores of readings for people: a table, and a figure of what each calls there."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from readings import READINGS

from probes.report.figure import ORANGE, PAGE_INCHES, STYLE, write_figure

# What a label is at a layer of an encoder.
KINDS = ("linear", "nonlinear", "word", "position", "length", "absent")
# What a reading should say is there: what the encoder computed from context.
WANTED = {"linear", "nonlinear"}


def write_table(found: dict[str, Any]) -> Iterator[str]:
    """The scores for people."""
    yield "Layers of encoders at which a reading says that a label is there, of all where it is what the column says:"
    yield "right for `linear` and `nonlinear`, everywhere else the encoder has computed nothing."
    yield ""
    yield "| reading | " + " | ".join(KINDS) + " | first layer right | too early | too late | never |"
    yield "|---" * (5 + len(KINDS)) + "|"
    for name in READINGS:
        own = {row["kind"]: f"{row['found']}/{row['of']}" for row in found["rates"] if row["reading"] == name}
        errors = [row["error"] for row in found["layer_errors"] if row["reading"] == name]
        known = [error for error in errors if error is not None]
        counts = (
            sum(error == 0 for error in known),
            sum(error < 0 for error in known),
            sum(error > 0 for error in known),
            len(errors) - len(known),
        )
        yield f"| {name} | {' | '.join(own[kind] for kind in KINDS)} | {' | '.join(map(str, counts))} |"
    yield ""
    yield "Other methods: places where what they say is there, and where it is not."
    yield ""
    yield "| method says | where it is so | where it is not |"
    yield "|---|---|---|"
    for row in found["methods"]:
        counts = (f"{row['found']}/{row['of']}", f"{row['false']}/{row['of_false']}")
        yield f"| {row['reading']} | {' | '.join('-' if one == '0/0' else one for one in counts)} |"
    yield ""
    yield "| encoder | block that writes | expected layer of mixes |"
    yield "|---|---|---|"
    for row in found["expected_layer"]:
        yield f"| {row['encoder']} | {row['written'] or '-'} | {_interval(row['value'], row['low'], row['high'])} |"
    yield ""
    yield "| encoder | tree | UUAS by layer, chain |"
    yield "|---|---|---|"
    for name in dict.fromkeys(row["encoder"] for row in found["tree"]):
        own = [row for row in found["tree"] if row["encoder"] == name]
        layers = ", ".join(str(row["layer"]) for row in own if row["is_there"]) or "nowhere"
        values = " ".join(f"{row['uuas']:.2f}" for row in own)
        yield f"| {name} | {layers} | {values}, {own[0]['chain']:.2f} |"
    yield ""
    yield "| encoder | context before and after LEACE, by layer | word, position lost at most |"
    yield "|---|---|---|"
    for name in dict.fromkeys(row["encoder"] for row in found["erasure"]):
        own = [row for row in found["erasure"] if row["encoder"] == name]
        values = ", ".join(f"{row['before']:.2f} {row['left']:.2f}" for row in own)
        most = (max(row["lost"][task][1] for row in own) for task in own[0]["lost"])
        yield f"| {name} | {values} | {', '.join(f'{value:.3f}' for value in most)} |"
    yield ""
    yield "| encoder | used | erased at | effect at the last layer |"
    yield "|---|---|---|---|"
    for row in found["use"]:
        used = "yes" if row["is_used"] else "no"
        yield f"| {row['encoder']} | {used} | {row['edited']} | {_interval(row['effect'], row['low'], row['high'])} |"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "undefined"
    bounds = "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"
    return f"{value:.2f}{bounds}"


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Readings by kinds of truth: the share of layers at which each says that the label is there."""
    with rc_context(STYLE):
        figure = Figure(figsize=(PAGE_INCHES, 0.8 + 0.24 * len(READINGS)), layout="constrained")
        axes = figure.subplots()
        shares = {(row["reading"], row["kind"]): row["found"] / row["of"] for row in rows if row["of"]}
        for y, name in enumerate(reversed(READINGS)):
            for x, kind in enumerate(KINDS):
                share = shares.get((name, kind))
                if share is None:
                    continue
                wrong = 1 - share if kind in WANTED else share
                axes.add_patch(Rectangle((x, y), 1, 1, facecolor=ORANGE, alpha=0.85 * wrong, edgecolor="white"))
                axes.text(x + 0.5, y + 0.5, f"{100 * share:.0f}", ha="center", va="center")
        axes.set(xlim=(0, len(KINDS)), ylim=(0, len(READINGS)))
        axes.set_xticks([x + 0.5 for x in range(len(KINDS))], list(KINDS))
        axes.set_yticks([y + 0.5 for y in range(len(READINGS))], list(reversed(READINGS)))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        title = "per cent of layers at which a reading says that a label is there; the redder, the more wrong"
        figure.suptitle(title, fontsize=8)
        write_figure(figure, path)
