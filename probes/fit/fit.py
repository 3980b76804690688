"""From a cache and its labels to one chosen probe for each layer and target."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from probes.cache import Cache
from probes.config import FitConfig
from probes.fit.batch import RowBatches, read_standardised
from probes.fit.feature import FeatureStatistics, check_dev, measure_features
from probes.fit.fitted import FittedProbes
from probes.fit.gap import SAMPLE_ROWS, Probes, estimate_gap
from probes.fit.stack import BestWeights, fit_stack
from probes.seed import generator
from probes.types import Task


def fit_probes(cache: Cache, tasks: Sequence[Task], config: FitConfig, *, seed: int) -> FittedProbes:
    """Fit every layer x penalty x target at once, then choose the penalty of each layer on dev.

    `tasks[0]` is the task, the others its control draws over the same rows. Test is not read. Raises FitError
    for states or weights that are not finite.
    """
    splits = ("train", "dev")
    layers = {split: [cache.layer(layer, split) for layer in range(len(cache.layers))] for split in splits}
    rows = {split: tasks[0].splits[split].index[:, 0] for split in splits}
    labels = {split: np.stack([task.splits[split].labels for task in tasks]) for split in splits}
    statistics = measure_features(layers["train"], rows["train"], seed)
    check_dev(layers["dev"], rows["dev"])
    num_labels = len(tasks[0].labels)
    best, _ = fit_stack(layers, rows, labels, statistics, config, num_labels=num_labels, seed=seed)
    choice = choose_penalty(best.dev_accuracy[:, :, 0].numpy(), config.l2)
    probes = _chosen(best, choice, statistics, config)
    batches = RowBatches(layers["train"], rows["train"], labels["train"], statistics, batch_rows=config.batch_rows)
    with torch.inference_mode():
        gap = estimate_gap(probes, iter(batches), _sample(layers["train"], rows["train"], statistics, seed))
    return _fold(probes, best, choice, statistics, tasks, config, gap)


def choose_penalty(dev_accuracy: Float[np.ndarray, "layer penalty"], l2: Sequence[float]) -> np.ndarray:
    """Number of the penalty with the best dev accuracy at each layer; of equals the strongest.

    >>> choose_penalty(np.array([[0.5, 0.7, 0.7]]), l2=(1e-6, 1e-5, 1e-4)).tolist()
    [2]
    """
    from_strongest = np.argsort(-np.asarray(l2), kind="stable")
    return from_strongest[dev_accuracy[:, from_strongest].argmax(axis=1)]


def _chosen(best: BestWeights, choice: np.ndarray, statistics: FeatureStatistics, config: FitConfig) -> Probes:
    every = torch.arange(len(choice))
    l2 = torch.tensor(config.l2)[choice]
    return Probes(
        weights=best.weights.permute(0, 2, 1, 3, 4)[every, choice],
        bias=best.bias[every, choice],
        penalty=statistics.penalty * l2[:, None],
        basis=statistics.basis,
    )


def _sample(layers: Sequence[np.ndarray], rows: np.ndarray, statistics: FeatureStatistics, seed: int) -> torch.Tensor:
    chosen = generator(seed, "fit.gap").choice(rows, size=min(SAMPLE_ROWS, len(rows)), replace=False)
    return read_standardised(layers, np.sort(chosen), statistics)


def _fold(
    probes: Probes,
    best: BestWeights,
    choice: np.ndarray,
    statistics: FeatureStatistics,
    tasks: Sequence[Task],
    config: FitConfig,
    gap: torch.Tensor,
) -> FittedProbes:
    standardised = torch.einsum("ldw,lwtc->ltdc", probes.basis, probes.weights)
    weights = standardised * statistics.inverse_std[:, None, :, None]
    bias = probes.bias - torch.einsum("ld,ltdc->ltc", statistics.mean, weights)
    every = torch.arange(len(choice))
    return FittedProbes(
        labels=tasks[0].labels,
        targets=tuple(task.name for task in tasks),
        weights=weights.numpy(),
        bias=bias.numpy(),
        l2=np.asarray(config.l2)[choice],
        epochs=best.epochs[every, choice].numpy(),
        dev_accuracy=best.dev_accuracy[every, choice].numpy(),
        gap=gap.numpy(),
    )
