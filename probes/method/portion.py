"""A training set in portions: which examples come when, and the probes that are fitted on all that came before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from probes.cache import Cache
from probes.config import FitConfig
from probes.errors import ConfigError
from probes.fit.fit import fit_questions
from probes.fit.fitted import FittedProbes
from probes.fit.loss import UNKNOWN
from probes.fit.question import Question
from probes.seed import generator
from probes.task.portion import take_rows
from probes.types import Rows, Task

# Prefixes of a small share of the examples are fitted in one stack, up to this many times the smallest.
WIDEST_STAGE = 8
LARGEST_SHARE = 0.1
# Dev chooses penalty and epoch; reading all of it after every pass over few rows would cost more than the passes.
DEV_EXAMPLES = 4_096


@dataclass(frozen=True, slots=True)
class Portions:
    """The examples of train in the order in which they are sent, and where each portion ends in it."""

    order: Int[np.ndarray, " example"]
    ends: Int[np.ndarray, " portion"]

    @property
    def sizes(self) -> Int[np.ndarray, " portion"]:
        return np.diff(self.ends, prepend=0)

    def portion(self, number: int) -> Int[np.ndarray, " some"]:
        """The examples of a portion, in corpus order."""
        start = self.ends[number - 1] if number else 0
        return np.sort(self.order[start : self.ends[number]])


def cut_portions(units: Int[np.ndarray, " example"], shares: Sequence[float], *, seed: int, order: int) -> Portions:
    """Whole units (sentences) in one seeded order, cut where the shares of examples are reached.

    >>> cut_portions(np.array([0, 0, 1, 2, 3]), (0.4, 1.0), seed=0, order=0).sizes.sum()
    np.int64(5)
    """
    names, codes = np.unique(units, return_inverse=True)
    rank = generator(seed, "method.portions", order).permutation(len(names))
    examples = np.argsort(rank[codes], kind="stable")
    # The examples up to each unit's end, in the order of sending.
    reached = np.cumsum(np.bincount(rank[codes]))
    wanted = np.ceil(np.asarray(shares) * len(units) - 1e-9)
    ends = reached[np.minimum(np.searchsorted(reached, wanted), len(reached) - 1)]
    return Portions(examples, np.unique(ends))


def leave_out_small(portions: Portions, num_labels: int, where: str) -> Portions:
    """The same order, its first portion large enough to hold an example for each label.

    Raises ConfigError where fewer than two portions are left.
    """
    kept = portions.ends[portions.ends >= num_labels]
    if len(kept) < 2:
        raise ConfigError(
            f"{where}: at least two portions of {num_labels} examples and more (one for each label) were expected, but "
            f"train has {len(portions.order)} examples, and portions end after {portions.ends.tolist()}. "
            f"Give larger portions, or more text."
        )
    return replace(portions, ends=kept)


def list_stages(portions: Portions, *, is_shared: bool = True) -> list[list[int]]:
    """Portions whose probes are fitted in one stack: all but the last, small ones together if `is_shared`.

    >>> list_stages(Portions(np.arange(100), np.array([1, 2, 4, 25, 50, 100])))
    [[0, 1, 2], [3], [4]]
    """
    stages: list[list[int]] = []
    for number, end in enumerate(portions.ends[:-1].tolist()):
        is_small = end <= LARGEST_SHARE * len(portions.order)
        if stages and is_shared and is_small and end <= WIDEST_STAGE * portions.ends[stages[-1][0]]:
            stages[-1].append(number)
        else:
            stages.append([number])
    return stages


def sample_dev(rows: Rows, *, seed: int, limit: int = DEV_EXAMPLES) -> Int[np.ndarray, " some"]:
    """Examples of dev by whole groups in a seeded order, until `limit` is reached."""
    order = generator(seed, "method.dev").permutation(int(rows.groups.max()) + 1)
    sizes = np.bincount(rows.groups)[order]
    taken = order[: int(np.searchsorted(np.cumsum(sizes), min(limit, len(rows)))) + 1]
    return np.flatnonzero(np.isin(rows.groups, taken))


def take(task: Task, chosen: Mapping[str, Int[np.ndarray, " some"]]) -> Task:
    """A task on some examples of train and dev: what a fit reads of it."""
    return replace(task, splits={split: take_rows(task.splits[split], some) for split, some in chosen.items()})


def fit_prefixes(
    cache: Cache, tasks: Sequence[Task], portions: Portions, *, config: FitConfig, seed: int
) -> Iterator[tuple[int, FittedProbes]]:
    """For every portion but the last the probes that are fitted on it and all before; `tasks` are the task and its
    control draws over the same rows.

    Where small prefixes share a stack, their rows are read together, and labels that a prefix does not hold are unknown
    to its probes.
    """
    place = np.empty_like(portions.order)
    place[portions.order] = np.arange(len(place))
    dev = sample_dev(tasks[0].splits["dev"], seed=seed)
    # The exact solver reads every label, and needs no stack to be fast on few rows.
    for stage in list_stages(portions, is_shared=config.solver == "stack"):
        chosen = np.sort(portions.order[: portions.ends[stage[-1]]])
        taken = [take(task, {"train": chosen, "dev": dev}) for task in tasks]
        questions = []
        for number in stage:
            is_known = place[chosen] < portions.ends[number]
            first, *controls = [_hide(task, is_known) for task in taken]
            questions.append(Question(first, tuple(controls), config))
        yield from zip(stage, fit_questions(cache, questions, seed=seed), strict=True)


def _hide(task: Task, is_known: np.ndarray) -> Task:
    labels = {split: rows.labels for split, rows in task.splits.items()}
    return task.with_labels(task.name, {**labels, "train": np.where(is_known, labels["train"], UNKNOWN)})


def code_portions(
    cache: Cache, tasks: Sequence[Task], portions: Portions, *, config: FitConfig, seed: int
) -> Iterator[tuple[int, Int[np.ndarray, " some"], Float[np.ndarray, "layer target some"]]]:
    """For every portion but the first its examples, and the bits of each label under the probes of all before."""
    rows = tasks[0].splits["train"]
    for number, fitted in fit_prefixes(cache, tasks, portions, config=config, seed=seed):
        examples = portions.portion(number + 1)
        labels = np.stack([task.splits["train"].labels[examples] for task in tasks])
        nats = [
            fitted.surprisal(cache.layer(layer, "train"), rows.index[examples], layer, labels)
            for layer in range(len(cache.layers))
        ]
        yield number + 1, examples, np.stack(nats) / np.log(2)
