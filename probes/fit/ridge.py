"""Ridge regression of one layer in closed form: one pass over the rows for every target and penalty."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from probes.errors import FitError
from probes.fit.feature import FeatureStatistics
from probes.fit.newton import Solution, spread_penalties
from probes.fit.read import SplitRows
from probes.fit.softmax import LayerRows


def solve_ridge(
    rows: SplitRows,
    layer: int,
    statistics: FeatureStatistics,
    values: Float[Tensor, "target row output"],
    *,
    l2: Sequence[float] | Float[Tensor, "penalty target"],
) -> Solution:
    """Minima of half the mean squared error, summed over outputs, + l2/2 |W|^2 on standardised features.

    With the covariance G = V diag(s) V^T of the features and C of features and values, W = V (V^T C) / (s + l2): one
    eigendecomposition for all. The bias is free of penalty; in scikit-learn's terms alpha = l2 N. Where l2 is 0,
    directions without variance keep weight 0. Raises FitError for no rows or a value that is not a finite number.
    """
    if len(rows) == 0 or not torch.isfinite(values).all():
        raise FitError(
            f"A ridge fit needs finite values for at least one row, but layer {layer} got {len(rows)} rows and "
            f"{int((~torch.isfinite(values)).sum())} values that are NaN or infinite. "
            f"Check the train split and the labels of the task."
        )
    num_targets, _, num_outputs = values.shape
    flat = values.double().transpose(0, 1).flatten(1)
    center = flat.mean(dim=0)
    mean, gram, cross = _moments(LayerRows(rows, layer, statistics.scale), flat - center)
    variances, vectors = torch.linalg.eigh(gram)
    turned = (vectors.T @ cross).view(-1, num_targets, num_outputs).permute(1, 2, 0)
    energy = (flat - center).square().mean(dim=0).view(num_targets, num_outputs).sum(dim=1)
    # Rounding leaves this share of the largest variance in a direction that has none.
    floor = 1e-13 * variances[-1].clamp_min(1e-30)
    variances = torch.where(variances > floor, variances, 0)
    penalties = spread_penalties(l2, num_targets)
    curvature = variances + penalties[:, :, None, None]
    white = torch.where(curvature > 0, turned / curvature.clamp_min(1e-300), 0)
    slope = torch.where(curvature > 0, curvature * white - turned, 0)
    # An eigenvector is not exactly 0 on a dimension that is.
    weights = white @ vectors.T * ~statistics.is_dead[layer]
    objective = (energy - (turned * white).sum(dim=(2, 3)) + (slope * white).sum(dim=(2, 3))) / 2
    gap = (slope.square() / curvature.clamp_min(1e-300)).sum(dim=(2, 3)) / 2
    return Solution(weights, center.view(num_targets, num_outputs) - weights @ mean, objective, gap, passes=1)


def _moments(
    source: LayerRows, values: Float[Tensor, "row column"]
) -> tuple[Float[Tensor, " feature"], Float[Tensor, "feature feature"], Float[Tensor, "feature column"]]:
    """Mean and covariance of the features, and their covariance with centred values, in float64."""
    width = source.rows.num_features
    total, gram = torch.zeros(width).double(), torch.zeros(width, width).double()
    cross = torch.zeros(width, values.shape[1]).double()
    for start, features in source.chunks(torch.float64):
        total += features.sum(dim=0)
        gram.addmm_(features.T, features)
        cross.addmm_(features.T, values[start : start + len(features)])
    mean = total / len(source)
    return mean, gram / len(source) - torch.outer(mean, mean), cross / len(source)
