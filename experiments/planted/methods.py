"""What methods other than a probe's curve say of planted encoders, and how often they are right."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from readings import LAYERS

import probes
from probes.planted import NUM_BLOCKS, PLANTINGS
from probes.result import Finding

PREFIX = "planted:"


def expected_layers(results: Path) -> Iterator[dict[str, Any]]:
    """Where scalar mixes say that `context` comes in, beside the block that writes it."""
    for one in probes.read_analyses("planted_mix", results):
        name = one.config["encoder"]["name"].removeprefix(PREFIX)
        (found,) = one.select(metric="expected_layer", split="dev", at={"score": "accuracy"})
        yield {"encoder": name, "written": PLANTINGS[name].written, **_with_interval("value", found)}


def tree_rows(results: Path) -> Iterator[dict[str, Any]]:
    """UUAS of a structural probe of full rank by layer, beside the chain's."""
    for one in probes.read_analyses("planted_tree", results):
        name, twin = one.config["encoder"]["name"].removeprefix(PREFIX), one.config["encoder"].get("twin")
        (chain,) = one.select(variant="chain", metric="uuas")
        full = max(map(int, one.notes["ranks"]))
        for layer in LAYERS:
            (found,) = one.select(variant="task", metric="uuas", layer=layer, at={"rank": full})
            yield {
                "encoder": "untrained" if twin else name,
                "layer": layer,
                "is_there": twin is None and PLANTINGS[name].has_tree(layer),
                **_with_interval("uuas", found),
                "chain": chain.value,
            }


def use_rows(results: Path) -> Iterator[dict[str, Any]]:
    """What erasing `context` at a layer costs at the last one, beyond random subspaces."""
    for one in probes.read_analyses("planted_use", results):
        name = one.config["encoder"]["name"].removeprefix(PREFIX)
        for found in one.select(variant="effect", metric="accuracy_effect", layer=NUM_BLOCKS):
            yield {
                "encoder": name,
                "is_used": PLANTINGS[name].is_used,
                "edited": found.at["edited"],
                **_with_interval("effect", found),
            }


def _with_interval(name: str, found: Finding) -> dict[str, float | None]:
    return {name: found.value, "low": found.low, "high": found.high}


def erasure_rows(results: Path) -> Iterator[dict[str, Any]]:
    """What is left of `context` after LEACE, and what other labels lose by it, in points of accuracy."""
    for one in probes.read_analyses("planted_erasure", results):
        name = one.config["encoder"]["name"].removeprefix(PREFIX)
        erased, *others = one.notes["probed"]
        (majority,) = one.select(variant="majority", metric="accuracy", at={"probed": erased})
        for layer in LAYERS:
            there = {"layer": layer, "metric": "accuracy", "at": {"probed": erased}}
            (before,), (left,) = one.select(variant="before", **there), one.select(variant="leace", **there)
            yield {
                "encoder": name,
                "layer": layer,
                "is_there": PLANTINGS[name].truth("context", layer) == "linear",
                "before": before.value,
                "left": left.value,
                "low": left.low,
                "majority_high": majority.high,
                "lost": {other: _lost(one, other, layer) for other in others},
            }


def _lost(one: Any, task: str, layer: int) -> list[float | None]:
    """Lower end and value of what a task lost."""
    (found,) = one.select(variant="leace", metric="accuracy_drop", layer=layer, at={"probed": task})
    return [found.low, found.value]


def method_rates(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    """For each way of reading a method: of so many places where it should say yes, and of those where it should not."""
    mixes, erased, used = found["expected_layer"], found["erasure"], found["use"]
    yield _rate(
        "expected layer rounds to the block that writes",
        [round(row["value"] or 0) == row["written"] for row in mixes if row["written"]],
        [row["value"] is not None for row in mixes if not row["written"]],
    )
    twin = {row["layer"]: row["high"] for row in found["tree"] if row["encoder"] == "untrained"}
    trees = [row for row in found["tree"] if row["encoder"] != "untrained"]
    for name, bound in (
        ("structural probe above the chain", lambda row: row["chain"]),
        ("structural probe above an untrained twin", lambda row: twin[row["layer"]]),
    ):
        yield _rate(name, *([row["low"] > bound(row) for row in trees if row["is_there"] == there] for there in _BOTH))
    yield _rate(
        "erased, and read no better than the majority",
        [row["low"] <= row["majority_high"] for row in erased if row["is_there"]],
        [],
    )
    yield _rate(
        "erased, and another label is read less well",
        [],
        [low > 0 for row in erased for low, _ in row["lost"].values()],
    )
    yield _rate(
        "erasing it changes the answer",
        *([row["high"] < 0 for row in used if row["is_used"] == is_used] for is_used in _BOTH),
    )


_BOTH = (True, False)


def _rate(reading: str, right: Sequence[bool], wrong: Sequence[bool]) -> dict[str, Any]:
    return {"reading": reading, "found": sum(right), "of": len(right), "false": sum(wrong), "of_false": len(wrong)}
