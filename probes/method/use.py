"""Whether an encoder uses what a probe reads: its states are edited at one layer, and the rest of it goes on.

Erased (amnesic probing, Elazar et al. 2021): the subspace of the labels is taken out of every word by LEACE. Patched:
in some words it is set to the mean of another class. Then the frozen encoder continues, and three things are looked
at: what probes that were fitted on ordinary states read at later layers, how far states have moved, and which words
the encoder predicts. Everything is compared with random subspaces of the same rank: an encoder that is merely
disturbed is disturbed by these too.
"""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from probes.config import Settings
from probes.encoder.intervention import find_blocks
from probes.encoder.output import MaskedHead, NoHeadError, load_head
from probes.errors import ConfigError, EncoderError, TaskError
from probes.fit.fit import fit_probes
from probes.fit.fitted import FittedProbes
from probes.method.build import Method
from probes.method.subject import Findings, Subject
from probes.method.use_edit import Edit, How, make_edits
from probes.method.use_effect import Effects, Watch, predict_hidden, refit
from probes.method.use_row import Measure
from probes.method.use_sample import Sample, draw_sample
from probes.report.series import is_of
from probes.result import Finding, Panel
from probes.task.join import DEV, TEST, TRAIN

DEV_SHARE = 4
BY_LAYER = (
    Panel(
        metric="accuracy",
        title="Read by the ordinary probe after erasing",
        lines="edited",
        is_share=True,
        where={"variant": "erased"},
    ),
    Panel(
        metric="followed",
        title="Read as the class that was patched in",
        lines="edited",
        is_share=True,
        where={"variant": "patched"},
    ),
)
AT_LAST: tuple[tuple[str, str, How, bool], ...] = (
    ("accuracy", "Accuracy at the last layer", "erase", True),
    ("refit_accuracy", "Fitted anew at the last layer", "erase", True),
    ("followed", "Patched class at the last layer", "patch", True),
    ("moved", "Change of the last states, share of their length", "erase", True),
    ("masked_nll_nats", "Hidden words, nats", "erase", False),
    ("shown_nll_nats", "Words in view, nats", "erase", False),
)


class UseSettings(Settings):
    """Where states are edited, how, and on how much text."""

    how: tuple[How, ...] = Field(default=("erase", "patch"), min_length=1)
    """`erase`: take the label subspace out of every word. `patch`: set it to another class in some words."""
    at_layer: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(default=None, min_length=1)
    """Layers that are edited, 0 for the output of the embeddings; by default all but the last, and the last too where
    the encoder has a masked-word head to read it."""
    draws: int = Field(default=3, ge=1)
    """Random subspaces of equal rank at each layer."""
    sentences: int = Field(default=500, ge=1)
    """Test sentences that are looked at, in whole groups as far as they go."""
    refit_sentences: int = Field(default=0, ge=0)
    """Training sentences on whose edited states probes are fitted anew, with a quarter as many of dev; 0 for none.
    Tells what ordinary probes no longer find from what is no longer there."""


def apply_use(subject: Subject, settings: UseSettings) -> Findings:
    """Later layers and output of an encoder under every edit.

    Raises ConfigError for controls and layers that do not exist, TaskError for a task that is not one label a word,
    and EncoderError for an encoder that cannot go on from edited states, or did not make the cache.
    """
    _check_subject(subject)
    layers = _choose_layers(settings, len(subject.encoder.layers) - 1)
    head, reason = _find_head(subject)
    if settings.at_layer is None and head is None:
        layers = layers[:-1]
    edits = [edit for layer in layers for edit in make_edits(subject, layer, hows=settings.how, draws=settings.draws)]
    probes = fit_probes(subject.cache, [subject.task], subject.run.fit, seed=subject.seed)
    sample = draw_sample(subject, TEST, settings.sentences)
    watch = Watch(sample, probes, edits, head)
    watch.look()
    measures = [*_read_effects(sample, edits, watch.effects), *_read_output(watch)]
    samples = {TEST: sample}
    erasing = [edit for edit in edits if edit.how == "erase"]
    if settings.refit_sentences and erasing:
        samples |= _draw_others(subject, settings.refit_sentences)
        measures.append(_refit(subject, samples, erasing, probes))
    rows = [row for measure in measures for row in measure.rows(subject.seed)]
    return Findings(tuple(rows), _panels(rows, probes.num_layers - 1), _notes(samples, edits, reason))


def _check_subject(subject: Subject) -> None:
    task = subject.task
    if subject.run.task.controls:
        raise ConfigError(
            f"The control of method 'use' are random subspaces, but the run asks for the control "
            f"{subject.run.task.controls[0]!r}. Leave task.controls empty."
        )
    if task.unit != "word" or task.answer != "class" or task.splits[TRAIN].index.shape[1] != 1:
        raise TaskError(
            f"Method 'use' edits the states of words by their label, but task {task.name!r} has not one label for each "
            f"word. Choose a task such as 'pos'."
        )
    find_blocks(subject.encoder)
    if subject.cache.manifest.identity.get("weights") != subject.encoder.weights_hash:
        raise EncoderError(
            f"Method 'use' lets the encoder go on that made the cache, but {subject.cache.folder.name} was not made by "
            f"{subject.run.encoder.name!r} as it is now. Encode the corpus again."
        )


