"""Scalar mix probes: at which layers a task is read, from cumulative mixes of layers (Tenney et al. 2019b).

For each layer l one probe reads gamma * sum of softmax(a)_k * h_k over the layers k = 0..l. Each layer is standardised
on train first: raw layers differ in scale, and a weight would then say as much of the scale as of the use that is made
of the layer. The published system mixes raw layers.
"""

from typing import Literal

from pydantic import Field

from probes.config import Settings
from probes.fit.family import make_family
from probes.fit.mixed import SPLITS, MixPlan, MixProblem, fit_mixes
from probes.fit.read import SplitRows
from probes.method.build import Method
from probes.method.cumulative import Scored
from probes.method.mixture import TEST, TRAIN, check_subject, effective_config, fit_notes, weight_rows
from probes.method.subject import Findings, Subject
from probes.result import Panel


class MixSettings(Settings):
    """Settings of `mix`."""

    refits: int = Field(default=10, ge=0)
    """Fits of the mix of all layers with the groups of train drawn again, for the intervals of weights and centre of
    gravity; none of these has an interval below 2."""
    legacy: Literal["tenney2019"] | None = None
    """`tenney2019`: layers are mixed as they are, not standardised."""


def probe_mixes(subject: Subject, settings: MixSettings) -> Findings:
    """Cumulative scores by layer, what each layer adds, the expected layer, the weights and their centre of gravity."""
    check_subject(subject, "mix")
    task, cache, config = subject.task, subject.cache, effective_config(subject, settings.legacy)
    # The product of two slots is not linear in the layers, and the published probes read none.
    rows = {
        split: SplitRows(
            [cache.layer(layer, split) for layer in range(len(cache.layers))], task.splits[split].index, product=False
        )
        for split in SPLITS
    }
    plan = MixPlan(make_family(config), refits=settings.refits)
    fitted = fit_mixes(MixProblem(task, rows, config, subject.seed), plan)
    scored = [Scored(task, split, fitted.predicted[split][0], subject.seed) for split in SPLITS[1:]]
    found = [row for one in scored for rows in (one.score_rows(), one.depth_rows(), one.floor_rows()) for row in rows]
    found += weight_rows(fitted, task.splits["train"], {})
    notes = fit_notes(fitted, config) | ({"product_of_slots": "not read"} if task.product else {})
    for one in scored:
        notes |= one.notes()
    return Findings(tuple(found), PANELS, notes)


PANELS = (
    Panel(metric="accuracy", title="accuracy of a mix of the layers up to here", is_share=True, where=TEST),
    Panel(metric="accuracy_gain", title="what a layer adds", is_share=True, where=TEST),
    Panel(metric="mix_weight", title="weight in the mix of all layers", where=TRAIN),
)
METHOD = Method(MixSettings, probe_mixes)
