"""Online code length: what the labels of train cost when each portion is sent by a probe fitted on those before it.

Voita and Titov 2020, section 2.2: the first portion is sent at log2 K bits an example; every later one at -log2 p under
the probe of all portions before. States are known on both sides, so they are standardised with all that were read; dev
is side information that chooses penalty and epoch by log-likelihood (METHODS).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from probes.config import FitConfig, Settings
from probes.method.build import Method
from probes.method.portion import code_portions, cut_portions, leave_out_small
from probes.method.subject import TASK, Findings, Subject, targets_by_name
from probes.metric.codelength import compression, entropy_bits, sample_complexity, surplus_bits
from probes.metric.interval import detectable_from_best, percentile_interval, resample_sums, sum_by_group
from probes.result import Finding, Panel
from probes.task.portion import units_of_portions
from probes.types import Task

REFERENCE_SHARES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)


class OnlineSettings(Settings):
    """Settings of `online`."""

    shares: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(default=REFERENCE_SHARES, min_length=2)
    """Where portions end, in shares of train; those with fewer examples than labels are left out and counted."""
    orders: int = Field(default=3, ge=1)
    """Random orders of the sentences, each coded by itself and then averaged."""
    tolerated: tuple[Annotated[float, Field(ge=0)], ...] = (0.5, 0.25)
    """Bits an example that surplus description length does not count, and at which sample complexity is read."""
    min_steps: int = Field(default=300, ge=1)
    """Steps of the optimiser for each portion at the least, in place of `fit.min_steps`."""
    voita2020: bool = False
    """Also report the code in the mixed units of the released implementation: the first portion in bits, the rest in
    nats."""


@dataclass(frozen=True, slots=True)
class Code:
    """What one order costs."""

    by_group: Float[np.ndarray, "layer target group"]
    """Bits of the examples of each group, the first portion included."""
    by_portion: Float[np.ndarray, "layer target portion"]
    """Bits an example."""
    sizes: Int[np.ndarray, " portion"]


def find_codes(subject: Subject, settings: OnlineSettings) -> Findings:
    """Code lengths of the task and its controls at every layer, in bits, with what follows from the same fits."""
    tasks = (subject.task, *subject.controls)
    config = subject.run.fit.model_copy(
        update={"select": "log_likelihood", "gap": "none", "min_steps": settings.min_steps}
    )
    codes = [_code(subject, tasks, settings, config, order) for order in range(settings.orders)]
    rows = [*_lengths(subject, tasks, settings, codes), *_portions(subject, tasks, settings, codes)]
    return Findings(tuple(rows), PANELS, _notes(tasks[0], settings, codes))


def _code(subject: Subject, tasks: tuple[Task, ...], settings: OnlineSettings, config: FitConfig, order: int) -> Code:
    train, num_labels = tasks[0].splits["train"], len(tasks[0].labels)
    units = units_of_portions(train, subject.cache.index("train"))
    portions = cut_portions(units, settings.shares, seed=subject.seed, order=order)
    portions = leave_out_small(portions, num_labels, "method 'online'")
    num_groups, shape = int(train.groups.max()) + 1, (len(subject.cache.layers), len(tasks))
    first = portions.portion(0)
    uniform = np.bincount(train.groups[first], minlength=num_groups) * np.log2(num_labels)
    by_group = np.broadcast_to(uniform, (*shape, num_groups)).copy()
    by_portion = np.full((*shape, len(portions.ends)), np.log2(num_labels))
    coded = code_portions(subject.cache, tasks, portions, config=config, seed=subject.seed)
    for number, examples, bits in coded:
        by_group += sum_by_group(bits, train.groups[examples], num_groups)
        by_portion[..., number] = bits.mean(axis=2)
    return Code(by_group, by_portion, portions.sizes)


def _lengths(
    subject: Subject, tasks: tuple[Task, ...], settings: OnlineSettings, codes: list[Code]
) -> Iterator[Finding]:
    """Whole codes: their mean over orders and draws with an interval, then each order and each draw.

    `detectable` is a difference to the shortest code, for this one to the next.
    """
    train = tasks[0].splits["train"]
    sizes = np.bincount(train.groups, minlength=codes[0].by_group.shape[-1]).astype(np.float64)
    resampled = resample_sums(sizes[None], subject.seed)[0]
    for name, targets in targets_by_name(tasks).items():
        uniform = float(np.log2(len(tasks[0].labels)))
        entropy = float(np.mean([entropy_bits(tasks[target].splits["train"].labels) for target in targets]))
        whole = np.mean([code.by_group[:, targets] for code in codes], axis=(0, 2))
        spreads = resample_sums(whole, subject.seed) / resampled
        powers = detectable_from_best(-whole.sum(axis=1), spreads)
        for layer in range(len(subject.cache.layers)):
            row = partial(
                Finding, variant=name, layer=layer, split="train", n=len(train), groups=int((sizes > 0).sum())
            )
            every = np.stack([code.by_group[layer, targets] for code in codes])
            one, power = percentile_interval(float(whole[layer].sum()) / len(train), spreads[layer]), powers[layer]
            bounds = [value * len(train) for value in (one.value, one.low, one.high)]
            shown = dict(zip(("value", "low", "high"), bounds, strict=True))
            yield row(metric="code_bits", **shown, detectable=None if power is None else power * len(train))
            yield row(metric="bits_per_example", **one.fields, detectable=power)
            for metric, spent in (("compression", uniform), ("compression_of_entropy", entropy)):
                value, high, low = (compression(bits, len(train), spent) for bits in bounds)
                yield row(metric=metric, value=value, low=low, high=high)
            yield from (
                row(metric="code_bits", value=float(bits), at={"order": order})
                for order, bits in enumerate(every.sum(axis=2).mean(axis=1))
            )
            yield from (
                row(metric="code_bits", value=float(bits), draw=draw)
                for draw, bits in enumerate(every.sum(axis=2).mean(axis=0))
                if name != TASK
            )
            if settings.voita2020:
                first = float(np.mean([code.sizes[0] for code in codes])) * uniform
                mixed = first + (bounds[0] - first) * float(np.log(2))
                yield row(metric="code_mixed_units", value=mixed)
                yield row(metric="compression_mixed_units", value=compression(mixed, len(train), uniform))


def _portions(
    subject: Subject, tasks: tuple[Task, ...], settings: OnlineSettings, codes: list[Code]
) -> Iterator[Finding]:
    """What an example costs after so many, as a learning curve; from it surplus and sample complexity."""
    train = tasks[0].splits["train"]
    groups = len(np.unique(train.groups))
    fewest = min(len(code.sizes) for code in codes)
    sizes = np.mean([code.sizes[-fewest:] for code in codes], axis=0)
    before = np.cumsum(sizes) - sizes + np.mean([code.sizes[:-fewest].sum() for code in codes])
    for layer in range(len(subject.cache.layers)):
        row = partial(Finding, variant=TASK, layer=layer, split="train", n=len(train), groups=groups)
        bits = np.mean([code.by_portion[layer, 0, -fewest:] for code in codes], axis=0)
        for start, value in zip(before[1:].tolist(), bits[1:].tolist(), strict=True):
            yield row(metric="portion_bits", value=value, at={"examples": round(start)})
        for tolerated in settings.tolerated:
            parts = [(code.by_portion[layer, 0], code.sizes, tolerated) for code in codes]
            surplus = float(np.mean([surplus_bits(*part) for part in parts]))
            # Infinite for an order that never gets there: the mean is then none.
            needed = float(np.mean([sample_complexity(*part) for part in parts]))
            yield row(metric="surplus_bits", value=surplus, at={"tolerated": tolerated})
            yield row(metric="sample_complexity", value=needed, at={"tolerated": tolerated})


def _notes(task: Task, settings: OnlineSettings, codes: list[Code]) -> dict[str, Any]:
    num_labels, examples = len(task.labels), len(task.splits["train"])
    return {
        "uniform_bits": round(examples * float(np.log2(num_labels)), 1),
        "labels": num_labels,
        "examples": examples,
        "portions": "; ".join(" ".join(map(str, code.sizes.tolist())) for code in codes),
        "portions_left_out": len(settings.shares) - max(len(code.sizes) for code in codes),
    }


PANELS = (
    Panel(metric="code_bits", title="online code length of train", where={"order": None}),
    Panel(metric="compression", title="compression against the uniform code"),
    Panel(metric="portion_bits", title="bits an example after so many", x="examples", lines="layer"),
    Panel(metric="surplus_bits", title="surplus description length", lines="tolerated"),
    Panel(metric="sample_complexity", title="examples until an example costs so few bits", lines="tolerated"),
)
METHOD = Method(OnlineSettings, find_codes)
