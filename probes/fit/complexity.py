"""How complex a fitted probe is: its parameters, the rank of its weights and their nuclear norm.

The two of a linear probe's weight matrix are the parametric complexities of Pimentel et al. (2020, section 4).
"""

import numpy as np
from jaxtyping import Float, Int

from probes.errors import FitError
from probes.fit.fitted import FittedProbes


def count_parameters(probes: FittedProbes) -> int:
    """Numbers that one probe has, biases included; of a probe of limited rank those of its two factors."""
    return sum(int(np.prod(value.shape[2:])) for value in probes.parameters.values())


def linear_weights(probes: FittedProbes, target: int = 0) -> Float[np.ndarray, "layer output feature"]:
    """The weights of a linear probe on its features, the factors of one of limited rank multiplied, float64.

    Raises FitError for a probe that is not linear.
    """
    if probes.config.probe != "linear":
        raise FitError(
            f"A linear probe has one matrix of weights, but this is {probes.config.probe!r}. "
            f"Use the number of its parameters."
        )
    factors = [
        value[:, target].astype(np.float64) for name, value in sorted(probes.parameters.items()) if "weight" in name
    ]
    first, *others = factors
    for factor in others:
        first = factor @ first
    return first


def nuclear_norm(weights: Float[np.ndarray, "layer output feature"]) -> Float[np.ndarray, " layer"]:
    """Sum of the singular values of each layer's weights: the convex relaxation of their rank.

    >>> nuclear_norm(np.array([[[3.0, 0.0], [0.0, 4.0]]])).tolist()
    [7.0]
    """
    return np.asarray(np.linalg.norm(weights, ord="nuc", axis=(1, 2)))


def weight_rank(weights: Float[np.ndarray, "layer output feature"]) -> Int[np.ndarray, " layer"]:
    """Singular values of each layer's weights that are more than the rounding of float32, in which they were fitted.

    >>> weight_rank(np.array([[[3.0, 0.0], [6.0, 1e-9]]])).tolist()
    [1]
    """
    values = np.linalg.svd(weights, compute_uv=False)
    rounding = max(weights.shape[1:]) * float(np.finfo(np.float32).eps)
    return (values > rounding * values[:, :1]).sum(axis=1)
