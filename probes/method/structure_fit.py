"""Structural probes fitted to the trees of a treebank, and what they predict of a split."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, Field

from probes.cache import Cache
from probes.config import FitConfig, Settings
from probes.fit.sentence import SentenceBatches, SplitSentences
from probes.fit.structural import READ_WORDS, StructuralProbes, TreeProblem, fit_structural
from probes.method.structure_score import TreeScores, join_scores, score_block
from probes.method.subject import Subject
from probes.metric.tree import tree_depths, tree_distances
from probes.task.tree import DISTANCE, Trees

FULL = "full"


def _read_ranks(value: Any) -> Any:
    ranks = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for rank in ranks:
        is_number = isinstance(rank, int) and not isinstance(rank, bool) and rank >= 1
        if not is_number and rank != FULL:
            raise ValueError(f"a rank should be a whole number from 1 or {FULL!r}, but is {rank!r}. Correct it")
    return ranks


class StructureSettings(Settings):
    """Settings of `structure`; of `fit` it reads `precision` alone."""

    rank: Annotated[tuple[int | Literal["full"], ...], BeforeValidator(_read_ranks)] = Field(
        default=(64,), min_length=1
    )
    """Rows of the map, one probe a layer for each number; `full` is the size of the states."""
    epochs: int = Field(default=40, ge=1)
    """Passes over train at the most. The step size is cut to a tenth after an epoch that is not better on dev, and a
    probe ends four epochs after its best."""
    step_size: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    """First step size of Adam."""
    width: float = Field(default=0.005, gt=0, allow_inf_nan=False)
    """First weights are uniform between minus and plus this. Hewitt and Manning (2019): .05, from which dev comes out
    worse, and later."""
    punctuation: bool = False
    """Whether punctuation marks count in UUAS and as roots; in the rank correlations they always do."""


def fit_trees(subject: Subject, settings: StructureSettings, trees: Mapping[str, Trees]) -> StructuralProbes:
    """Probes of every layer and rank for the task of the subject; see `fit_structural`."""
    is_distance, cache = subject.run.task.name == DISTANCE, subject.cache
    measure = tree_distances if is_distance else tree_depths
    problem = TreeProblem(
        kind="distance" if is_distance else "depth",
        sentences={split: find_sentences(cache, split, trees[split]) for split in ("train", "dev")},
        wanted={
            split: {block.num_words: torch.from_numpy(measure(block.heads)).short() for block in trees[split].blocks}
            for split in ("train", "dev")
        },
    )
    config = FitConfig(
        epochs=settings.epochs,
        step_size=(settings.step_size,),
        betas=(0.9, 0.999),
        schedule="plateau",
        plateau_factor=0.1,
        patience=4,
        precision=subject.run.fit.precision,
    )
    ranks = list(dict.fromkeys(cache.dim if rank == FULL else rank for rank in settings.rank))
    return fit_structural(problem, ranks, config=config, width=settings.width, seed=subject.seed)


def score_split(
    name: str, split: str, cache: Cache, trees: Trees, *, probes: StructuralProbes, has_punctuation: bool
) -> dict[int, TreeScores]:
    """Scores of every layer for each rank; the states are read once."""
    blocks = {block.num_words: block for block in trees.blocks}
    parts: dict[int, list[TreeScores]] = {rank: [] for rank in probes.maps}
    batches = SentenceBatches(find_sentences(cache, split, trees), probes.scale, batch_words=READ_WORDS)
    for states, chosen in batches:
        block = blocks[states.shape[1] // len(chosen)].take(chosen.numpy())
        sentences = states.unflatten(1, (len(block), block.num_words))
        for rank, found in parts.items():
            predicted = probes.predict(sentences, rank)
            found.append(score_block(name, predicted, block, has_punctuation=has_punctuation))
    return {rank: join_scores(found) for rank, found in parts.items()}


def find_sentences(cache: Cache, split: str, trees: Trees) -> SplitSentences:
    """The rows of the trees of a split, at every layer."""
    layers = [cache.layer(layer, split) for layer in range(len(cache.layers))]
    return SplitSentences(layers, {block.num_words: block.start for block in trees.blocks})
