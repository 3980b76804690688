"""What the questions of one fit share: rows, statistics of the features, and the arithmetic."""

from dataclasses import dataclass

import torch

from probes.config import FitConfig
from probes.fit.batch import RowBatches
from probes.fit.feature import FeatureStatistics
from probes.fit.read import SplitRows
from probes.fit.stack import plan_steps

# Rows that are only answered: small batches, as a small corpus has for its steps, would cost time for nothing.
DEV_ROWS = 1024


@dataclass(frozen=True)
class Problem:
    """What the questions of one stack share."""

    rows: dict[str, SplitRows]
    statistics: FeatureStatistics
    config: FitConfig
    """Of the first question: batches, epochs and features are those of all."""
    seed: int

    def batches(self, split: str, dtype: torch.dtype, seed: int | None = None) -> RowBatches:
        """Batches of a split; those of train are small where there are few rows, those that only answer are not."""
        batch_rows = plan_steps(len(self.rows["train"]), self.config)[0] if split == "train" else DEV_ROWS
        return RowBatches(self.rows[split], self.statistics.scale, batch_rows=batch_rows, dtype=dtype, seed=seed)


def arithmetic(config: FitConfig) -> torch.dtype:
    """The type in which products are made while fitting: bfloat16 where the hardware multiplies it."""
    if config.precision != "auto":
        return getattr(torch, config.precision)
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if torch.cpu._is_avx512_bf16_supported() else torch.float32
