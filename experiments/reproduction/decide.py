"""Whether a prediction holds: each kind reads the runs of one encoder and gives yes or no with its numbers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from probes.result import Analysis, Finding, Record, Score

Found = Record | Analysis


class NotThereError(LookupError):
    """What a prediction asks was not run, or is not defined: it has no verdict."""


@dataclass(frozen=True, slots=True)
class Decision:
    held: bool
    shown: str
    twins: str = ""
    """What untrained twins have where the prediction looks. No prediction asks for it: it is what a yes is worth."""


def _own(found: Sequence[Sequence[Found]], task: str | None = None) -> Any:
    """The run of the encoder itself; raises NotThereError where it is not there."""
    for run in _of_task(found, task):
        if not run.config["encoder"].get("twin"):
            return run
    raise NotThereError(task)


def _twins(found: Sequence[Sequence[Found]], task: str | None = None) -> list[Any]:
    return [run for run in _of_task(found, task) if run.config["encoder"].get("twin")]


def _of_task(found: Sequence[Sequence[Found]], task: str | None) -> list[Any]:
    return [run for part in found for run in part if task in (None, run.task)]


def _range(values: Sequence[float], digits: int) -> str:
    """The least and the greatest of some twins."""
    return " to ".join(dict.fromkeys(f"{one:.{digits}f}" for one in (min(values), max(values)))) if values else ""


def falls(found: Sequence[Sequence[Found]], *, task: str, best_below: float) -> Decision:
    """The best layer of dev is below a share of the depth, and test tells the last layer from the best."""
    return _best_layer(found, task, lambda depth: depth < best_below, end=-1)


def rises(found: Sequence[Sequence[Found]], *, task: str, best_above: float) -> Decision:
    """The best layer of dev is above a share of the depth, and test tells the embeddings from the best."""
    return _best_layer(found, task, lambda depth: depth > best_above, end=0)


def _best_layer(
    found: Sequence[Sequence[Found]], task: str, is_there: Callable[[float], bool], *, end: int
) -> Decision:
    record: Record = _own(found, task)
    last = len(record.layers) - 1
    other = last if end else 0
    best, value = record.best_layer, _percent(record, record.best_layer)
    # A constant vector, [CLS] at the embeddings, is not among what the best is compared with: so the interval, too.
    chosen, end_of_curve = (_score(record, layer) for layer in (best, other))
    is_told = other not in record.may_be_best and (chosen.low or 0) > (end_of_curve.value or 0)
    as_good = [record.layers[layer] for layer in record.may_be_best if layer != best]
    also = f" (not told from {', '.join(as_good)})" if as_good else ""
    shown = f"{value} at layer {record.layers[best]}{also}, {_percent(record, other)} at {record.layers[other]}"
    twins = [100 * (_score(twin, best).value or 0) for twin in _twins(found, task)]
    return Decision(is_there(best / last) and is_told, shown, _range(twins, 1))


def _score(record: Record, layer: int) -> Score:
    return record.select(variant="task", layer=layer)[0]


def _percent(record: Record, layer: int) -> str:
    score = _score(record, layer)
    return f"{100 * (score.value or 0):.1f} [{100 * (score.low or 0):.1f}, {100 * (score.high or 0):.1f}]"


def order(found: Sequence[Sequence[Found]], *, lower: str, higher: str) -> Decision:
    """The interval of one task's expected layer, as a share of the depth, lies below that of another's."""
    first, second = (_expected(_own(found, task)) for task in (lower, higher))
    if None in (first.high, second.low):
        raise NotThereError("an expected layer where nothing is gained")
    of_twins = [_expected(twin).value for task in (lower, higher) for twin in _twins(found, task)]
    defined = [value for value in of_twins if value is not None]
    shown = [*([_range(defined, 2)] if defined else []), *(["undefined"] if len(defined) < len(of_twins) else [])]
    return Decision(first.high < second.low, f"{_interval(first)} and {_interval(second)}", " or ".join(shown))


def _expected(analysis: Analysis) -> Finding:
    return analysis.select(metric="expected_layer_relative", split="dev", at={"score": "accuracy"})[0]


def _interval(one: Finding) -> str:
    if one.value is None or one.low is None or one.high is None:
        return "undefined"
    return f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


def tree(found: Sequence[Sequence[Found]], *, rank: int, best_between: Sequence[float]) -> Decision:
    """The layer that dev chose lies between two shares of the depth, above the chain, and the last is below it."""
    analysis = _own(found, "tree_distance")
    last = len(analysis.layers) - 1
    chosen, top = _uuas(analysis, rank), _uuas(analysis, rank, layer=last)
    (chain,) = analysis.select(variant="chain", metric="uuas")
    low, high = best_between
    is_there = low <= chosen.layer / last <= high
    layer = analysis.layers[chosen.layer]
    shown = f"{_interval(chosen)} at layer {layer}, {_interval(top)} at the last, chain {chain.value:.2f}"
    twins = [_uuas(twin, rank, layer=chosen.layer).value for twin in _twins(found, "tree_distance")]
    return Decision(is_there and chosen.low > chain.high and top.high < chosen.low, shown, _range(twins, 2))


def rank(found: Sequence[Sequence[Found]], *, rank: int, within: float) -> Decision:
    """At the layer that dev chose for the largest rank, a low rank is as good within a tolerance."""
    analysis = _own(found, "tree_distance")
    full = _uuas(analysis, max(map(int, analysis.notes["ranks"])))
    some = _uuas(analysis, rank, layer=full.layer)
    layer = analysis.layers[full.layer]
    twins = [_uuas(twin, rank, layer=full.layer).value for twin in _twins(found, "tree_distance")]
    shown = f"{some.value:.3f} and {full.value:.3f} at layer {layer}"
    return Decision(full.value - some.value <= within, shown, _range(twins, 3))


def _uuas(analysis: Analysis, rank: int, *, layer: int | None = None) -> Any:
    """UUAS on test of a rank, by default at the layer that is best on dev."""
    if layer is None:
        layer = analysis.layers.index(analysis.notes["ranks"][str(rank)]["best_layer_on_dev"])
    return analysis.select(variant="task", metric="uuas", layer=layer, at={"rank": rank})[0]


def selective(found: Sequence[Sequence[Found]], *, at_most_better: float, at_least_less_selective: float) -> Decision:
    """Where dev says that the linear probe is best: what the largest perceptron adds, and loses in selectivity."""
    analysis = _own(found)
    full = {"axis": "rank", "rank": "full"}
    dev = analysis.select(variant="task", metric="accuracy", at=full, split="dev")
    layer = max(dev, key=lambda one: one.value or 0).layer
    sizes = [one.at["hidden"] for one in analysis.select(variant="task", metric="accuracy", at={"axis": "hidden"})]

    def gained(run: Analysis, variant: str) -> float:
        linear, perceptron = (
            run.select(variant=variant, metric="accuracy", layer=layer, at=where)[0].value or 0
            for where in (full, {"axis": "hidden", "hidden": max(sizes)})
        )
        return perceptron - linear

    better, less = gained(analysis, "task"), -gained(analysis, "selectivity")
    shown = f"{100 * better:+.1f} points of accuracy, {-100 * less:+.1f} of selectivity at layer {layer}"
    twins = [100 * gained(twin, "task") for twin in _twins(found)]
    return Decision(better <= at_most_better and less >= at_least_less_selective, shown, _range(twins, 1))


def shorter_code(found: Sequence[Sequence[Found]]) -> Decision:
    """The interval of the task's code lies below that of the control's at every layer."""
    task, control = (_bits(_own(found), variant) for variant in ("task", "word_type"))
    shown = ", ".join(f"{task[layer].value:.2f} / {control[layer].value:.2f}" for layer in (0, max(task)))
    twins = [one.value for twin in _twins(found) for one in _bits(twin, "task").values()]
    held = all(task[layer].high < control[layer].low for layer in task)
    return Decision(held, f"bits an example: {shown}", _range(twins, 2))


def _bits(analysis: Analysis, variant: str) -> dict[int, Any]:
    found = analysis.select(variant=variant, metric="bits_per_example", split="train")
    return {one.layer or 0: one for one in found}


def heads(found: Sequence[Sequence[Found]], *, relations: Sequence[str]) -> Decision:
    """The paired difference of the chosen head and the best offset is above 0 for every relation."""
    gains = {relation: _gain(_own(found), relation) for relation in relations}
    shown = ", ".join(f"{name} {_interval(one)}" for name, one in gains.items())
    twins = [_gain(twin, relation).value or 0 for twin in _twins(found) for relation in relations]
    return Decision(all((one.low or 0) > 0 for one in gains.values()), shown, _range(twins, 2))


def _gain(analysis: Analysis, relation: str) -> Finding:
    """What the head that dev chose has over the best fixed distance."""
    at = {"relation": relation, "among": "encoder"}
    return analysis.select(variant="best_head", metric="accuracy_over_offset", at=at)[0]


DECIDE: dict[str, Callable[..., Decision]] = {
    "falls": falls,
    "heads": heads,
    "order": order,
    "rank": rank,
    "rises": rises,
    "selective": selective,
    "shorter_code": shorter_code,
    "tree": tree,
}
