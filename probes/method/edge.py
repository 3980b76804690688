"""Edge probes: what a span of words is, or how two are related, layer by layer (Tenney et al. 2019a, 2019b).

The published fit takes 10,000 to 250,000 steps of AMSGrad at 1e-4 with a projection to 256. Ours takes hundreds to
thousands of steps of Adam in white coordinates with a projection to 64, which fits a corpus of some thousands of
examples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from probes.config import Settings
from probes.fit.edge import Edge
from probes.fit.mixed import SPLITS, MixPlan, MixProblem, Over, fit_mixes
from probes.fit.span import SpanRows, make_span_rows
from probes.method.build import Method
from probes.method.cumulative import Scored
from probes.method.mixture import TEST, TRAIN, check_subject, effective_config, fit_notes, weight_rows
from probes.method.subject import Findings, Subject
from probes.result import Finding, Panel
from probes.types import Task

# Their examples are (first, last) rows of one span, or of two; those of all other tasks are single words.
SPAN_TASKS = ("span_label", "relation")


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class EdgeSettings(Settings):
    """Settings of `edge`."""

    over: Annotated[tuple[Over, ...], BeforeValidator(_several)] = Field(default=("mix", "layer"), min_length=1)
    """What a probe of layer l reads: `mix` a mix of the layers 0..l, `layer` l alone. All are fitted at once."""
    projection: int = Field(default=64, ge=1)
    """Units to which every word is projected before its span is pooled; 256 in the paper."""
    hidden: int = Field(default=64, ge=1)
    """Hidden units of the perceptron that reads the pooled spans; 256 in the paper."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Share of these that are set to zero in a step."""
    refits: int = Field(default=0, ge=0)
    """Fits of the mix of all layers with the groups of train drawn again, for the intervals of weights and centre of
    gravity."""
    legacy: Literal["tenney2019"] | None = None
    """`tenney2019`: raw states, and a binary cross-entropy for each label in place of one over all labels."""


def probe_edges(subject: Subject, settings: EdgeSettings) -> Findings:
    """Scores of edge probes over mixes of layers and over single layers, with expected layer and mixing weights."""
    check_subject(subject, "edge")
    task, config = subject.task, effective_config(subject, settings.legacy)
    rows = {split: span_rows(subject, split) for split in SPLITS}
    family = Edge(len(rows["train"].starts), settings.projection, settings.hidden, settings.dropout)
    plan = MixPlan(
        family,
        settings.over,
        refits=settings.refits if "mix" in settings.over else 0,
        loss="sigmoid" if settings.legacy else "softmax",
    )
    fitted = fit_mixes(MixProblem(task, rows, config, subject.seed), plan)
    scored = [
        Scored(task, split, predicted, subject.seed, {"over": over})
        for split in SPLITS[1:]
        for over, predicted in zip(fitted.over, fitted.predicted[split], strict=True)
    ]
    notes = fit_notes(fitted, config) | {"loss": plan.loss}
    notes |= {f"{split}_longest_span": int(part.lengths.max()) for split, part in rows.items()}
    for one in scored:
        notes |= one.notes() if one.at["over"] == "mix" else {}
    found = list(_findings(scored))
    if fitted.weights is not None:
        found += weight_rows(fitted, task.splits["train"], {"over": "mix"})
    return Findings(tuple(found), _panels(task, settings), notes)


def span_rows(subject: Subject, split: str) -> SpanRows:
    """The words of the spans of every example; a task over words has spans of one word."""
    cache, index = subject.cache, subject.task.splits[split].index
    is_span = subject.task.name in SPAN_TASKS
    first, last = (index[:, ::2], index[:, 1::2]) if is_span else (index, index)
    return make_span_rows([cache.layer(layer, split) for layer in range(len(cache.layers))], first, last)


def _findings(scored: Sequence[Scored]) -> Iterator[Finding]:
    """Scores of every layer, depths of the mixes, and the floors of each split."""
    for number, one in enumerate(scored):
        yield from one.score_rows()
        yield from one.depth_rows() if one.at["over"] == "mix" else ()
        if number + 1 == len(scored) or scored[number + 1].split != one.split:
            yield from replace(one, at={}).floor_rows()


def _panels(task: Task, settings: EdgeSettings) -> tuple[Panel, ...]:
    score = "relation_f1" if task.scorer == "relation_f1" else "accuracy"
    scores = Panel(metric=score, title=f"{score} of edge probes", lines="over", is_share=True, where=TEST)
    if "mix" not in settings.over:
        return (scores,)
    gains = Panel(metric=f"{score}_gain", title="what a layer adds to a mix", is_share=True, where=TEST)
    return (
        scores,
        gains,
        Panel(metric="mix_weight", title="weight in the mix of all layers", where=TRAIN),
    )


METHOD = Method(EdgeSettings, probe_edges)
