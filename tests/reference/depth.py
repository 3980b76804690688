"""Expected layers one resample at a time: rows are put together, every layer is scored, the sum is written out."""

import numpy as np


def slow_expected_layer(scores: np.ndarray) -> float:
    """Sum of l * (score(0..l) - score(0..l-1)) over the sum of these differences."""
    above = below = 0.0
    for layer in range(1, len(scores)):
        gain = scores[layer] - scores[layer - 1]
        above += layer * gain
        below += gain
    return above / below


def resample_expected_layers(right: np.ndarray, resamples: list[np.ndarray]) -> np.ndarray:
    """The expected layer [resample] of accuracies made anew from where each layer is right [layer, row]."""
    return np.array([slow_expected_layer(right[:, rows].mean(axis=1)) for rows in resamples])
