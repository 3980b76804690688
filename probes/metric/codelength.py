"""Numbers that are made of code lengths: compression, surplus, and how many examples a loss takes.

Bits everywhere. A code is given by what each portion cost after the portions before it (Voita and Titov 2020,
section 2.2).
"""

import numpy as np
from jaxtyping import Float, Int


def entropy_bits(labels: Int[np.ndarray, " example"]) -> float:
    """Entropy of the labels as they are distributed, in bits.

    >>> entropy_bits(np.array([0, 0, 1, 1]))
    1.0
    """
    counts = np.bincount(labels)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum() + 0.0)


def compression(code_bits: float, num_examples: int, bits_per_example: float) -> float:
    """How many times shorter a code is than one that spends the same on every example.

    `bits_per_example` is log2 K for the uniform code, or the entropy of the labels.

    >>> compression(code_bits=500.0, num_examples=1000, bits_per_example=2.0)
    4.0
    """
    return num_examples * bits_per_example / code_bits


def surplus_bits(
    portion_bits: Float[np.ndarray, "*curve portion"], sizes: Int[np.ndarray, " portion"], tolerated: float
) -> Float[np.ndarray, "*curve"]:
    """Surplus description length: what was paid above `tolerated` bits an example (Whitney et al. 2021, section 4.1).

    `portion_bits` are bits for each example of a portion, `sizes` the numbers of examples.

    >>> surplus_bits(np.array([4.0, 1.0, 0.5]), np.array([10, 10, 80]), tolerated=0.75)
    array(35.)
    """
    return np.asarray((np.maximum(portion_bits - tolerated, 0) * sizes).sum(axis=-1))


def sample_complexity(
    portion_bits: Float[np.ndarray, " portion"], sizes: Int[np.ndarray, " portion"], tolerated: float
) -> float:
    """The fewest examples after which a portion costs at most `tolerated` bits an example; NaN if none does
    (Whitney et al. 2021, section 4.2, on the sizes that were tried).

    >>> sample_complexity(np.array([4.0, 1.0, 0.5]), np.array([10, 10, 80]), tolerated=0.75)
    20.0
    """
    before = np.cumsum(sizes) - sizes
    reached = np.flatnonzero(portion_bits <= tolerated)
    return float(before[reached[0]]) if len(reached) else float("nan")
