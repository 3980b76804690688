"""Structural probes (Hewitt and Manning 2019) of every layer and rank in one fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.config import FitConfig
from probes.errors import ConfigError
from probes.fit.feature import check_dev, measure_features
from probes.fit.problem import arithmetic
from probes.fit.read import Scale, SplitRows
from probes.fit.sentence import SentenceBatches, SplitSentences
from probes.fit.stack import fit_stack
from probes.fit.structural_bank import StructuralBank, draw_start
from probes.fit.structural_error import Kind, Wanted, predict_trees
from probes.seed import stream_seed

# 20 sentences of a treebank have about 350 words; a small corpus is cut into at least 64 batches.
BATCH_WORDS, FEWEST_BATCHES = 512, 64
READ_WORDS = 4096


@dataclass(frozen=True)
class TreeProblem:
    """What structural probes are fitted to: the sentences of train and dev, and what is wanted of them."""

    kind: Kind
    sentences: Mapping[str, SplitSentences]
    wanted: Mapping[str, Wanted]


@dataclass(frozen=True, slots=True)
class StructuralProbes:
    """The probes of every layer and rank, each a map of state - mean."""

    kind: Kind
    maps: dict[int, Float[Tensor, "layer rank dim"]]
    scale: Scale
    epochs: dict[int, Int[np.ndarray, " layer"]]
    """Passes over train before the best epoch ended, from 1."""
    dev_loss: dict[int, Float[np.ndarray, " layer"]]
    """Mean over the sentences of dev of the mean absolute error over pairs, or over words."""

    def predict(
        self, states: Float[Tensor, "layer sentence word dim"], rank: int
    ) -> Float[np.ndarray, "layer sentence word *other"]:
        """Distances [layer, sentence, word, word] or depths [layer, sentence, word], from states - mean in float32."""
        return predict_trees(self.kind, self.maps[rank], states).numpy()


def fit_structural(
    problem: TreeProblem, ranks: Sequence[int], *, config: FitConfig, width: float, seed: int
) -> StructuralProbes:
    """One probe for each rank and layer, all in one fit; test is not read.

    Distances do not change when the mean of train is taken from the states, but their rounding does; depths are
    those of states as they are. First weights are uniform in ±`width`. Raises ConfigError for a rank that is larger
    than the states, FitError for states or answers that are not finite.
    """
    train, dev = problem.sentences["train"], problem.sentences["dev"]
    num_layers, dim = len(train.layers), train.num_features
    _check_ranks(ranks, dim)
    scale = _measure(problem, seed)
    master = torch.float64 if config.precision == "float64" else torch.float32
    starts = {rank: draw_start((num_layers, rank, dim), width, seed).to(master) for rank in ranks}
    banks = {rank: StructuralBank(problem.kind, start, problem.wanted, config) for rank, start in starts.items()}
    words = max(1, min(BATCH_WORDS, train.num_words // FEWEST_BATCHES))
    order = stream_seed(seed, "fit.structural")
    batches = SentenceBatches(train, scale, batch_words=words, dtype=arithmetic(config), seed=order)
    dev_batches = SentenceBatches(dev, scale, batch_words=READ_WORDS, dtype=master)
    fit_stack(list(banks.values()), batches, dev_batches, epochs=config.epochs, seed=seed)
    for bank in banks.values():
        bank.check_finite()
    return StructuralProbes(
        kind=problem.kind,
        maps={rank: bank.best.float() for rank, bank in banks.items()},
        scale=scale,
        epochs={rank: bank.best_epoch.numpy() for rank, bank in banks.items()},
        dev_loss={rank: bank.best_loss.numpy() for rank, bank in banks.items()},
    )


def _check_ranks(ranks: Sequence[int], dim: int) -> None:
    wrong = [rank for rank in ranks if not 1 <= rank <= dim]
    if wrong:
        raise ConfigError(
            f"The rank of a structural probe should be from 1 to {dim}, the size of the states, but {wrong[0]} was "
            f"asked for in method.options.rank. Lower it; 'full' is {dim}."
        )


def _measure(problem: TreeProblem, seed: int) -> Scale:
    train, dev = (problem.sentences[split] for split in ("train", "dev"))
    mean = measure_features(SplitRows(train.layers, train.every_row), seed, "standard").scale.mean
    check_dev(SplitRows(dev.layers, dev.every_row))
    return Scale(mean if problem.kind == "distance" else torch.zeros_like(mean), torch.ones_like(mean))
