"""What the paper says of the multiverse: how often each claim holds, and which choice moves it most."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kept import SHOWN, Kept, Numbers, escape

# Choices by fewer letters.
SHORT_CHOICE = {
    "0.01": "1 % of train",
    "0.3": "30 % of train",
    "1.0": "all of train",
    "perceptron 50, raw states as Jawahar et al.": "four epochs",
    **{f"dev, penalty {number}": f"penalty {number}" for number in range(1, 5)},
    "dev, penalty by accuracy": "dev",
    "dev, penalty by likelihood": "dev loss",
    "linear, rank 10": "rank 10",
    "linear, raw states": "raw states",
    "perceptron 50": "perceptron",
    "cls": "[CLS]",
    "random_blocks 0": "random blocks",
}
# Claims about layers by what the text calls them.
CLAIMS = {
    "part of speech is best read below the last layer": "pos.below",
    "part of speech is best read in the lower half": "pos.lower",
    "the embeddings are the worst layer for part of speech": "pos.worst",
    "dependency labels are best read later than parts of speech": "order",
    "dependency labels are best read in the middle third": "label.middle",
    "sentence length is best read in the lower half": "length",
    "bigram shift is best read in the upper half": "shift",
    "the depth of trees comes after length": "depth",
    "tense comes after length": "tense",
    "the number of the subject is best read in the middle third": "number",
    "pos: the trained encoder is better behind every block": "pos.twin",
    "dependency label: the trained encoder is better behind every block": "label.twin",
}
# A claim that holds under as large a share of specifications, or fails under it, does not depend on them.
ALWAYS = 0.95


def claims_numbers(kept: Kept) -> Numbers:
    """Under how many specifications in a hundred each claim holds, in all and at each value of each choice."""
    found = kept.of_encoders("multiverse")
    for key, body in found.items():
        yield f"multiverse.{key}", f"{body['specifications']:,}"
        for row in (row for row in body["claims"] if row["of"]):
            name = f"multiverse.{key}.{CLAIMS[row['claim']]}"
            yield name, f"{100 * row['holds'] / row['of']:.0f}"
            for axis, counts in row["by_choice"].items():
                for value, (holds, of) in counts.items():
                    yield f"{name}.{axis}.{value}", f"{100 * holds / of:.0f}"
        moved = [_shift(row["by_choice"]["precision of the encoder"]) for row in body["claims"] if _has_precision(row)]
        if moved:
            yield f"multiverse.{key}.precision", f"{100 * max(moved):.0f}"
    own = [
        [row["holds"] / row["of"] for row in body["claims"] if row["source"] and row["of"]] for body in found.values()
    ]
    pairs = list(zip(*own, strict=True))
    yield "multiverse.claims", str(len(pairs))
    yield "multiverse.always", str(sum(min(pair) >= ALWAYS for pair in pairs))
    yield "multiverse.never", str(sum(max(pair) <= 1 - ALWAYS for pair in pairs))
    yield "multiverse.between", str(sum(any(1 - ALWAYS < share < ALWAYS for share in pair) for pair in pairs))


def _has_precision(row: Mapping[str, Any]) -> bool:
    return "precision of the encoder" in row["by_choice"]


def _shift(counts: Mapping[str, Sequence[int]]) -> float:
    """The largest difference between the shares at the values of a choice."""
    shares = [holds / of for holds, of in counts.values()]
    return max(shares) - min(shares)


def claims_table(kept: Kept) -> Iterator[str]:
    """The share of specifications under which each claim holds, and the choice that moves it most, for each encoder."""
    found = kept.of_encoders("multiverse")
    names = " & ".join(f"\\multicolumn{{2}}{{l}}{{{SHOWN[key]}}}" for key in found)
    columns = "rl" * len(found)
    yield f"\\begin{{tabular}}{{@{{}}l{columns}@{{}}}}"
    yield "\\toprule"
    yield f"claim & {names} \\\\"
    yield "\\midrule"
    for rows in zip(*(body["claims"] for body in found.values()), strict=True):
        cells = [cell for row in rows for cell in (_share(row["holds"], row["of"]), _moves(row))]
        yield f"{escape(rows[0]['claim'])} & {' & '.join(cells)} \\\\"
    yield "\\bottomrule"
    yield "\\end{tabular}"


def _share(holds: int, of: int) -> str:
    return f"{100 * holds / of:.0f}" if of else "--"


def _moves(row: Mapping[str, Any]) -> str:
    """The choice, and the shares at those of its values under which a claim holds least and most often."""
    if row["moved_by"] is None:
        return "--"
    counts = sorted(row["by_choice"][row["moved_by"]].items(), key=lambda one: one[1][0] / one[1][1])
    ends = (f"{escape(SHORT_CHOICE.get(value, value))}: {_share(*count)}" for value, count in (counts[0], counts[-1]))
    return ", ".join(ends)


def unit_numbers(kept: Kept) -> Numbers:
    """Standard errors of part of speech by what is resampled, and the pairs of layers that are told apart."""
    for one in kept.json("multiverse/unit-layer_pos.json"):
        key = "unit.twin" if "untrained" in one["curve"] else "unit"
        if key == "unit.twin" and "seed 0" not in one["curve"]:
            continue
        for unit in one["units"]:
            yield f"{key}.{unit['unit']}", f"{100 * min(unit['standard_error']):.2f}"
            yield f"{key}.{unit['unit']}.apart", f"{unit['told_apart']} of {unit['pairs']}"
