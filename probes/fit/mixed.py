"""From labels and the states of all layers to mixes of layers: all of them, and their refits, in one stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from probes.config import FitConfig
from probes.fit.batch import RowBatches
from probes.fit.choose import choose_settings, list_settings
from probes.fit.family import ProbeFamily
from probes.fit.feature import check_dev, measure_features, sample_features, white_basis
from probes.fit.loss import predict_class
from probes.fit.mix import SCORES, Answers, BestMixes, Loss, MixBank, MixShape, family_for, mix_logits, mix_weights
from probes.fit.problem import arithmetic
from probes.fit.read import Scale, SplitRows
from probes.fit.span import SpanBatches, SpanRows
from probes.fit.stack import fit_stack, plan_steps
from probes.seed import generator, stream_seed
from probes.types import Task

Over = Literal["mix", "layer"]
SPLITS = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class MixPlan:
    """Which probes are fitted: for each layer l one over a mix of the layers 0..l, one over l alone, or both."""

    family: ProbeFamily
    over: tuple[Over, ...] = ("mix",)
    refits: int = 0
    """Further fits of the mix of all layers, each with the groups of train drawn again with replacement."""
    loss: Loss = "softmax"


@dataclass(frozen=True)
class MixProblem:
    """A task with the rows that its examples read: one each, or the words of spans."""

    task: Task
    rows: Mapping[str, SplitRows] | Mapping[str, SpanRows]
    config: FitConfig
    seed: int

    def batches(
        self, split: str, scale: Scale, dtype: torch.dtype, seed: int | None = None
    ) -> RowBatches | SpanBatches:
        batch_rows, _ = plan_steps(len(self.rows["train"]), self.config)
        rows, fields = self.rows[split], {"batch_rows": batch_rows, "dtype": dtype, "seed": seed}
        if isinstance(rows, SpanRows):
            return SpanBatches(rows, scale, **fields)
        return RowBatches(rows, scale, **fields)

    def answers(self, split: str) -> Answers:
        rows, spans = self.task.splits[split], self.rows[split]
        lengths = torch.from_numpy(spans.lengths.copy()) if isinstance(spans, SpanRows) else None
        return Answers(torch.from_numpy(rows.labels).long(), torch.from_numpy(rows.groups).long(), lengths)

    def words(self, split: str) -> SplitRows:
        """What features are measured on."""
        rows = self.rows[split]
        return rows.words if isinstance(rows, SpanRows) else rows


@dataclass(frozen=True)
class FittedMixes:
    """The chosen probe of each `over` and layer, what it answers, and the refits of the mix of all layers."""

    over: tuple[Over, ...]
    predicted: dict[str, Int[np.ndarray, "over layer example"]]
    """Class of each example of dev and test."""
    weights: Float[np.ndarray, " layer"] | None
    """Share of each layer in the mix of all of them; none where no mix was asked for."""
    refits: Float[np.ndarray, "refit layer"]
    """The same of each refit."""
    gamma: float | None
    l2: Float[np.ndarray, "over layer"]
    epochs: Int[np.ndarray, "over layer"]
    has_diverged: Bool[np.ndarray, "over layer"]


def fit_mixes(problem: MixProblem, plan: MixPlan) -> FittedMixes:
    """Fit every mix of a plan, its setting and epoch chosen on dev; then dev and test are answered.

    Raises FitError for states that are not finite, and where every setting of a probe diverges.
    """
    config = problem.config
    statistics = measure_features(
        problem.words("train"), problem.seed, "raw" if config.features == "raw" else "standard"
    )
    check_dev(problem.words("dev"))
    shape = _shape(problem, plan, statistics.scale)
    best = _fit(problem, shape, statistics.scale)
    chosen = _choose(config, best)
    num_layers = len(problem.rows["train"].layers)
    num_fits = len(plan.over) * num_layers
    kept, refits = best.take(chosen[:num_fits]), best.take(chosen[num_fits:])
    kept_reads = shape.reads[chosen[:num_fits]]
    size = (len(plan.over), num_layers)
    whole = plan.over.index("mix") * num_layers + num_layers - 1 if "mix" in plan.over else None
    predicted = {
        split: _predict(problem, plan.family, kept, kept_reads, split, statistics.scale).reshape(*size, -1)
        for split in SPLITS[1:]
    }
    return FittedMixes(
        over=plan.over,
        predicted=predicted,
        weights=None if whole is None else _weights(kept, kept_reads)[whole],
        refits=_weights(refits, shape.reads[chosen[num_fits:]]),
        gamma=None if whole is None else float(kept.parameters["bias_gamma"][whole]),
        l2=shape.l2[chosen[:num_fits]].numpy().reshape(size),
        epochs=kept.epochs.numpy().reshape(size),
        has_diverged=kept.has_diverged.numpy().reshape(size),
    )


def draw_counts(num_groups: int, refits: int, seed: int) -> Int[np.ndarray, "refit group"]:
    """How often each group is drawn in each refit: as many groups as there are, with replacement."""
    stream = generator(seed, "fit.refit")
    return stream.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=refits)


def mix_bases(
    rows: SplitRows, scale: Scale, over: Sequence[Over], *, seed: int
) -> tuple[Float[Tensor, "probe feature white"], Float[Tensor, "probe white"]]:
    """For each `over` and layer the coordinates in which a probe's features are white when its fit begins.

    A mix then has equal weights. What it becomes is another matter, but these are only the coordinates of its steps.
    """
    found: dict[Over, list[tuple[Tensor, Tensor]]] = {name: [] for name in over}
    total = torch.zeros(())
    for layer in range(len(rows.layers)):
        features = sample_features(rows, layer, scale, seed)
        total = total + features
        for name in over:
            found[name].append(white_basis(features if name == "layer" else total / (layer + 1)))
    bases, penalties = zip(*(one for name in over for one in found[name]), strict=True)
    return torch.stack(bases), torch.stack(penalties)


def _shape(problem: MixProblem, plan: MixPlan, scale: Scale) -> MixShape:
    """For each `over` and layer, then for each refit, every candidate setting."""
    train, config = problem.words("train"), problem.config
    num_layers, num_features = len(train.layers), train.num_features
    below = torch.ones(num_layers, num_layers, dtype=torch.bool).tril()
    reads = torch.cat([below if name == "mix" else torch.eye(num_layers) > 0 for name in plan.over])
    if config.features == "white":
        basis, penalty = mix_bases(train, scale, plan.over, seed=problem.seed)
    else:
        basis, penalty = torch.eye(num_features).expand(len(reads), -1, -1), torch.ones(len(reads), num_features)
    groups = problem.task.splits["train"].groups
    num_groups = int(groups.max()) + 1
    drawn = torch.from_numpy(draw_counts(num_groups, plan.refits, problem.seed)).double()
    counts = torch.cat([torch.ones(len(reads), num_groups).double(), drawn])
    # A refit is the mix of all layers once more.
    whole = (plan.over.index("mix") + 1) * num_layers - 1 if "mix" in plan.over else 0
    place = torch.cat([torch.arange(len(reads)), torch.full((plan.refits,), whole)])
    settings = list_settings(config)
    unit = torch.arange(len(place)).repeat_interleave(len(settings))
    return MixShape(
        family=plan.family,
        num_outputs=len(problem.task.labels),
        reads=reads[place[unit]],
        l2=torch.tensor([setting.l2 for setting in settings], dtype=torch.float64).repeat(len(place)),
        step_size=torch.tensor([setting.step_size for setting in settings], dtype=torch.float64).repeat(len(place)),
        counts=counts[unit],
        basis=basis[place[unit]],
        penalty=penalty[place[unit]],
        loss=plan.loss,
    )


def _fit(problem: MixProblem, shape: MixShape, scale: Scale) -> BestMixes:
    config = problem.config
    _, epochs = plan_steps(len(problem.rows["train"]), config)
    master = torch.float64 if config.precision == "float64" else torch.float32
    train = problem.batches("train", scale, arithmetic(config), stream_seed(problem.seed, "fit"))
    bank = MixBank(
        shape,
        {split: problem.answers(split) for split in SPLITS[:2]},
        config,
        num_steps=epochs * len(train),
        seed=problem.seed,
        dtype=master,
    )
    fit_stack([bank], train, problem.batches("dev", scale, master), epochs=epochs, seed=problem.seed)
    return bank.result()


def _choose(config: FitConfig, best: BestMixes) -> Int[Tensor, " unit"]:
    """Number of the best candidate of each mix."""
    num_settings = len(list_settings(config))
    accuracy, loss = (values.numpy().reshape(-1, num_settings) for values in (best.accuracy, best.loss))
    choice = choose_settings(config, accuracy, loss).choice
    return torch.from_numpy(np.arange(len(choice)) * num_settings + choice)


def _predict(
    problem: MixProblem,
    family: ProbeFamily,
    mixes: BestMixes,
    reads: Bool[Tensor, "probe layer"],
    split: str,
    scale: Scale,
) -> Int[np.ndarray, "probe example"]:
    answers = problem.answers(split)
    parts = []
    for states, examples in problem.batches(split, scale, mixes.parameters[SCORES].dtype):
        logits = mix_logits(family_for(family, answers, examples), mixes.parameters, reads, states)
        parts.append(predict_class(logits)[:, 0].long())
    return torch.cat(parts, dim=1).numpy()


def _weights(mixes: BestMixes, reads: Bool[Tensor, "probe layer"]) -> Float[np.ndarray, "probe layer"]:
    return mix_weights(mixes.parameters[SCORES][:, 0, 0], reads).double().numpy()
