"""Fitted probes: frozen, kept without pickle, and asked for labels."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from safetensors.numpy import load_file, save
from scipy.special import log_softmax

from probes.config import FitConfig
from probes.errors import FitError
from probes.fit.choose import Grid, Setting
from probes.fit.family import keep_all, make_family
from probes.fit.loss import beats_partner, predict
from probes.fit.read import CHUNK_ROWS, Layer
from probes.types import Answer


@dataclass(frozen=True, slots=True)
class FittedProbes:
    """One chosen probe for each layer and target; target 0 is the task, the others are control draws.

    Features are (state - mean) * inverse_std; `parameters` are the family's, of features.
    """

    config: FitConfig
    answer: Answer
    labels: tuple[str, ...]
    targets: tuple[str, ...]
    parameters: dict[str, Float[np.ndarray, "layer target out in"]]
    mean: Float[np.ndarray, "layer feature"]
    inverse_std: Float[np.ndarray, "layer feature"]
    output_mean: Float[np.ndarray, " output"]
    """Numbers are predicted in units of train: answer * output_std + output_mean."""
    output_std: Float[np.ndarray, " output"]
    grid: Grid
    """The settings that dev chose for the task; the controls of a layer use the same."""
    epochs: Int[np.ndarray, "layer target"]
    """Passes over train; for the exact solver its passes over the rows."""
    dev_accuracy: Float[np.ndarray, "layer target"]
    """Share of right answers; R2 for numbers."""
    gap: Float[np.ndarray, "layer target"]
    """Distance to the optimum, in nats for each training row; NaN where there is no telling."""
    gap_kind: str
    converged: Bool[np.ndarray, "layer target"]
    has_diverged: Bool[np.ndarray, "layer target"]
    product: bool = False
    """Whether the product of two slots stands behind their states."""
    dev_curve: Float[np.ndarray, "epoch layer measure"] | None = None
    """Accuracy and loss of the task on dev after each epoch, NaN once a probe has ended; not kept on disk."""

    @property
    def num_layers(self) -> int:
        return len(self.mean)

    def logits(self, states: np.ndarray, layer: int) -> Float[np.ndarray, "row target output"]:
        """Scores of every label (or the numbers) for rows [row, feature] of one layer."""
        features = torch.from_numpy(np.array(states, dtype=np.float32))
        features = features.sub_(torch.from_numpy(self.mean[layer])).mul_(torch.from_numpy(self.inverse_std[layer]))
        parameters = {name: torch.from_numpy(value[layer : layer + 1]) for name, value in self.parameters.items()}
        answers = make_family(self.config).logits(parameters, features[None], keep_all)[0]
        return answers.permute(2, 0, 1).numpy() * self.output_std + self.output_mean

    def predict(self, states: Layer, rows: Int[np.ndarray, "example *slot"], layer: int) -> np.ndarray:
        """What each example is taken for under every target, read by chunks: classes [target, example], else
        [target, example, output].

        Raises FitError for a state that is not a finite number: every label would be as good as another.
        """
        parts = [
            predict(torch.from_numpy(logits).permute(1, 2, 0)[None], self.answer)[0].numpy()
            for logits in self._logits_by_chunk(states, rows, layer)
        ]
        joined = np.concatenate(parts, axis=-1)
        return joined if self.answer == "class" else joined.swapaxes(1, 2)

    def compare(
        self,
        states: np.ndarray,
        rows: Int[np.ndarray, "example slot"],
        layer: int,
        partner: Int[np.ndarray, " example"],
    ) -> Int[np.ndarray, "target example"]:
        """Classes of two within pairs: an example is of the second class if it looks more like it than its partner."""
        logits = np.concatenate(list(self._logits_by_chunk(states, rows, layer)))
        margins = (logits[..., 1] - logits[..., 0]).T
        return beats_partner(margins, partner).astype(np.int64)

    def surprisal(
        self,
        states: Layer,
        rows: Int[np.ndarray, "example slot"],
        layer: int,
        labels: Int[np.ndarray, "target example"],
    ) -> Float[np.ndarray, "target example"]:
        """Negative log-likelihood of a label of each example under the probe of each target, in nats."""
        found, start = np.empty(labels.shape), 0
        for logits in self._logits_by_chunk(states, rows, layer):
            wanted = labels[:, start : start + len(logits)].T[:, :, None]
            log_shares = log_softmax(logits.astype(np.float64), axis=2)
            found[:, start : start + len(logits)] = -np.take_along_axis(log_shares, wanted, axis=2)[:, :, 0].T
            start += len(logits)
        return found

    def _logits_by_chunk(
        self, states: Layer, rows: Int[np.ndarray, "example *slot"], layer: int
    ) -> Iterator[Float[np.ndarray, "row target output"]]:
        rows = rows.reshape(len(rows), -1)
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = states[rows[start : start + CHUNK_ROWS]].astype(np.float32)
            if self.product:
                chunk = np.concatenate([chunk, chunk[:, :1] * chunk[:, 1:]], axis=1)
            chunk = chunk.reshape(len(chunk), -1)
            bad = np.flatnonzero(~np.isfinite(chunk).all(axis=1))
            if len(bad):
                raise FitError(
                    f"States should be finite numbers, but row {rows[start + bad[0], 0]} of layer {layer} has NaN or "
                    f"infinity. Check the cache, or encode again."
                )
            yield self.logits(chunk, layer)

    def coefficients(self, layer: int, target: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """A linear probe of raw states: (weights [output, feature], bias [output]), standardisation folded in.

        Raises FitError for a probe that is not linear and of full rank.
        """
        if set(self.parameters) != {"weight_0", "bias_0"}:
            raise FitError(
                f"Coefficients are those of a linear probe of full rank, but this is {self.config.probe!r} with "
                f"parameters {', '.join(self.parameters)}. Read FittedProbes.parameters."
            )
        weights = self.parameters["weight_0"][layer, target].astype(np.float64) * self.inverse_std[layer]
        bias = self.parameters["bias_0"][layer, target, :, 0] - weights @ self.mean[layer]
        return weights * self.output_std[:, None], bias * self.output_std + self.output_mean

    def save(self, folder: Path) -> None:
        """Write `probes.safetensors` and `probes.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays |= {f"grid.{name}": getattr(self.grid, name) for name in _GRID_ARRAYS}
        arrays |= {f"parameters.{name}": value for name, value in self.parameters.items()}
        # Not save_file: it makes files that nobody but their owner may read.
        written = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
        (folder / "probes.safetensors").write_bytes(written)
        described = {name: getattr(self, name) for name in _TEXTS}
        described["config"] = self.config.model_dump(mode="json")
        described["settings"] = [asdict(setting) for setting in self.grid.settings]
        (folder / "probes.json").write_text(json.dumps(described), "utf-8")


_UNITS = ("mean", "inverse_std", "output_mean", "output_std")
_ARRAYS = (*_UNITS, "epochs", "dev_accuracy", "gap", "converged", "has_diverged")
_GRID_ARRAYS = ("accuracy", "loss", "choice")
_TEXTS = ("answer", "labels", "targets", "gap_kind", "product")


def load_probes(folder: Path) -> FittedProbes:
    """Probes written by `save`; raises FitError if they are not there, or another version wrote them."""
    if not all((folder / name).is_file() for name in ("probes.json", "probes.safetensors")):
        raise FitError(
            f"Fitted probes were expected in {folder}, but there are none. Run the experiment again with --refresh."
        )
    texts = json.loads((folder / "probes.json").read_text("utf-8"))
    arrays = load_file(folder / "probes.safetensors")
    if "settings" not in texts:
        raise FitError(
            f"Fitted probes of this version were expected in {folder}, but an earlier one wrote them. "
            f"Run the experiment again with --refresh."
        )
    settings = tuple(Setting(**setting) for setting in texts["settings"])
    return FittedProbes(
        config=FitConfig.model_validate(texts["config"]),
        answer=texts["answer"],
        labels=tuple(texts["labels"]),
        targets=tuple(texts["targets"]),
        gap_kind=texts["gap_kind"],
        product=texts.get("product", False),
        grid=Grid(settings, *(arrays[f"grid.{name}"] for name in _GRID_ARRAYS)),
        parameters={
            name.removeprefix("parameters."): value for name, value in arrays.items() if name.startswith("parameters.")
        },
        **{name: arrays[name] for name in _ARRAYS},
    )
