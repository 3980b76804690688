"""Predicted trees of a split, sentence by sentence, and the intervals that resample their groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from probes.metric.compare import flip_signs, may_be_best
from probes.metric.interval import detectable_difference, percentile_interval, resample_sums, sum_by_group
from probes.metric.tree import (
    LENGTHS,
    count_edges,
    depth_spearman,
    distance_spearman,
    find_roots,
    has_choice_of_root,
    macro_over_lengths,
    tree_depths,
    tree_distances,
)
from probes.result import Finding
from probes.task.tree import DEPTH, DISTANCE, TreeBlock

# Task -> what is counted in its trees, and the rank correlation of its numbers.
METRICS = {DISTANCE: ("uuas", "dspr"), DEPTH: ("root_accuracy", "nspr")}


@dataclass(frozen=True, slots=True)
class TreeScores:
    """What was predicted of each sentence by each `curve`: a layer, or one floor."""

    hits: Float[np.ndarray, "curve sentence"]
    """Edges found, or 1 where the root is."""
    total: Float[np.ndarray, " sentence"]
    """Edges there, or 1 where there is a root to find."""
    order: Float[np.ndarray, "curve sentence"]
    """Rank correlation, for distances the mean over words."""
    length: Int[np.ndarray, " sentence"]
    groups: Int[np.ndarray, " sentence"]

    @property
    def num_groups(self) -> int:
        return int(self.groups.max()) + 1

    def shares(self) -> Float[np.ndarray, " curve"]:
        """UUAS, or the accuracy of the root."""
        return self.hits.sum(axis=1) / max(self.total.sum(), 1)

    def hits_by_group(self) -> Float[np.ndarray, "curve group"]:
        return sum_by_group(self.hits, self.groups, self.num_groups)


def score_block(task: str, predicted: np.ndarray, block: TreeBlock, *, has_punctuation: bool) -> TreeScores:
    """Scores of distances [curve, sentence, word, word] or depths [curve, sentence, word] of sentences of one length.

    Punctuation marks count in rank correlations always, in the other scores only with `has_punctuation`.
    """
    is_scored = ~block.is_punctuation | has_punctuation
    if task == DISTANCE:
        hits, total = count_edges(predicted, block.heads, is_scored)
        order = distance_spearman(predicted, tree_distances(block.heads))
    else:
        total = has_choice_of_root(block.heads, is_scored)
        hits = find_roots(predicted, block.heads, is_scored) & total
        order = depth_spearman(predicted, tree_depths(block.heads))
    length = np.full(len(block), block.num_words)
    return TreeScores(hits.astype(float), total.astype(float), order, length, block.groups)


def join_scores(parts: Sequence[TreeScores]) -> TreeScores:
    """The scores of all sentences in one."""
    return TreeScores(
        hits=np.concatenate([one.hits for one in parts], axis=1),
        total=np.concatenate([one.total for one in parts]),
        order=np.concatenate([one.order for one in parts], axis=1),
        length=np.concatenate([one.length for one in parts]),
        groups=np.concatenate([one.groups for one in parts]),
    )


def possible_best(scores: TreeScores, seed: int) -> list[int]:
    """Layers that comparison with the best on test does not exclude, by what is counted."""
    sums = scores.hits_by_group()
    return np.flatnonzero(may_be_best(sums, flip_signs(scores.num_groups, seed))).tolist()


def finding_rows(
    scores: TreeScores, names: tuple[str, str], *, best: int, seed: int, fields: Sequence[dict[str, Any]]
) -> Iterator[Finding]:
    """Both metrics on test of the first curves with their intervals, `fields` saying what each of these is.

    `detectable` is that of the difference to the curve `best`, and for this one to the best of the others.
    """
    for name, (values, resampled, is_in) in zip(names, (_share(scores, seed), _order(scores, seed)), strict=True):
        size = int(scores.total.sum()) if name == names[0] else int(is_in.sum())
        groups = len(np.unique(scores.groups[is_in]))
        for curve, field in enumerate(fields):
            interval = percentile_interval(float(values[curve]), resampled[curve])
            other = best if curve != best else _runner_up(values, best)
            yield Finding(
                metric=name,
                **interval.fields,
                n=size,
                groups=groups,
                detectable=detectable_difference(resampled[curve] - resampled[other]),
                **field,
            )


def _share(scores: TreeScores, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    sums = np.vstack([scores.hits_by_group(), sum_by_group(scores.total, scores.groups, scores.num_groups)])
    totals = resample_sums(sums, seed)
    resampled = totals[:-1] / np.where(totals[-1] > 0, totals[-1], np.nan)
    total = sums[-1].sum()
    return sums[:-1].sum(axis=1) / (total if total else np.nan), resampled, scores.total > 0


def _order(scores: TreeScores, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    is_in = np.isin(scores.length, LENGTHS)
    # One cell for each length and group: resamples weigh groups, the mean is taken within each length first.
    known, length = np.unique(scores.length[is_in], return_inverse=True)
    cells = length * scores.num_groups + scores.groups[is_in]
    values = np.vstack([scores.order[:, is_in], np.ones((1, is_in.sum()))])
    sums = sum_by_group(values, cells, len(known) * scores.num_groups)
    sums = sums.reshape(len(values), len(known), scores.num_groups)
    totals = np.moveaxis(resample_sums(sums, seed), 1, 2)
    whole = sums.sum(axis=2)
    return macro_over_lengths(whole[:-1], whole[-1]), macro_over_lengths(totals[:-1], totals[-1]), is_in


def _runner_up(values: np.ndarray, best: int) -> int:
    others = [curve for curve in range(len(values)) if curve != best]
    return max(others, key=lambda curve: values[curve], default=best)
