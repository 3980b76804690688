"""Sign-flip tests by enumeration: every pattern of signs counts once."""

from itertools import product

import numpy as np


def enumerate_signs(num_groups: int) -> np.ndarray:
    """All 2 ** num_groups patterns of signs; the first is the data as it came."""
    return np.array(list(product([1.0, -1.0], repeat=num_groups)))


def enumerate_p_values(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact two-sided (raw, max-T adjusted) p-values of summed differences [layer, group]."""
    scaled = sums / np.sqrt((sums**2).sum(axis=1, keepdims=True))
    null = np.array([np.abs(scaled @ signs) for signs in enumerate_signs(sums.shape[1])])
    observed = np.abs(scaled.sum(axis=1)) - 1e-9  # sums of other orders of the same numbers are equal
    raw = (null >= observed).mean(axis=0)
    return raw, (null.max(axis=1)[:, None] >= observed).mean(axis=0)
