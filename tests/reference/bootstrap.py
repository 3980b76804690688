"""The group bootstrap by hand: rows of drawn groups are put together, one resample at a time."""

from collections.abc import Callable

import numpy as np

from probes.seed import generator


def resample_rows(groups: np.ndarray, *, num_groups: int, num_resamples: int, seed: int) -> list[np.ndarray]:
    """Row numbers of every resample, drawn from the same stream as the fast version."""
    stream = generator(seed, "metric.bootstrap")
    members = [np.flatnonzero(groups == group) for group in range(num_groups)]
    resamples = []
    for _ in range(num_resamples):
        times = stream.multinomial(num_groups, np.full(num_groups, 1 / num_groups))
        drawn = [members[group] for group in range(num_groups) for _ in range(times[group])]
        resamples.append(np.concatenate(drawn))
    return resamples


def resample_statistic(resamples: list[np.ndarray], statistic: Callable[[np.ndarray], float]) -> np.ndarray:
    """A statistic of the rows of every resample; NaN where no row was drawn."""
    return np.array([statistic(rows) if len(rows) else np.nan for rows in resamples])
