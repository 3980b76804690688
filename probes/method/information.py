"""V-information: how many bits about a label a family of probes finds in a layer.

Xu et al. 2020: H_V(Y | nothing) - H_V(Y | X), both on the same held-out examples; it may be negative. Conditional
(Hewitt et al. 2021, section 3): H_V(Y | [B; 0]) - H_V(Y | [B; X]) with the embeddings as B, what a block adds to them.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
from jaxtyping import Float

from probes.config import FitConfig, Settings
from probes.fit.fit import fit_layers
from probes.fit.fitted import FittedProbes
from probes.fit.question import SPLITS, Question
from probes.fit.read import JoinedLayer, Layer
from probes.method.build import Method
from probes.method.subject import TASK, Findings, Subject, targets_by_name
from probes.metric.interval import detectable_from_best, percentile_interval, resample_means
from probes.result import Finding, Panel
from probes.types import Task

COST = "conditional_entropy_bits"


class InformationSettings(Settings):
    """Settings of `information`."""

    conditional: bool = True
    """Also report what each block adds to the embeddings, which takes a second fit of twice as many features."""


def find_information(subject: Subject, settings: InformationSettings) -> Findings:
    """Bits an example of test about the task and its controls at every layer."""
    controls = subject.controls
    config = subject.run.fit.model_copy(update={"select": "log_likelihood", "gap": "none"})
    names = (*SPLITS, "test")
    layers = {split: [subject.cache.layer(k, split) for k in range(len(subject.cache.layers))] for split in names}
    tasks = (subject.task, *controls)
    known = _surprisals(layers, tasks, config, subject.seed)
    blind = np.stack([marginal_surprisal(task) for task in tasks])
    rows = list(_rows(subject, tasks, "v_information_bits", blind[None] - known))
    rows += _rows(subject, tasks, COST, known)
    if settings.conditional:
        joined = {split: [JoinedLayer(part[0], block) for block in part[1:]] for split, part in layers.items()}
        added = known[:1] - _surprisals(joined, tasks, config, subject.seed)
        rows += _rows(subject, tasks, "conditional_v_information_bits", added, first=1)
    notes = {"entropy_bits": round(float(blind[0].mean()), 4), "labels": len(subject.task.labels)}
    panels = PANELS if settings.conditional else PANELS[:1]
    return Findings(tuple(rows), panels, notes)


def marginal_surprisal(task: Task) -> Float[np.ndarray, " example"]:
    """Bits that each label of test costs one who knows how train is distributed and nothing else.

    A label that train lacks counts as seen once.
    """
    counts = np.bincount(task.splits["train"].labels, minlength=len(task.labels)).clip(min=1)
    return -np.log2(counts / counts.sum())[task.splits["test"].labels]


def _surprisals(
    layers: Mapping[str, Sequence[Layer]], tasks: tuple[Task, ...], config: FitConfig, seed: int
) -> Float[np.ndarray, "layer target example"]:
    """Bits that each label of test costs under the probe of its target."""
    (fitted,) = fit_layers(layers, [Question(tasks[0], tasks[1:], config)], seed=seed)
    return np.stack([_cost(fitted, states, tasks, layer) for layer, states in enumerate(layers["test"])])


def _cost(
    fitted: FittedProbes, states: Layer, tasks: tuple[Task, ...], layer: int
) -> Float[np.ndarray, "target example"]:
    labels = np.stack([task.splits["test"].labels for task in tasks])
    return fitted.surprisal(states, tasks[0].splits["test"].index, layer, labels) / np.log(2)


def _rows(
    subject: Subject,
    tasks: tuple[Task, ...],
    metric: str,
    bits: Float[np.ndarray, "layer target example"],
    first: int = 0,
) -> Iterator[Finding]:
    """Means over examples with intervals over groups; of a control each draw and their mean.

    `detectable` is a difference to the best layer, for this one to the next.
    """
    test = tasks[0].splits["test"]
    groups = len(np.unique(test.groups))
    sign = -1 if metric == COST else 1
    for name, chosen in targets_by_name(tasks).items():
        means = bits[:, chosen].mean(axis=1)
        spreads = resample_means(means, test.groups, subject.seed)
        powers = detectable_from_best(sign * means.mean(axis=1), spreads)
        for number, values in enumerate(bits[:, chosen]):
            row = partial(Finding, variant=name, metric=metric, layer=number + first, n=len(test), groups=groups)
            one = percentile_interval(float(means[number].mean()), spreads[number])
            yield row(**one.fields, detectable=powers[number])
            if name != TASK:
                yield from (row(value=float(part.mean()), draw=draw) for draw, part in enumerate(values))


PANELS = (
    Panel(metric="v_information_bits", title="V-information, bits an example"),
    Panel(metric="conditional_v_information_bits", title="beyond the embeddings, bits an example"),
)
METHOD = Method(InformationSettings, find_information)
