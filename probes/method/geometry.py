"""How the states of every layer lie, and how alike the layers are; no label is read and nothing is fitted."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from probes.cache import Cache
from probes.config import Settings
from probes.fit.feature import DEAD_SHARE, sample_examples
from probes.method.build import Method
from probes.method.subject import Findings, Subject
from probes.metric.geometry import effective_rank, linear_cka, mean_cosine, participation_ratio
from probes.metric.interval import percentile_interval, resample_sums, sum_by_group
from probes.result import Finding, Panel
from probes.task.join import join_sentences

SPLIT = "train"
# A chunk of two layers in float64 beside the products of their dimensions.
CHUNK_ROWS = 4_096


class GeometrySettings(Settings):
    """On which rows geometry is measured."""

    rows: int = Field(default=20_000, ge=2)
    """Rows of train in the seeded sample, many times the dimensions; all of them where there are no more."""


@dataclass(frozen=True)
class Sample:
    """Some rows of train, the same of every layer, and the mean of each layer over them."""

    cache: Cache
    rows: Int[np.ndarray, " row"]
    groups: Int[np.ndarray, " row"]
    num_groups: int

    def chunks(self, *layers: int) -> Iterator[tuple[Int[np.ndarray, " some"], list[Float[np.ndarray, "some dim"]]]]:
        """Groups of some rows, and their states of each layer in float64."""
        states = [self.cache.layer(layer, SPLIT) for layer in layers]
        for start in range(0, len(self.rows), CHUNK_ROWS):
            chosen = slice(start, start + CHUNK_ROWS)
            yield self.groups[chosen], [part[self.rows[chosen]].astype(np.float64) for part in states]

    def mean(self, layer: int) -> Float[np.ndarray, " dim"]:
        return sum(chunk.sum(axis=0) for _, (chunk,) in self.chunks(layer)) / len(self.rows)  # type: ignore[return-value]


def apply_geometry(subject: Subject, settings: GeometrySettings) -> Findings:
    """Linear CKA of all pairs of layers, effective rank, anisotropy with and without the mean, and mean norm."""
    sample = _draw_sample(subject, settings.rows)
    cache, every = sample.cache, range(len(sample.cache.layers))
    means = [sample.mean(layer) for layer in every]
    covariances, rows = [], []
    for layer in every:
        subject.notify(f"geometry: layer {cache.layers[layer]}")
        covariance = _cross_covariance(sample, (layer, layer), (means[layer], means[layer]))
        if np.trace(covariance) <= DEAD_SHARE**2 * (means[layer] @ means[layer] + np.trace(covariance)):
            covariance = np.zeros_like(covariance)  # rounding noise of states that are all the same
        covariances.append(covariance)
        rows += _shape_rows(sample, layer, covariance)
        rows += _direction_rows(sample, layer, means[layer], subject.seed)
    rows += _cka_rows(sample, means, covariances)
    notes = {
        "rows": len(sample.rows),
        "rows_of_train": int(cache.index(SPLIT).offsets[-1]),
        "labels": f"none is read; task {subject.run.task.name!r} only says that the unit is {subject.unit!r}",
        "effective_rank": "exp of the entropy of the shares of the covariance's eigenvalues",
    }
    return Findings(tuple(rows), PANELS, notes)


PANELS = (
    Panel(metric="cka", title="linear CKA with each layer", lines="other"),
    Panel(metric="mean_cosine", title="mean cosine of two rows"),
    Panel(metric="effective_rank", title="effective rank"),
    Panel(metric="participation_ratio", title="participation ratio"),
    Panel(metric="mean_norm", title="mean norm of a row"),
)

METHOD = Method(GeometrySettings, apply_geometry)


def _draw_sample(subject: Subject, size: int) -> Sample:
    index = subject.cache.index(SPLIT)
    names = [""] * int(index.offsets[-1])
    for sentence, span in join_sentences(subject.corpus, SPLIT, index):
        names[span] = [sentence.cluster] * (span.stop - span.start)
    rows = sample_examples(len(names), size, subject.seed, "geometry.rows")
    known, groups = np.unique(np.asarray(names)[rows], return_inverse=True)
    return Sample(subject.cache, rows, groups, len(known))


def _cross_covariance(
    sample: Sample, layers: tuple[int, int], means: tuple[Float[np.ndarray, " dim"], Float[np.ndarray, " dim"]]
) -> Float[np.ndarray, "dim dim"]:
    """One product of dimensions in memory, whatever the number of layers: the rows are read again for each pair."""
    total = np.zeros((sample.cache.dim, sample.cache.dim))
    for _, (first, second) in sample.chunks(*layers):
        total += (first - means[0]).T @ (second - means[1])
    return total / len(sample.rows)


def _cka_rows(
    sample: Sample, means: list[Float[np.ndarray, " dim"]], covariances: list[Float[np.ndarray, "dim dim"]]
) -> Iterator[Finding]:
    names = sample.cache.layers
    found = np.full((len(names), len(names)), np.nan)
    for first, own in enumerate(covariances):
        for second in range(first, len(names)):
            pair, other = (first, second), covariances[second]
            is_alive = own.any() and other.any()
            cross = _cross_covariance(sample, pair, (means[first], means[second])) if is_alive else own
            found[pair] = found[second, first] = linear_cka(cross, own, other)
    for layer, values in enumerate(found.tolist()):
        for other, value in zip(names, values, strict=True):
            yield _finding(sample, layer, "cka", value, at={"other": other})


def _shape_rows(sample: Sample, layer: int, covariance: Float[np.ndarray, "dim dim"]) -> Iterator[Finding]:
    yield _finding(sample, layer, "effective_rank", effective_rank(covariance))
    yield _finding(sample, layer, "participation_ratio", participation_ratio(covariance))


def _direction_rows(sample: Sample, layer: int, mean: Float[np.ndarray, " dim"], seed: int) -> Iterator[Finding]:
    """Mean norm, mean cosine, and the mean cosine of what is left without the mean; intervals by group.

    The same groups are drawn for all layers; the mean stays as it is.
    """
    origins = {"states": np.zeros_like(mean), "centred": mean}
    norms = np.zeros((2, sample.num_groups))
    totals = {name: np.zeros((len(mean) + 1, sample.num_groups)) for name in origins}
    smallest = DEAD_SHARE * float(np.linalg.norm(mean))
    for groups, (states,) in sample.chunks(layer):
        lengths = np.linalg.norm(states, axis=1)
        norms += sum_by_group(np.stack([lengths, np.ones_like(lengths)]), groups, sample.num_groups)
        for name, origin in origins.items():
            totals[name] += sum_by_group(_directions(states - origin, smallest).T, groups, sample.num_groups)
    length, size = resample_sums(norms, seed)
    yield _finding(sample, layer, "mean_norm", float(norms[0].sum() / norms[1].sum()), resampled=length / size)
    for name, sums in totals.items():
        value, resampled = mean_cosine(sums[:-1], sums[-1], seed)
        yield _finding(sample, layer, "mean_cosine", value, variant=name, resampled=resampled)


def _directions(states: Float[np.ndarray, "row dim"], smallest: float) -> Float[np.ndarray, "row dim_and_one"]:
    """Unit vectors, and behind each a 1 that counts it; zeros for a row that has no direction, only rounding noise."""
    lengths = np.linalg.norm(states, axis=1, keepdims=True)
    has_one = lengths > smallest
    return np.hstack([states / np.where(has_one, lengths, 1), np.ones_like(lengths)]) * has_one


def _finding(
    sample: Sample,
    layer: int,
    metric: str,
    value: float,
    *,
    variant: str = "states",
    resampled: Float[np.ndarray, " resample"] | None = None,
    at: dict | None = None,
) -> Finding:
    interval = percentile_interval(value, np.empty(0) if resampled is None else resampled)
    return Finding(
        variant=variant,
        metric=metric,
        layer=layer,
        split=SPLIT,
        at=at or {},
        **interval.fields,
        n=len(sample.rows),
        groups=sample.num_groups,
    )
