"""Whether two curves differ on the same examples, and which layers may be the best.

Sign-flip permutation over per-group sums of differences, with max-T over the layers of one curve
(Westfall and Young 1993): under the null hypothesis the sign of a group's summed difference is arbitrary.
"""

import numpy as np
from jaxtyping import Bool, Float

from probes.seed import generator

FLIPS = 10_000
LEVEL = 0.05


def flip_signs(num_groups: int, seed: int) -> Float[np.ndarray, "flip group"]:
    """Random signs, the same for all layers; the first row is the data as it came."""
    stream, signs = generator(seed, "metric.flips"), np.empty((FLIPS + 1, num_groups), dtype=np.float32)
    for start in range(0, FLIPS + 1, 1000):  # the generator's own integers take eight bytes each
        part = signs[start : start + 1000]
        part[:] = stream.integers(0, 2, size=part.shape) * 2 - 1
    signs[0] = 1
    return signs


def max_t(
    sums: Float[np.ndarray, "layer group"], signs: Float[np.ndarray, "flip group"]
) -> tuple[Float[np.ndarray, " layer"], Float[np.ndarray, " layer"]]:
    """Two-sided p-values of a difference at each layer: (raw, adjusted over the layers by max-T).

    `sums[layer, group]` are sums of differences over a group's examples. The smallest p-value that can come
    out is 1 / (flips + 1).
    """
    statistics = np.abs(_studentise(sums, signs))
    return _exceed(statistics, statistics), _exceed(statistics.max(axis=0), statistics)


def may_be_best(
    sums: Float[np.ndarray, "layer group"], signs: Float[np.ndarray, "flip group"]
) -> Bool[np.ndarray, " layer"]:
    """The layers of which no other is shown to be better (multiple comparisons with the best, Hsu 1984).

    `sums[layer, group]` are sums of correct answers. A layer is left out when some other layer exceeds it by
    more than sign flips allow at 5 %, the maximum taken over all other layers.
    """
    num_layers = len(sums)
    kept = np.ones(num_layers, dtype=bool)
    for layer in range(num_layers):
        others = np.delete(np.arange(num_layers), layer)
        if len(others):
            lead = _studentise(sums[others] - sums[layer], signs).max(axis=0)
            kept[layer] = _exceed(lead, lead[None])[0] > LEVEL
    return kept


def _studentise(
    sums: Float[np.ndarray, "layer group"], signs: Float[np.ndarray, "flip group"]
) -> Float[np.ndarray, "layer flip"]:
    # The sum of squares does not change when signs flip, so it scales layers against each other once.
    scale = np.sqrt((sums**2).sum(axis=1, keepdims=True))
    return (sums / np.where(scale > 0, scale, 1)).astype(np.float32) @ signs.T


def _exceed(
    null: Float[np.ndarray, "*layer flip"], statistics: Float[np.ndarray, "layer flip"]
) -> Float[np.ndarray, " layer"]:
    # Equal values count as exceeding; the tolerance is float32's rounding over a sum of this kind.
    observed = statistics[:, :1] - 1e-5
    return (null >= observed).mean(axis=-1, dtype=np.float64)
