"""Problems whose answers are known: states are drawn, labels are a function of them or of nothing."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.fit.feature import measure_features
from probes.fit.fit import fit_probes
from probes.fit.fitted import FittedProbes
from probes.fit.read import SplitRows
from probes.types import Rows, Task
from tests.toy import make_cache

NUM_LABELS = 3
SIZES = {"train": 1200, "dev": 300, "test": 600}
# float32: problems this small feel the rounding of bfloat16 products.
QUICK = FitConfig(l2=(1e-4, 1e-2), epochs=3, min_steps=120, step_size=0.05, precision="float32")


def make_states(sizes: Mapping[str, int] = SIZES, *, dims: int = 8, layers: int = 3, seed: int = 0) -> dict:
    """Correlated states [layer, row, dim] of unequal scales around a mean, float32."""
    stream = np.random.default_rng(seed)
    mixing = stream.normal(size=(layers, dims, dims)) / (3 * np.sqrt(dims)) + np.eye(dims)
    scale, mean = np.exp(stream.normal(size=(layers, 1, dims))), stream.normal(size=(layers, 1, dims))
    return {
        split: ((stream.normal(size=(layers, size, dims)) @ mixing) * scale + mean).astype(np.float32)
        for split, size in sizes.items()
    }


def planted_labels(states: Mapping[str, np.ndarray], *, layer: int = 1, noise: float = 0.0) -> dict:
    """The largest of three linear functions of one layer; `noise` is the share of labels drawn at random."""
    stream = np.random.default_rng(5)
    direction = stream.normal(size=(states["train"].shape[2], NUM_LABELS))
    center, spread = states["train"][layer].mean(axis=0), states["train"][layer].std(axis=0)
    labels = {}
    for split, values in states.items():
        scores = ((values[layer] - center) / np.where(spread > 0, spread, 1)) @ direction
        drawn = stream.integers(0, NUM_LABELS, len(scores))
        labels[split] = np.where(stream.random(len(scores)) < noise, drawn, scores.argmax(axis=1))
    return labels


def random_labels(
    sizes: Mapping[str, int] = SIZES, *, seed: int = 0, shares: Sequence[float] = (0.5, 0.3, 0.2)
) -> dict:
    """Labels that nothing predicts."""
    stream = np.random.default_rng([seed, 99])
    return {split: stream.choice(len(shares), size=size, p=shares) for split, size in sizes.items()}


def make_task(labels: Mapping[str, np.ndarray], name: str = "task") -> Task:
    """A task over all rows of a cache, in their order."""
    splits = {
        split: Rows(np.arange(len(part))[:, None], part, np.arange(len(part)), np.full(len(part), -1))
        for split, part in labels.items()
    }
    return Task(name, "sentence", ("a", "b", "c"), splits)


def fit_states(
    folder: Path, states: Mapping[str, np.ndarray], *labels: dict, config: FitConfig = QUICK, seed: int = 0
) -> FittedProbes:
    """Probes of the first labels as the task and of the others as controls."""
    tasks = [make_task(one, name) for one, name in zip(labels, ("task", *["word_type"] * len(labels)), strict=False)]
    return fit_probes(make_cache(folder, states), tasks, config, seed=seed)


def predict(probes: FittedProbes, states: np.ndarray) -> np.ndarray:
    """Predicted labels [layer, target, row]."""
    every = np.arange(states.shape[1])
    return np.stack([probes.predict(layer, every, number) for number, layer in enumerate(states)])


def accuracies(
    probes: FittedProbes, states: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray], target: int = 0
) -> np.ndarray:
    """Share of right answers on test [layer] for one target."""
    return (predict(probes, states["test"])[:, target] == labels["test"]).mean(axis=1)


def one_penalty(l2: float, **settings) -> FitConfig:
    """A short fit under one penalty."""
    return FitConfig(
        **{"l2": (l2,), "epochs": 1, "min_steps": 60, "step_size": 0.05, "precision": "float32"} | settings
    )


def layers_of(states: Mapping[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    """The layers of train and dev, as a fit takes them; test is not shown to it."""
    return {split: list(states[split]) for split in ("train", "dev")}


def all_rows(states: np.ndarray) -> SplitRows:
    """Every row of states [layer, row, dim] as an example."""
    return SplitRows(list(states), np.arange(states.shape[1])[:, None])


def measure(states: np.ndarray, seed: int = 0, kind: Literal["white", "standard", "raw"] = "white"):
    """Statistics over all rows of all layers."""
    return measure_features(all_rows(states), seed, kind)


def read_all(states: np.ndarray, statistics) -> torch.Tensor:
    """Features of all rows of all layers."""
    out = torch.empty(states.shape)
    return all_rows(states).read([(0, states.shape[1])], range(len(states)), statistics.scale, out=out)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Products this small wait longer for a second thread than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def states() -> dict:
    return make_states()


@pytest.fixture(scope="session")
def planted(states) -> dict:
    return planted_labels(states)


@pytest.fixture(scope="session")
def fitted(states, planted, tmp_path_factory) -> FittedProbes:
    """Three layers; the task is planted at layer 1, two controls are random."""
    folder = tmp_path_factory.mktemp("fitted")
    return fit_states(folder, states, planted, random_labels(seed=1), random_labels(seed=2))
