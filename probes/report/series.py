"""The lines of a panel: what figures draw and tables list of analyses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from probes.result import Analysis, Finding, Panel
from probes.result.frame import twin_label

# Numbers that reach over more than this are shown by their logarithm.
WIDE = 20
LONGEST_NOTE = 600
Axis = Literal["steps", "numbers", "logarithm", "names"]
FIELDS = ("variant", "layer", "draw", "split", "subset", "metric")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel; a single point without a place on the axis is a floor."""

    name: str
    curve: str
    """`pretrained`, or the twin."""
    points: tuple[tuple[Any, Finding], ...]
    """Place on the axis, and what was found there."""

    @property
    def is_floor(self) -> bool:
        return self.points[0][0] is None


def lines_of(panel: Panel, analyses: Sequence[Analysis]) -> list[Line]:
    """The lines of a panel: for each analysis one for each value of `panel.lines`, in the order of the file."""
    lines = []
    for analysis in analyses:
        named: dict[str, list[tuple[Any, Finding]]] = {}
        for one in _shown(panel, analysis):
            place, value = read(one, panel.x), read(one, panel.lines)
            # A floor has no layer, whatever the panel's lines are.
            name = one.variant if value is None else _name(analysis, panel, value)
            named.setdefault(name, []).append((place, one))
        curve = twin_label(analysis)
        lines += [Line(name, curve, tuple(points)) for name, points in named.items()]
    return lines


def read(finding: Finding, key: str) -> Any:
    """A field of a finding, or one of its coordinates; none where it has no such coordinate."""
    return getattr(finding, key) if key in FIELDS else finding.at.get(key)


def places_of(panel: Panel, lines: Sequence[Line]) -> list[Any]:
    """Every place on the axis: numbers in order, names as they come."""
    found = dict.fromkeys(place for line in lines for place, _ in line.points if place is not None)
    places = list(found)
    return sorted(places) if all(isinstance(place, (int, float)) for place in places) else places


def place_name(panel: Panel, place: Any) -> str:
    """A place as people read it: layers by their names."""
    if panel.x == "layer":
        return "emb" if place == 0 else str(place)
    return f"{place:g}" if isinstance(place, float) else str(place)


def axis_of(panel: Panel, places: Sequence[Any]) -> Axis:
    """How places stand: `numbers` on a scale, `logarithm` where they reach over much, `names` below each other; `steps`
    side by side for layers, and for numbers with a name among them, such as `full` among ranks."""
    if panel.x == "layer":
        return "steps"
    are_numbers = [isinstance(place, (int, float)) for place in places]
    if not all(are_numbers):
        return "steps" if any(are_numbers) else "names"
    return "logarithm" if places and min(places) > 0 and max(places) > WIDE * min(places) else "numbers"


def metric_name(panel: Panel) -> str:
    """What the axis of values says."""
    return f"{panel.metric}, per cent" if panel.is_share else panel.metric


def notes_of(analyses: Sequence[Analysis]) -> list[str]:
    """What each analysis notes, in a line; long notes, such as a list of all settings, are left to the JSON."""
    lines = []
    for one in analyses:
        parts = (f"{key}: {value}" for key, value in one.notes.items())
        text = "; ".join(part for part in parts if len(part) <= LONGEST_NOTE)
        lines += [f"{twin_label(one)}: {text}."] if text else []
    return lines


def _shown(panel: Panel, analysis: Analysis) -> Iterator[Finding]:
    return (one for one in analysis.findings if one.draw is None and is_of(panel, one))


def is_of(panel: Panel, finding: Finding) -> bool:
    """Whether a panel is of this metric and these coordinates."""
    return finding.metric == panel.metric and all(read(finding, key) == value for key, value in panel.where.items())


def _name(analysis: Analysis, panel: Panel, value: Any) -> str:
    if panel.lines == "layer":
        return f"layer {analysis.layers[value]}"
    return str(value) if panel.lines in FIELDS else f"{panel.lines} {value}"
