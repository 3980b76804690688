"""The states of every layer as they are, after LEACE, and after random erasures, and the probes of each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from probes.cache import Cache
from probes.config import FitConfig
from probes.fit.fit import fit_layers
from probes.fit.fitted import FittedProbes
from probes.fit.leace import Eraser, erase_labels, erase_random, measure_moments, whiten
from probes.fit.question import SPLITS, Question
from probes.fit.read import CHUNK_ROWS, EditedLayer, Layer
from probes.metric.score import accuracy
from probes.result import Finding
from probes.seed import generator
from probes.types import Rows, Task


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to change all layers of a cache; nothing is changed where there are no erasers."""

    name: str
    draw: int | None = None
    erasers: tuple[Eraser, ...] = ()

    def layers(self, cache: Cache, split: str) -> list[Layer]:
        """The layers of a split; what is erased is erased when rows are read."""
        states = [cache.layer(layer, split) for layer in range(len(cache.layers))]
        if not self.erasers:
            return list(states)
        return [EditedLayer(part, eraser) for part, eraser in zip(states, self.erasers, strict=True)]

    def fit(self, cache: Cache, tasks: Sequence[Task], config: FitConfig, seed: int) -> list[FittedProbes]:
        """The probes of each task on these layers."""
        layers = {split: self.layers(cache, split) for split in SPLITS}
        return fit_layers(layers, [Question(task, (), config) for task in tasks], seed=seed)

    def find_right(self, cache: Cache, task: Task, fitted: FittedProbes) -> Bool[np.ndarray, "layer example"]:
        """Which examples of test the probes of each layer answer as they are labelled."""
        rows = task.splits["test"]
        layers = enumerate(self.layers(cache, "test"))
        return np.stack([fitted.predict(states, rows.index, layer)[0] == rows.labels for layer, states in layers])


def make_variants(cache: Cache, task: Task, *, draws: int, seed: int) -> tuple[list[Variant], list[Finding]]:
    """The variants `before`, `leace` and `random` with its draws; and how much each erasure takes at each layer.

    One pass over the training rows of a layer, and one eigendecomposition, serve all its erasers.
    """
    rows, by_layer, found = task.splits["train"], [], []
    for layer in range(len(cache.layers)):
        states = cache.layer(layer, "train")
        moments = measure_moments(states, rows.index[:, 0], rows.labels, num_labels=len(task.labels))
        whitening = whiten(moments)
        leace = erase_labels(whitening, moments)
        streams = [generator(seed, "erasure.random", draw, layer) for draw in range(draws)]
        random = [erase_random(whitening, leace.rank, stream) for stream in streams]
        by_layer.append([leace, *random])
        shares = [eraser.removed_share(moments) for eraser in (leace, *random)]
        found += [
            _on_train(rows, layer, variant="leace", metric="rank", value=leace.rank),
            _on_train(rows, layer, variant="leace", metric="removed_share", value=shares[0]),
            _on_train(rows, layer, variant="random", metric="removed_share", value=float(np.mean(shares[1:]))),
        ]
    leace, *random = (tuple(erasers) for erasers in zip(*by_layer, strict=True))
    drawn = [Variant("random", draw, erasers) for draw, erasers in enumerate(random)]
    return [Variant("before"), Variant("leace", erasers=leace), *drawn], found


def score_train(cache: Cache, variant: Variant, task: Task, fitted: FittedProbes) -> Iterator[Finding]:
    """Accuracy and loss of probes on the rows that they were fitted on."""
    rows = task.splits["train"]
    for layer, states in enumerate(variant.layers(cache, "train")):
        num_right, loss = 0, 0.0
        for start in range(0, len(rows), CHUNK_ROWS):
            labels = rows.labels[start : start + CHUNK_ROWS, None]
            chunk = states[rows.index[start : start + CHUNK_ROWS, 0]]
            logits = fitted.logits(chunk, layer)[:, 0].astype(np.float64)
            loss -= float((np.take_along_axis(logits, labels, axis=1)[:, 0] - _log_sum(logits)).sum())
            num_right += int((logits.argmax(axis=1) == labels[:, 0]).sum())
        for metric, value in (("train_accuracy", num_right / len(rows)), ("train_loss_nats", loss / len(rows))):
            yield _on_train(rows, layer, variant=variant.name, metric=metric, value=value)


def score_constant(task: Task) -> Iterator[Finding]:
    """Accuracy and loss on train of the best answer that reads no state: the majority, and the labels' entropy."""
    rows = task.splits["train"]
    shares = np.bincount(rows.labels) / len(rows)
    entropy = -float((shares[shares > 0] * np.log(shares[shares > 0])).sum())
    right = float(accuracy(rows.labels == shares.argmax()))
    yield _on_train(rows, None, variant="majority", metric="train_accuracy", value=right)
    yield _on_train(rows, None, variant="entropy", metric="train_loss_nats", value=entropy)


def _log_sum(logits: np.ndarray) -> np.ndarray:
    highest = logits.max(axis=1)
    return highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))


def _on_train(rows: Rows, layer: int | None, *, variant: str, metric: str, value: float) -> Finding:
    num_groups = len(np.unique(rows.groups))
    return Finding(
        variant=variant, metric=metric, layer=layer, split="train", value=value, n=len(rows), groups=num_groups
    )
