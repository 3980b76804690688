"""From what was counted about attention heads to rows with intervals."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from probes.encoder.attention import STATISTICS
from probes.metric.interval import detectable_difference, percentile_interval, resample_sums, sum_by_group
from probes.result import Finding

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FollowedRelation:
    """One relation on test: its arcs, and what was chosen for it on dev."""

    name: str
    heads: tuple[tuple[int, str], ...]
    """For each block the head, counted from 0, and its direction."""
    block: int
    """The block with the best of all heads, counted from 0."""
    offset: int
    right: Bool[np.ndarray, "block arc"]
    """Whether the head of each block is right."""
    distance: Int[np.ndarray, " arc"]
    """Words from the dependent to its head."""
    group: Int[np.ndarray, " arc"]

    def rows(self, num_groups: int, seed: int) -> Iterator[Finding]:
        """The best head of all, what it has over the best offset, that offset, and the best head of each block."""
        values = np.vstack([self.right, self.distance == self.offset, np.ones(len(self.group), dtype=bool)])
        sums = sum_by_group(values, self.group, num_groups)
        totals = resample_sums(sums, seed)
        resampled = totals[:-1] / np.where(totals[-1] > 0, totals[-1], np.nan)
        value = sums[:-1].sum(axis=1) / len(self.group)
        best, floor = self.block, len(self.heads)
        common: Plain = {"n": len(self.group), "groups": len(np.unique(self.group))}
        lead = resampled[best] - resampled[floor]
        detectable = detectable_difference(lead)
        at: Plain = {"relation": self.name, "among": "encoder"}
        chosen: Plain = {"layer": best + 1, "at": {**at, **self._coordinates(best)}}
        yield _row("best_head", "accuracy", value[best], resampled[best], detectable=detectable, **chosen, **common)
        yield _row("best_head", "accuracy_over_offset", value[best] - value[floor], lead, **chosen, **common)
        yield _row("offset", "accuracy", value[floor], resampled[floor], at={**at, "offset": self.offset}, **common)
        for block in range(len(self.heads)):
            at = {"relation": self.name, "among": "layer", **self._coordinates(block)}
            at_block: Plain = {"layer": block + 1, "at": at}
            yield _row("best_head_of_layer", "accuracy", value[block], resampled[block], **at_block, **common)

    def _coordinates(self, block: int) -> Plain:
        head, direction = self.heads[block]
        return {"head": f"{block + 1}-{head + 1}", "direction": direction}


@dataclass(frozen=True, slots=True)
class Attention:
    """Sums of STATISTICS over test, and over how many pieces or words: of each head, and of each group's texts."""

    by_head: Float[np.ndarray, "2 statistic block head"]
    by_group: Float[np.ndarray, "group 2 statistic block"]
    """Summed over the heads of a block."""

    @staticmethod
    def nothing(num_blocks: int, num_heads: int, num_groups: int) -> "Attention":
        size = len(STATISTICS)
        return Attention(np.zeros((2, size, num_blocks, num_heads)), np.zeros((num_groups, 2, size, num_blocks)))

    def add(
        self,
        sums: Float[np.ndarray, "statistic block head text"],
        sizes: Float[np.ndarray, "statistic block head text"],
        groups: Int[np.ndarray, " text"],
    ) -> None:
        """Count some texts in."""
        both = np.stack([sums, sizes]).astype(np.float64)
        self.by_head[:] += both.sum(axis=-1)
        np.add.at(self.by_group, groups, both.sum(axis=3).transpose(3, 0, 1, 2))

    def rows(self, seed: int) -> Iterator[Finding]:
        """For each block the mean over its heads with an interval, and each head without; nothing is said of [CLS] and
        [SEP] where the tokenizer sets none."""
        sums, sizes = self.by_head
        for statistic, metric in enumerate(STATISTICS):
            if not sizes[statistic].any():
                continue
            totals = resample_sums(np.moveaxis(self.by_group[:, :, statistic], 0, -1), seed)
            resampled = totals[0] / np.where(totals[1] > 0, totals[1], np.nan)
            groups = int((self.by_group[:, 1, statistic] > 0).any(axis=-1).sum())
            for block, (of_heads, of) in enumerate(zip(sums[statistic], sizes[statistic], strict=True)):
                fields: Plain = {"layer": block + 1, "n": int(of.max()), "groups": groups}
                yield _row("mean", metric, of_heads.sum() / max(of.sum(), 1), resampled[block], **fields)
                for head, value in enumerate((of_heads / np.maximum(of, 1)).tolist()):
                    at: Plain = {"head": f"{block + 1}-{head + 1}"}
                    yield Finding(variant="head", metric=metric, value=value, at=at, **fields)


def _row(variant: str, metric: str, value: float, resampled: Float[np.ndarray, " resample"], **fields: Any) -> Finding:
    return Finding(variant=variant, metric=metric, **percentile_interval(float(value), resampled).fields, **fields)
