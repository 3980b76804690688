"""One linear probe at a time: its objective, its minimum by scikit-learn, and its steps of Adam by hand."""

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression


def standardise(train: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Mean 0 and variance 1 by the statistics of train, in float64; constant dimensions are 0."""
    train, states = train.astype(np.float64), states.astype(np.float64)
    std = train.std(axis=0)
    return np.where(std > 1e-6, (states - train.mean(axis=0)) / np.where(std > 1e-6, std, 1), 0)


def objective(features: np.ndarray, labels: np.ndarray, weights: np.ndarray, bias: np.ndarray, l2: float) -> float:
    """Mean negative log-likelihood + l2/2 |W|^2, written out."""
    logits = features @ weights + bias
    log_likelihood = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -log_likelihood[np.arange(len(labels)), labels].mean() + l2 / 2 * (weights**2).sum()


def minimise(features: np.ndarray, labels: np.ndarray, l2: float) -> LogisticRegression:
    """scikit-learn at convergence: its C is 1 / (l2 N)."""
    return LogisticRegression(C=1 / (l2 * len(labels)), tol=1e-10, max_iter=10_000).fit(features, labels)


def half_decrement(
    features: np.ndarray, labels: np.ndarray, weights: np.ndarray, bias: np.ndarray, penalty: np.ndarray
) -> float:
    """g H^-1 g / 2 with the whole Hessian, row by row; the bias is the weight of a feature of ones, not penalised."""
    features = np.hstack([features, np.ones((len(features), 1))]).astype(np.float64)
    weights, penalty = np.vstack([weights, bias]).astype(np.float64), np.append(penalty, 0).astype(np.float64)
    gradient, hessian = penalty[:, None] * weights, np.kron(np.diag(penalty), np.eye(len(bias)))
    for row, label in zip(features, labels, strict=True):
        shares = np.exp(row @ weights) / np.exp(row @ weights).sum()
        gradient += np.outer(row, shares - np.eye(len(bias))[label]) / len(features)
        curvature = np.diag(shares) - np.outer(shares, shares)
        hessian += np.kron(np.outer(row, row), curvature) / len(features)
    return gradient.ravel() @ np.linalg.pinv(hessian, hermitian=True) @ gradient.ravel() / 2


def descend(
    basis: torch.Tensor,
    penalty: torch.Tensor,
    batches: Iterable[tuple[torch.Tensor, torch.Tensor]],
    *,
    num_labels: int,
    l2: float,
    step_size: float,
    num_steps: int,
    betas: tuple[float, float] = (0.9, 0.999),
) -> tuple[torch.Tensor, torch.Tensor]:
    """White weights and bias of one probe after Adam over batches (states [row, dim], labels [row])."""
    weights = torch.zeros(basis.shape[1], num_labels, dtype=basis.dtype, requires_grad=True)
    bias = torch.zeros(num_labels, dtype=basis.dtype, requires_grad=True)
    optimizer = torch.optim.Adam([weights, bias], lr=step_size, betas=betas)
    for step, (states, labels) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = step_size * (1 - step / num_steps)
        optimizer.zero_grad()
        loss = F.cross_entropy(states @ basis @ weights + bias, labels)
        (loss + l2 / 2 * (penalty[:, None] * weights**2).sum()).backward()
        optimizer.step()
    return weights.detach(), bias.detach()
