"""Labels for new text by a fitted probe."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from scipy.special import softmax

from probes.cache import probes_home
from probes.config import EncoderConfig, Run
from probes.errors import CacheError, FitError
from probes.fit.fitted import FittedProbes, load_probes
from probes.report.shown import Shown
from probes.task import unit_of
from probes.types import Pair

if TYPE_CHECKING:
    from probes.encoder.frozen import FrozenEncoder

ENCODER_NAME = "encoder.json"


def probes_folder(run_id: str) -> Path:
    """Where the fitted probes of a run are kept."""
    return probes_home() / "probes" / run_id


@dataclass(frozen=True)
class FittedPredictor:
    """Answers new text by the fitted probes of a task; encoder and probes are loaded at the first question."""

    encoder: EncoderConfig
    task: str
    source: FittedProbes | Path

    def __call__(self, texts: Sequence[str | Pair | Sequence[str]], layer: int) -> list[Any]:
        """For each text its label, or one for each word, by the probe of a layer."""
        fitted = self._probes
        if layer not in range(fitted.num_layers):
            raise CacheError(
                f"A layer from 0 (the embeddings) to {fitted.num_layers - 1} was expected, but came {layer!r}. "
                f"Ask for one of these."
            )
        answers = [logits[layer].argmax(axis=-1) for logits in self._logits(texts, [layer])]
        labels = [[fitted.labels[code] for code in codes] for codes in answers]
        return labels if unit_of(self.task) == "word" else [label for (label,) in labels]

    def show(self, text: str | Pair | Sequence[str], title: str, layers: Sequence[str]) -> Shown:
        """What the probes of all layers, by their names, say about one text, with probabilities.

        Raises FitError for a task whose answers are no classes.
        """
        fitted, unit = self._probes, unit_of(self.task)
        if fitted.answer != "class":
            raise FitError(
                f"A task that answers one of several classes was expected, but the answers of {self.task!r} are "
                f"{fitted.answer!r}. Ask for its numbers with FittedProbes.logits."
            )
        (logits,) = self._logits([text], range(fitted.num_layers))
        words = (split_words(text) if isinstance(text, str) else list(text)) if unit == "word" else [str(text)]
        return Shown(
            title=title,
            words=tuple(map(str, words)),
            layers=tuple(layers),
            labels=fitted.labels,
            shares=softmax(np.stack(list(logits.values())).astype(np.float64), axis=-1),
            is_sentence=unit == "sentence",
        )

    def _logits(
        self, texts: Sequence[str | Pair | Sequence[str]], layers: Sequence[int]
    ) -> list[dict[int, Float[np.ndarray, "row label"]]]:
        from probes.encoder.pool import embed

        fitted, unit = self._probes, unit_of(self.task)
        _check_width(fitted, self.task, self._encoder.dim)
        inputs = [split_words(text) if unit == "word" and isinstance(text, str) else text for text in texts]
        return [
            {layer: fitted.logits(states[layer].cpu().numpy(), layer)[:, 0] for layer in layers}
            for states in embed(self._encoder, inputs, unit)
        ]

    @cached_property
    def _probes(self) -> FittedProbes:
        return load_probes(self.source) if isinstance(self.source, Path) else self.source

    @cached_property
    def _encoder(self) -> "FrozenEncoder":
        from probes.encoder.load import load_encoder  # here: curves are read and made without transformers

        return load_encoder(self.encoder)


def _check_width(fitted: FittedProbes, task: str, dim: int) -> None:
    width = fitted.mean.shape[1]
    if width != dim:
        raise FitError(
            f"A probe that reads one vector of {dim} dims was expected, but that of task {task!r} reads {width}: its "
            f"examples are several words. Ask the fitted probe for rows of a cache instead."
        )


def keep_probes(run: Run, probes: FittedProbes) -> None:
    """Save the probes of a run, with where their encoder is on this machine: a record holds its name only."""
    folder = probes_folder(run.run_id)
    probes.save(folder)
    (folder / ENCODER_NAME).write_text(run.encoder.model_dump_json(), "utf-8")


def predictor_of(run: Run) -> FittedPredictor:
    """The predictor of a run whose probes were kept."""
    folder = probes_folder(run.run_id)
    encoder, path = run.encoder, folder / ENCODER_NAME
    if path.is_file():
        encoder = EncoderConfig.model_validate_json(path.read_text("utf-8"))
    return FittedPredictor(encoder, run.task.name, folder)


def split_words(text: str) -> list[str]:
    """Words and punctuation marks, where only running text is given.

    >>> split_words("The cat's asleep, isn't it?")
    ['The', "cat's", 'asleep', ',', "isn't", 'it', '?']
    """
    return re.findall(r"\w+(?:['’]\w+)*|[^\w\s]", text)
