"""One row for each question of an experiment, and how shares and intervals are written."""

from collections.abc import Iterable, Sequence

from probes.result import Record, Score
from probes.result.frame import tested_controls

SUMMARY = (
    "question",
    "labels",
    "test",
    "highest floor",
    "emb",
    "best on dev",
    "detectable",
    "untrained",
    "control",
    "official",
)


def summary_row(name: str, records: Sequence[Record]) -> tuple[str, ...]:
    """The first curve at `emb` and at its best layer, beside the floor, twin and control there.

    `detectable` is the smallest difference to the next layer that this test split shows: what is below it says nothing.
    """
    main, *others = records
    layer = main.best_layer
    best = main.select(variant="task", layer=layer)[0]
    floor = max(
        (score for score in main.select(layer=None) if _is_floor_of_task(main, score)), key=lambda one: one.value or 0
    )
    others = [one for one in others if one.config["encoder"].get("twin") and layer < len(one.layers)]
    twins: dict[str, list[str]] = {}
    for one in others:
        kind = one.config["encoder"]["twin"]["kind"].replace("_", " ")
        twins.setdefault(kind, []).append(percent(one.select(variant="task", layer=layer)[0].value))
    names = [f"{kind} " if len(twins) > 1 else "" for kind in twins]
    controls = [f"{one} {percent(main.select(variant=one, layer=layer)[0].value)}" for one in tested_controls(main)]
    capacity = main.select(variant="permuted", layer=layer, split="train", draw=0)
    controls += [f"permuted, on train {percent(score.value)}" for score in capacity]
    at_best = [
        f"{metric} {percent(main.select(variant='task', layer=layer, metric=metric)[0].value)}"
        for metric in official_scores([main])
    ]
    return (
        name,
        str(len(main.confusion.labels)),
        str(best.n),
        f"{floor.variant} {percent(floor.value)}",
        percent(main.select(variant="task", layer=0)[0].value),
        f"{main.layers[layer]}: {percent(best.value)} {interval(best)}",
        percent(best.detectable),
        "; ".join(kind + ", ".join(values) for kind, values in zip(names, twins.values(), strict=True)) or "-",
        ", ".join(controls) or "-",
        ", ".join(at_best) or "-",
    )


def _is_floor_of_task(record: Record, score: Score) -> bool:
    return not any(score.variant.startswith(f"{control}_") for control in record.config["task"]["controls"])


def official_scores(records: Sequence[Record]) -> list[str]:
    """Names of the scores that data sets came with."""
    names = {score.metric for record in records for score in record.scores if score.metric.endswith("_f1")}
    return sorted(names - {"macro_f1"})


def percent(value: float | None) -> str:
    """A share in per cent with one decimal; a dash for a share of nothing."""
    return "-" if value is None else f"{value * 100:.1f}"


def interval(score: Score) -> str:
    return f"[{percent(score.low)}, {percent(score.high)}]"


def markdown_rows(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A table in Markdown."""
    table = [header, ("---",) * len(header), *rows]
    return ["| " + " | ".join(row) + " |" for row in table]
