"""What every test example was taken for: the ground of paired comparisons and confusion matrices."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from probes.errors import ResultError


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Predictions of the chosen probes on test; all integer arrays, as small as their values allow."""

    label: Int[np.ndarray, " example"]
    group: Int[np.ndarray, " example"]
    count: Int[np.ndarray, " example"]
    """How often the word type stands in train; 0 for an unseen one, -1 where nothing recurs."""
    predicted: dict[str, Int[np.ndarray, "..."]]
    """`task`: [layer, example]; a control: [draw, layer, example]."""
    control_label: dict[str, Int[np.ndarray, "draw example"]]
    subsets: dict[str, Bool[np.ndarray, " example"]] = field(default_factory=dict)
    """Examples that are scored by themselves too, such as those of one genre."""

    @property
    def correct(self) -> Bool[np.ndarray, "layer example"]:
        """Where the task's probes are right."""
        return self.predicted["task"] == self.label


def smallest(values: np.ndarray) -> np.ndarray:
    """The same integers in the smallest integer type that holds them.

    >>> smallest(np.array([0, 200])).dtype
    dtype('uint8')
    """
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    kinds = (np.uint8, np.uint16, np.uint32) if low >= 0 else (np.int8, np.int16, np.int32)
    kind = next((kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max), np.int64)
    return np.ascontiguousarray(values, dtype=kind)


def save_outcomes(outcomes: Outcomes, path: Path) -> None:
    """Write outcomes as safetensors, whole or not at all."""
    arrays = {"label": outcomes.label, "group": outcomes.group, "count": outcomes.count}
    arrays |= {f"predicted.{name}": values for name, values in outcomes.predicted.items()}
    arrays |= {f"label.{name}": values for name, values in outcomes.control_label.items()}
    arrays |= {f"subset.{name}": values.astype(np.uint8) for name, values in outcomes.subsets.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    working = path.with_name(f".{path.name}")
    # Not save_file: it makes files that nobody but their owner may read.
    working.write_bytes(save({name: smallest(values) for name, values in arrays.items()}))
    working.replace(path)


def load_outcomes(path: Path) -> Outcomes:
    """Outcomes of one run; raises ResultError if they are not there, or damaged."""
    if not path.is_file():
        raise ResultError(
            f"The outcomes of a run were expected at {path}, but there are none. Run its experiment with --refresh."
        )
    try:
        arrays = {name: values.astype(np.int64) for name, values in load_file(path).items()}
    except SafetensorError as error:
        raise ResultError(
            f"{path} should hold outcomes as probes writes them, but: {error}. Run its experiment with --refresh."
        ) from None
    parts = {
        prefix: {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
        for prefix in ("predicted.", "label.", "subset.")
    }
    subsets = {name: values.astype(bool) for name, values in parts["subset."].items()}
    return Outcomes(arrays["label"], arrays["group"], arrays["count"], parts["predicted."], parts["label."], subsets)
