"""What a paper says of its probes: a paragraph, its references, and a list of what a reader will ask."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import Any

from probes.metric.interval import LEVEL, RESAMPLES
from probes.report.penalty import penalty_note
from probes.result import Analysis, Record

CITED = {
    "edge": ("tenney-etal-2019a",),
    "erasure": ("belrose-etal-2023",),
    "geometry": ("kornblith-etal-2019",),
    "heads": ("clark-etal-2019",),
    "information": ("xu-etal-2020", "hewitt-etal-2021"),
    "likelihood": ("warstadt-etal-2020", "salazar-etal-2020"),
    "mix": ("tenney-etal-2019b",),
    "online": ("voita-titov-2020",),
    "structure": ("hewitt-manning-2019",),
    "sweep": ("hewitt-liang-2019", "pimentel-etal-2020"),
    "use": ("elazar-etal-2021",),
}
WITHOUT_PROBES = {"geometry", "heads", "likelihood"}
FEWEST_DRAWS, FEWEST_TWINS = 5, 3
SPECIAL = {mark: f"\\{mark}" for mark in "&%$#_{}"}


def write_methods(found: Sequence[Record | Analysis]) -> str:
    """LaTeX of a paragraph, BibTeX of what it cites, and a checklist; all of it read from the results themselves."""
    sentences = [*_describe_data(found), *(_describe_fit(found[0]))]
    sentences += _describe_curves(found) if isinstance(found[0], Record) else _describe_analyses(found)
    paragraph = " ".join(sentences)
    keys = [key for key in _references() if key in paragraph]
    parts = ["% Methods", paragraph, "", "% References", *(_references()[key] for key in keys), "", "% Checklist"]
    return "\n".join([*parts, *(f"% [{'x' if holds else ' '}] {item}" for item, holds in checklist(found))])


def checklist(found: Sequence[Record | Analysis]) -> Iterator[tuple[str, bool]]:
    """What a reader will ask of a layer analysis, and whether these results have it."""
    twins = [one for one in found if one.config["encoder"].get("twin")]
    commits = {one.environment.get("commit") for one in found}
    yield f"untrained twins, at least {FEWEST_TWINS} seeds", len(twins) >= FEWEST_TWINS
    yield "one state of the code made all runs, and its commit is recorded", len(commits) == 1 and commits != {None}
    records = [one for one in found if isinstance(one, Record)]
    if not records:
        return
    draws = [one.config["task"]["draws"] for one in records if one.config["task"]["controls"]]
    yield f"a control task, at least {FEWEST_DRAWS} draws", bool(draws) and min(draws) >= FEWEST_DRAWS
    rows = [row for one in records for row in one.probes if row.variant == "task" and row.gap is not None]
    yield "probes of the task have an optimum, and every one is near it", bool(rows) and all(r.converged for r in rows)
    yield "no stronger penalty than those offered is asked for by dev", not any(map(penalty_note, records))
    yield (
        "intervals resample clusters larger than an example",
        all(score.groups < score.n for one in records for score in one.select(variant="task")),
    )
    yield "no sentence of test stands in train", not any(one.overlaps.get("test in train") for one in records)


def _describe_data(found: Sequence[Record | Analysis]) -> Iterator[str]:
    encoders = dict.fromkeys(_encoder(one) for one in found)
    corpora = dict.fromkeys(one.config["corpus"]["path"] or one.config["corpus"]["reader"] for one in found)
    tasks = dict.fromkeys(one.task for one in found)
    yield (
        f"We read all hidden states of {_list(encoders)}, from the output of the embeddings (layer 0) to block "
        f"{found[0].layers[-1]}, over {_list(corpora)} with frozen weights, and ask of each layer {_list(tasks)}."
    )
    shares = {one.config["task"].get("train_share", 1.0) for one in found}
    if min(shares) < 1:
        parts = _list([f"{100 * share:g} %" for share in sorted(shares)])
        yield f"Probes are fitted to {parts} of the training sentences."
    if twins := {(t["kind"], t["seed"]) for one in found if (t := one.config["encoder"].get("twin"))}:
        kinds = dict.fromkeys(kind.replace("_", " ") for kind, _ in sorted(twins))
        number = "stands 1 copy" if len(twins) == 1 else f"stand {len(twins)} copies"
        yield f"Beside the encoder {number} of it ({_list(kinds)}) whose weights never saw text."


def _encoder(one: Record | Analysis) -> str:
    """Name and revision; a twin is told of elsewhere."""
    encoder = one.config["encoder"]
    revision = f", revision {encoder['revision']}" if encoder.get("revision") else ""
    return f"{encoder['name']}{revision}"


def _describe_fit(one: Record | Analysis) -> Iterator[str]:
    """How probes are fitted; nothing of a method that fits none."""
    if isinstance(one, Analysis) and one.method in WITHOUT_PROBES:
        return
    fit = one.config["fit"]
    kinds = {"linear": "linear probes", "mlp": f"perceptrons with {_list(fit['hidden'])} hidden units"}
    states = "states as they are" if fit["features"] == "raw" else "states standardised on train"
    optimum = "solved to their optimum" if fit["solver"] == "exact" else f"fitted for up to {fit['epochs']} epochs"
    if fit["solver"] == "stack" and fit["min_steps"] > 1:
        optimum += f" or {fit['min_steps']} steps, whichever is more"
    penalties = _list(f"{value:g}" for value in fit["l2"])
    chosen = f"chosen on dev for each layer among {penalties}" if len(fit["l2"]) > 1 else f"of {penalties}"
    yield (
        f"We use {kinds.get(fit['probe'], fit['probe'])} on {states}, {optimum}, with an L2 penalty {chosen}; test is "
        f"read once, when everything is chosen."
    )


def _describe_curves(found: Sequence[Record | Analysis]) -> Iterator[str]:
    records = [one for one in found if isinstance(one, Record)]
    task = records[0].config["task"]
    if task["controls"]:
        yield (
            f"Selectivity is accuracy on the task less that on {task['draws']} drawn control tasks "
            f"({_list(name.replace('_', ' ') for name in task['controls'])}; \\citealp{{hewitt-liang-2019}})."
        )
    score = records[0].select(variant="task")[0]
    yield (
        f"Intervals are {100 * LEVEL:.0f}\\% percentile bootstraps over {score.groups:,} groups of the {score.n:,} "
        f"test examples ({RESAMPLES:,} resamples); the best layer is chosen on dev and named with all layers that a "
        f"comparison with the best does not exclude on test."
    )


def _describe_analyses(found: Sequence[Record | Analysis]) -> Iterator[str]:
    for method in dict.fromkeys(one.method for one in found if isinstance(one, Analysis)):
        cited = f" \\citep{{{','.join(CITED[method])}}}" if method in CITED else ""
        yield f"The analysis is \\emph{{{method}}}{cited}."
    yield f"Intervals, unless said otherwise, are {100 * LEVEL:.0f}\\% percentile bootstraps over groups."


def _list(names: Any) -> str:
    every = ["".join(SPECIAL.get(mark, mark) for mark in str(name)) for name in names]
    return " and ".join([", ".join(every[:-1]), every[-1]] if len(every) > 1 else every)


def _references() -> dict[str, str]:
    """BibTeX entries by their key."""
    text = (files("probes.report") / "references.bib").read_text(encoding="utf-8")
    entries = [f"@{part.strip()}" for part in text.split("\n@") if part.strip()]
    entries[0] = entries[0].removeprefix("@")
    return {entry.partition("{")[2].partition(",")[0]: entry for entry in entries}