def _choose_layers(settings: UseSettings, last: int) -> list[int]:
    layers = range(last + 1) if settings.at_layer is None else sorted(set(settings.at_layer))
    if layers[-1] > last:
        raise ConfigError(
            f"method.options.at_layer should be layers of the encoder, 0 (the embeddings) to {last}, but has "
            f"{layers[-1]}. Leave it out."
        )
    return list(layers)


def _find_head(subject: Subject) -> tuple[MaskedHead | None, str | None]:
    """The head, or why there is none: later layers can be measured without."""
    try:
        return load_head(subject.encoder), None
    except NoHeadError as error:
        return None, str(error)


def _draw_others(subject: Subject, size: int) -> dict[str, Sample]:
    return {TRAIN: draw_sample(subject, TRAIN, size), DEV: draw_sample(subject, DEV, max(1, size // DEV_SHARE))}


def _read_effects(sample: Sample, edits: list[Edit], effects: Effects) -> list[Measure]:
    """Accuracy of ordinary probes, the share that follows the patch, and how far states move."""
    measures = []
    for how in dict.fromkeys(edit.how for edit in edits):
        own = [number for number, edit in enumerate(edits) if edit.how == how]
        looked_at = np.flatnonzero(sample.is_chosen) if how == "patch" else np.arange(len(sample.word))
        predicted, moved = (part[[*own, len(edits)]][..., looked_at] for part in (effects.predicted, effects.moved))
        common: dict[str, Any] = {
            "how": how,
            "edits": [edits[number] for number in own],
            "layers": range(predicted.shape[1]),
            "groups": sample.groups[looked_at],
        }
        if how == "patch":
            measures.append(Measure("followed", values=_equal(predicted, sample.target[looked_at]), **common))
        measures.append(Measure("accuracy", values=_equal(predicted, sample.labels[looked_at]), **common))
        measures.append(Measure("moved", values=moved, has_untouched=False, **common))
    return measures


def _read_output(watch: Watch) -> list[Measure]:
    """Log-likelihood and accuracy of words in their own places, in view and hidden; nothing without a head."""
    sample, erasing = watch.sample, [edit for edit in watch.edits if edit.how == "erase"]
    if watch.head is None or watch.shown is None or not erasing:
        return []
    hidden = predict_hidden(sample, watch.head, edits=erasing)
    is_erasing = [*(edit.how == "erase" for edit in watch.edits), True]
    common: dict[str, Any] = {
        "how": "erase",
        "edits": erasing,
        "layers": [watch.probes.num_layers - 1],
        "groups": sample.groups[sample.is_hidden],
    }
    found = {
        "shown_nll_nats": watch.shown.nll_nats[is_erasing],
        "shown_accuracy": watch.shown.is_right[is_erasing],
        "masked_nll_nats": hidden.nll_nats,
        "masked_accuracy": hidden.is_right,
    }
    return [Measure(metric, values=values[:, None], **common) for metric, values in found.items()]


def _refit(subject: Subject, samples: dict[str, Sample], edits: list[Edit], probes: FittedProbes) -> Measure:
    """Accuracy of probes fitted on edited states, beside those of the first random subspace of each layer."""
    looked_at = [edit for edit in edits if edit.draw in (None, 0)]
    predicted = [
        refit(samples, edit, task=subject.task, probes=probes, seed=subject.seed) for edit in [*looked_at, None]
    ]
    test = samples[TEST]
    values = _equal(np.stack(predicted), test.labels)
    return Measure("refit_accuracy", "erase", looked_at, values, range(values.shape[1]), test.groups)


def _equal(predicted: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return (predicted == wanted).astype(np.float64)


def _panels(rows: list[Finding], last: int) -> tuple[Panel, ...]:
    """What was measured by layer, a line for each edited layer; then at the last layer, by edited layer."""
    by_edited = (
        Panel(metric=metric, title=title, x="edited", is_share=is_share, where={"layer": last, "how": how})
        for metric, title, how, is_share in AT_LAST
    )
    return tuple(panel for panel in (*BY_LAYER, *by_edited) if any(is_of(panel, row) for row in rows))


def _notes(samples: dict[str, Sample], edits: list[Edit], reason: str | None) -> dict[str, Any]:
    test = samples[TEST]
    return {
        "sentences": {split: int((~one.words.too_long).sum()) for split, one in samples.items()},
        "sentences_too_long": {split: int(one.words.too_long.sum()) for split, one in samples.items()},
        "words": {split: len(one.word) for split, one in samples.items()},
        "words_patched": int(test.is_chosen.sum()),
        "words_hidden": int(test.is_hidden.sum()),
        "rank": {str(edit.layer): edit.eraser.rank for edit in edits if edit.draw is None},
        "no_output": reason,
    }


METHOD = Method(UseSettings, apply_use)
