"""Geometry from all pairs of rows."""

import numpy as np


def kernel_cka(first: np.ndarray, second: np.ndarray) -> float:
    """CKA of the linear kernels [row, row], centred by H on both sides."""
    centre = np.eye(len(first)) - 1 / len(first)
    one, other = (centre @ states @ states.T @ centre for states in (first, second))
    return float((one * other).sum() / np.sqrt((one * one).sum() * (other * other).sum()))


def all_cosines(states: np.ndarray) -> np.ndarray:
    """Cosine of every row with every row."""
    return np.array(
        [[one @ other / (np.linalg.norm(one) * np.linalg.norm(other)) for other in states] for one in states]
    )
