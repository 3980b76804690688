"""Labels for new text by a fitted probe."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from probes.cache import probes_home
from probes.config import EncoderConfig, Run
from probes.errors import CacheError, FitError
from probes.fit.fitted import FittedProbes, load_probes
from probes.study.curve import Predictor
from probes.task import unit_of
from probes.types import Pair

ENCODER_NAME = "encoder.json"


def probes_folder(run_id: str) -> Path:
    """Where the fitted probes of a run are kept."""
    return probes_home() / "probes" / run_id


def make_predictor(encoder: EncoderConfig, task: str, probes: FittedProbes | Path) -> Predictor:
    """A function from texts and a layer to labels; encoder and probes are loaded at the first call."""
    loaded: dict[str, Any] = {}

    def predict(texts: Sequence[str | Pair | Sequence[str]], layer: int) -> list[Any]:
        from probes.encoder.load import load_encoder  # here: curves are read and made without transformers
        from probes.encoder.pool import embed

        if not loaded:
            loaded["probes"] = load_probes(probes) if isinstance(probes, Path) else probes
            loaded["encoder"] = load_encoder(encoder)
        fitted, unit = loaded["probes"], unit_of(task)
        if layer not in range(fitted.num_layers):
            raise CacheError(
                f"A layer from 0 (the embeddings) to {fitted.num_layers - 1} was expected, but came {layer!r}. "
                f"Ask for one of these."
            )
        _check_width(fitted, task, loaded["encoder"].dim)
        inputs = [split_words(text) if unit == "word" and isinstance(text, str) else text for text in texts]
        vectors = embed(loaded["encoder"], inputs, unit)
        answers = [fitted.logits(states[layer].cpu().numpy(), layer)[:, 0].argmax(axis=-1) for states in vectors]
        labels = [[fitted.labels[code] for code in codes] for codes in answers]
        return labels if unit == "word" else [label for (label,) in labels]

    return predict


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


def predictor_of(run: Run) -> Predictor:
    """The predictor of a run whose probes were kept."""
    folder = probes_folder(run.run_id)
    encoder, path = run.encoder, folder / ENCODER_NAME
    if path.is_file():
        encoder = EncoderConfig.model_validate_json(path.read_text("utf-8"))
    return make_predictor(encoder, run.task.name, folder)


def split_words(text: str) -> list[str]:
    """Words and punctuation marks, where only running text is given.

    >>> split_words("The cat's asleep, isn't it?")
    ['The', "cat's", 'asleep', ',', "isn't", 'it', '?']
    """
    return re.findall(r"\w+(?:['’]\w+)*|[^\w\s]", text)
