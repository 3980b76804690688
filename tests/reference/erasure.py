"""LEACE without whitening or singular vectors, and the probe that must fail after it."""

import numpy as np


def erase(states: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """x - S (S' C^-1 S)^+ S' C^-1 (x - mean), with S the covariance of states and labels and C that of states."""
    hot = np.eye(labels.max() + 1)[labels]
    centred, hot = states - states.mean(axis=0), hot - hot.mean(axis=0)
    cross, inverse = centred.T @ hot / len(states), np.linalg.inv(centred.T @ centred / len(states))
    middle = np.linalg.pinv(cross.T @ inverse @ cross, rcond=1e-10, hermitian=True)
    return states - centred @ inverse @ cross @ middle @ cross.T


def project_out(states: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Without the direction between the means of two labels, which an orthogonal projection takes out."""
    direction = states[labels == 1].mean(axis=0) - states[labels == 0].mean(axis=0)
    direction /= np.linalg.norm(direction)
    return states - np.outer((states - states.mean(axis=0)) @ direction, direction)
