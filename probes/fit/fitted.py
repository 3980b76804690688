"""Fitted linear probes: frozen, in terms of raw hidden states, and kept without pickle."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from safetensors.numpy import load_file, save_file

from probes.errors import FitError

CHUNK_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class FittedProbes:
    """One chosen probe for each layer and target; target 0 is the task, the others are control draws.

    Standardisation is folded in: logits = hidden state @ weights + bias.
    """

    labels: tuple[str, ...]
    targets: tuple[str, ...]
    weights: Float[np.ndarray, "layer target dim label"]
    bias: Float[np.ndarray, "layer target label"]
    l2: Float[np.ndarray, " layer"]
    """The penalty that dev chose for the task; the controls of a layer use the same."""
    epochs: Int[np.ndarray, "layer target"]
    dev_accuracy: Float[np.ndarray, "layer target"]
    gap: Float[np.ndarray, "layer target"]
    """Estimated distance to the optimum, in nats for each training row."""

    def logits(self, states: np.ndarray, layer: int) -> Float[np.ndarray, "row target label"]:
        """Scores of every label for rows [row, dim] of one layer."""
        num_targets, dim, num_labels = self.weights[layer].shape
        folded = self.weights[layer].transpose(1, 0, 2).reshape(dim, num_targets * num_labels)
        product = np.asarray(states, dtype=np.float32) @ folded
        return product.reshape(len(states), num_targets, num_labels) + self.bias[layer]

    def predict(
        self, states: np.ndarray, rows: Int[np.ndarray, " example"], layer: int
    ) -> Int[np.ndarray, "target example"]:
        """The predicted label of each example under every target, read by chunks.

        Raises FitError for a state that is not a finite number: every label would be as good as another.
        """
        parts = []
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = states[rows[start : start + CHUNK_ROWS]]
            bad = np.flatnonzero(~np.isfinite(chunk).all(axis=1))
            if len(bad):
                raise FitError(
                    f"States should be finite numbers, but row {rows[start + bad[0]]} of layer {layer} has NaN or "
                    f"infinity. Check the cache, or encode again."
                )
            parts.append(self.logits(chunk, layer).argmax(axis=-1))
        return np.concatenate(parts).T

    def save(self, folder: Path) -> None:
        """Write `probes.safetensors` and `probes.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS},
            folder / "probes.safetensors",
        )
        (folder / "probes.json").write_text(json.dumps({"labels": self.labels, "targets": self.targets}), "utf-8")


_ARRAYS = ("weights", "bias", "l2", "epochs", "dev_accuracy", "gap")


def load_probes(folder: Path) -> FittedProbes:
    """Probes written by `save`; raises FitError if they are not there."""
    if not all((folder / name).is_file() for name in ("probes.json", "probes.safetensors")):
        raise FitError(
            f"Fitted probes were expected in {folder}, but there are none. Run the experiment again with --refresh."
        )
    names = json.loads((folder / "probes.json").read_text("utf-8"))
    arrays = load_file(folder / "probes.safetensors")
    return FittedProbes(labels=tuple(names["labels"]), targets=tuple(names["targets"]), **arrays)
