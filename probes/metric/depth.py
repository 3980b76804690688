"""Where along the layers a property is read: expected layer and centre of gravity (Tenney et al. 2019b)."""

import numpy as np
from jaxtyping import Float

from probes.metric.interval import LEVEL, Interval

# Below this a sum of gains is rounding: scores are shares of at most some millions of examples.
NO_GAIN = 1e-12


def score_gains(scores: Float[np.ndarray, "layer *resample"]) -> Float[np.ndarray, "gain *resample"]:
    """What each layer adds to a cumulative score: gain(l) = score(0..l) - score(0..l-1), l = 1..L.

    >>> score_gains(np.array([0.5, 0.75, 0.75])).tolist()
    [0.25, 0.0]
    """
    return np.diff(scores, axis=0)


def expected_layer(scores: Float[np.ndarray, "layer *resample"]) -> Float[np.ndarray, "*resample"]:
    """The layer at which a cumulative score is gained on average: sum of l * gain(l) / sum of gain(l), l = 1..L.

    `scores[l]` is the score of a mix of the layers 0..l (Tenney et al. 2019b, section 2.2). NaN where nothing is gained
    in sum; below 1 or above L where some layers lose what others gain.

    >>> float(expected_layer(np.array([0.0, 0.75, 0.75, 1.0])))  # three quarters of the gain at layer 1, the rest at 3
    1.5
    >>> float(expected_layer(np.array([0.0, 0.75, 0.5])))  # what layer 2 loses has a negative weight
    0.5
    """
    gains = score_gains(scores)
    layers = np.arange(1, len(scores)).reshape(-1, *[1] * (gains.ndim - 1))
    total = gains.sum(axis=0)
    is_known = np.abs(total) > NO_GAIN
    return np.asarray(np.where(is_known, (layers * gains).sum(axis=0) / np.where(is_known, total, 1), np.nan))


def centre_of_gravity(weights: Float[np.ndarray, "*fit layer"]) -> Float[np.ndarray, "*fit"]:
    """The mean layer under the weights of a mix of all layers, which sum to one (Tenney et al. 2019b, section 2.1).

    >>> float(centre_of_gravity(np.array([0.25, 0.25, 0.5])))
    1.25
    """
    return np.asarray(weights @ np.arange(weights.shape[-1]))


def relative_depth(layer: float, num_blocks: int) -> float:
    """A layer as a share of the depth, so that encoders of different depth can be compared: 0 is the embeddings.

    NaN where there are no blocks.

    >>> relative_depth(9.0, num_blocks=12)
    0.75
    """
    return layer / num_blocks if num_blocks else float("nan")


def refit_interval(value: float, refits: Float[np.ndarray, " refit"]) -> Interval:
    """A value with the interval that its standard error over bootstrap refits gives; NaN bounds for fewer than two.

    Refits are few: their spread is known long before their outer percentiles are (Efron and Tibshirani 1993, section
    6.4), and Student's quantile pays for its being estimated.
    """
    if len(refits) < 2:
        return Interval(value, float("nan"), float("nan"))
    from scipy.special import stdtrit

    reach = float(stdtrit(len(refits) - 1, (1 + LEVEL) / 2) * refits.std(ddof=1))
    return Interval(value, value - reach, value + reach)
