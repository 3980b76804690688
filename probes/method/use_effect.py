"""What edits do: predictions of ordinary probes at later layers, how far states move, and the encoder's output."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.encoder.intervention import begin_pass
from probes.encoder.output import MaskedHead
from probes.encoder.sample import WordBatch
from probes.fit.fit import fit_layers
from probes.fit.fitted import FittedProbes
from probes.fit.question import Question
from probes.method.use_edit import Edit
from probes.method.use_sample import Sample
from probes.seed import stream_seed
from probes.types import Rows, Task

States = tuple[Float[Tensor, "text piece dim"], ...]
Step = tuple[WordBatch, int | None, States]
"""A batch, the number of the edit (none for the ordinary pass), and the states from the edited layer on."""


def walk(sample: Sample, edits: Sequence[Edit], *, mask_id: int | None = None) -> Iterator[Step]:
    """Every batch as it is, then under each edit; with `mask_id` the hidden words are not seen.

    Blocks below an edited layer run once for all edits.
    """
    encoder = sample.words.encoder
    target = torch.from_numpy(sample.by_word(sample.target, -1)).to(encoder.device)
    is_hidden = sample.by_word(sample.is_hidden, 0)
    for batch in sample.words.batches():
        inputs = batch.inputs if mask_id is None else batch.hide(is_hidden, mask_id)
        ordinary = begin_pass(encoder, inputs)
        yield batch, None, ordinary.states
        for number, edit in enumerate(edits):
            edited = edit(ordinary.states[edit.layer], batch.word, target)
            yield batch, number, ordinary.resume(edit.layer, edited)


@dataclass(frozen=True)
class Effects:
    """What ordinary probes say of every example, [edit, layer, example]; the last edit is none at all.

    `predicted` is -1 and `moved` NaN below the edited layer. `moved` is the length of the change of a word's vector
    as a share of the vector's own length.
    """

    predicted: Int[np.ndarray, "edit layer example"]
    moved: Float[np.ndarray, "edit layer example"]


@dataclass
class Output:
    """What the encoder predicts in the place of every hidden word, [edit, word]; the last edit is none at all."""

    sample: Sample
    head: MaskedHead
    num_edits: int
    nll_nats: Float[np.ndarray, "edit word"] = field(init=False)
    """Negative log-likelihood of the word that stands there."""
    is_right: Float[np.ndarray, "edit word"] = field(init=False)

    def __post_init__(self) -> None:
        is_hidden = self.sample.is_hidden
        shape = (self.num_edits + 1, int(is_hidden.sum()))
        self.nll_nats, self.is_right = np.full(shape, np.nan), np.full(shape, np.nan)
        numbers = np.where(is_hidden, np.cumsum(is_hidden) - 1, -1)
        self._number_of = torch.from_numpy(self.sample.by_word(numbers, -1)).to(self.head.encoder.device)

    def read(self, batch: WordBatch, edit: int | None, *, last: Float[Tensor, "text piece dim"]) -> None:
        """What the head makes of the last states of a batch under an edit."""
        number = torch.where(batch.word >= 0, self._number_of[batch.word.clamp_min(0)], -1)
        is_here = number >= 0
        wanted = batch.inputs["input_ids"][is_here]
        scores = self.head.log_probabilities(last[is_here])
        row, places = self.num_edits if edit is None else edit, number[is_here].cpu().numpy()
        self.nll_nats[row, places] = -scores.gather(1, wanted[:, None])[:, 0].cpu().numpy()
        self.is_right[row, places] = (scores.argmax(dim=1) == wanted).cpu().numpy()


@dataclass
class Watch:
    """Collects effects, and the output where there is a head, while edits are walked through."""

    sample: Sample
    probes: FittedProbes
    edits: Sequence[Edit]
    head: MaskedHead | None
    effects: Effects = field(init=False)
    shown: Output | None = field(init=False)
    """The output where words are in view: the encoder has to pass them on."""

    def __post_init__(self) -> None:
        shape = (len(self.edits) + 1, self.probes.num_layers, len(self.sample.word))
        self.effects = Effects(np.full(shape, -1, dtype=np.int16), np.full(shape, np.nan, dtype=np.float32))
        self.shown = None if self.head is None else Output(self.sample, self.head, len(self.edits))
        self._example_of = self.sample.by_word(np.arange(len(self.sample.word)), -1)

    def look(self) -> None:
        """Walk through all edits."""
        before: list[Float[Tensor, "row dim"]] = []
        for batch, number, states in walk(self.sample, self.edits):
            example = self._example_of[batch.rows]
            pooled = [batch.pool(state)[torch.from_numpy(example >= 0)] for state in states]
            if number is None:
                before = pooled
            self._read(pooled, before, example=example[example >= 0], edit=number)
            if self.shown is not None and (number is None or self.edits[number].how == "erase"):
                self.shown.read(batch, number, last=states[-1])

    def _read(
        self,
        pooled: list[Float[Tensor, "row dim"]],
        before: list[Float[Tensor, "row dim"]],
        *,
        example: Int[np.ndarray, " row"],
        edit: int | None,
    ) -> None:
        row, every = len(self.edits) if edit is None else edit, np.arange(len(example))
        first = len(before) - len(pooled)
        for layer, (now, then) in enumerate(zip(pooled, before[first:], strict=True), start=first):
            change = (now - then).norm(dim=-1) / then.norm(dim=-1).clamp_min(1e-30)
            self.effects.moved[row, layer, example] = change.cpu().numpy()
            self.effects.predicted[row, layer, example] = self.probes.predict(now.cpu().numpy(), every, layer)[0]


def predict_hidden(sample: Sample, head: MaskedHead, *, edits: Sequence[Edit]) -> Output:
    """The output where words are hidden: the encoder has to tell them from their context."""
    output = Output(sample, head, len(edits))
    for batch, number, states in walk(sample, edits, mask_id=head.mask_id):
        output.read(batch, number, last=states[-1])
    return output


def refit(
    samples: dict[str, Sample], edit: Edit | None, *, task: Task, probes: FittedProbes, seed: int
) -> Int[np.ndarray, "layer example"]:
    """What probes say of the examples of test that were fitted anew on edited states of train and chosen on dev.

    Rows of layers below the edited one are -1. The states of all samples and layers are in memory for as long as the
    fit, 4 bytes a number.
    """
    layers = {split: _collect(sample, edit) for split, sample in samples.items()}
    rows = {
        split: Rows(np.arange(len(one.word))[:, None], one.labels, one.groups, one.word)
        for split, one in samples.items()
    }
    question = Question(replace(task, splits=rows), (), probes.config)
    fitted = fit_layers(
        {split: layers[split] for split in ("train", "dev")}, [question], seed=stream_seed(seed, "use.refit")
    )[0]
    predicted = np.full((probes.num_layers, len(rows["test"])), -1, dtype=np.int64)
    for number, states in enumerate(layers["test"]):
        layer = probes.num_layers - len(layers["test"]) + number
        predicted[layer] = fitted.predict(states, np.arange(len(states)), number)[0]
    return predicted


def _collect(sample: Sample, edit: Edit | None) -> list[Float[np.ndarray, "example dim"]]:
    """The vectors of all examples at the edited layer and those above, in the order of the examples."""
    example_of = sample.by_word(np.arange(len(sample.word)), -1)
    num_layers = len(sample.words.encoder.layers) - (0 if edit is None else edit.layer)
    made = [np.empty((len(sample.word), sample.words.encoder.dim), dtype=np.float32) for _ in range(num_layers)]
    for batch, number, states in walk(sample, [] if edit is None else [edit]):
        if edit is not None and number is None:
            continue
        example = example_of[batch.rows]
        for layer, state in zip(made, states, strict=True):
            layer[example[example >= 0]] = batch.pool(state).cpu().numpy()[example >= 0]
    return made
