"""Every specification of an encoder in one file, since runs are too large for a repository.

With results/multiverse/<encoder>.csv a claim can be judged, or another one asked, where the runs are not, and a
multiverse can be run part by part on several machines.
"""

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from specification import Origin, Specification

from probes.config import read_experiment
from probes.study.assemble import PACKAGE_VERSION

OWN = (*Origin._fields, "task")
"""Columns before the choices; after these comes a column for each layer."""


def write_archive(found: Sequence[Specification], path: Path) -> None:
    """One row a specification."""
    axes = sorted({axis for one in found for axis in one.choices})
    layers = ["emb", *range(1, len(found[0].curve))]
    rows = [(*one.origin, one.task, *(one.choices[axis] for axis in axes), *one.curve.tolist()) for one in found]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*OWN, *axes, *layers))
        writer.writerows(rows)


def read_archive(path: Path, asked: Collection[str], weights: Mapping[str, str]) -> Iterator[Specification]:
    """What was kept and is not out of date: of runs that are still asked for, of this package and of these weights.

    `weights` are the hashes of encoders whose runs are at hand, by their twin; of others any will do.
    """
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows)
        first = header.index("emb")
        axes = header[len(OWN) : first]
        for run_id, package, of_weights, task, *rest in rows:
            choices = dict(zip(axes, rest, strict=False))
            is_current = package == PACKAGE_VERSION and run_id in asked
            if is_current and weights.get(choices["twin"], of_weights) == of_weights:
                curve = np.array([float(value) for value in rest[len(axes) :]])
                yield Specification(task, choices, curve, Origin(run_id, package, of_weights))


def asked_runs(files: Sequence[Path], encoder: str) -> set[str]:
    """The runs that the files make of an encoder."""
    experiments = [read_experiment(path, [f"encoder.name={encoder}"]) for path in files]
    return {run.run_id for experiment in experiments for run in experiment.expand()}
