"""The structural probe (Hewitt and Manning 2019): a linear map after which words are as far apart as in their tree.

Task `tree_distance`: ||B(h_i - h_j)||^2 against the edges between two words. Task `word_depth`: ||B h_i||^2 against the
edges between a word and the root. Published layer numbers of this probe begin with 0 at the first block: `BERTbase7` is
hidden_states[8] here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from probes.errors import ConfigError, TaskError
from probes.method.build import Method
from probes.method.structure_fit import StructureSettings, fit_trees, score_split
from probes.method.structure_score import METRICS, TreeScores, finding_rows, join_scores, possible_best, score_block
from probes.method.subject import Findings, Subject
from probes.metric.tree import chain_distances
from probes.result import Finding, Panel
from probes.task.tree import DEPTH, DISTANCE, TreeBlock, Trees, read_trees

TITLES = {
    "uuas": "Edges found (UUAS)",
    "dspr": "Rank correlation of distances (DSpr.)",
    "root_accuracy": "Roots found",
    "nspr": "Rank correlation of depths (NSpr.)",
}
CHAIN = "chain"


def find_structure(subject: Subject, settings: StructureSettings) -> Findings:
    """UUAS and DSpr. of `tree_distance`, or root accuracy and NSpr. of `word_depth`, of every layer and rank on test.

    Raises ConfigError for a rank beyond the size of the states and for controls, TaskError for another task.
    """
    name, cache, seed = subject.run.task.name, subject.cache, subject.seed
    _check(name, subject.run.task.controls)
    trees = read_trees(name, subject.corpus, {split: cache.index(split) for split in cache.splits})
    probes = fit_trees(subject, settings, trees)
    ranks = list(probes.maps)
    shown = {"probes": probes, "has_punctuation": settings.punctuation}
    dev, test = (score_split(name, split, cache, trees[split], **shown) for split in ("dev", "test"))
    best = {rank: int(scores.shares().argmax()) for rank, scores in dev.items()}
    top = max(ranks, key=lambda rank: dev[rank].shares()[best[rank]])
    rows = [*_layer_rows(name, test, best, seed)]
    chain = find_chain(name, trees["test"], has_punctuation=settings.punctuation)
    rows += _chain_rows(name, chain, test[top], best=best[top], seed=seed)
    notes = {
        **_count(trees, test[top]),
        "best_rank_on_dev": top,
        "ranks": {
            rank: {
                "best_layer_on_dev": cache.layers[best[rank]],
                "may_be_best": [cache.layers[layer] for layer in possible_best(test[rank], seed)],
                "epochs": probes.epochs[rank].tolist(),
                "dev_loss": probes.dev_loss[rank].round(4).tolist(),
            }
            for rank in ranks
        },
        "formalism": "heads are those of the treebank; in Universal Dependencies content words, which the trees of "
        "Hewitt and Manning (2019) do not have: compare shapes of curves, not numbers",
        "layers": "BERTbase7 of Hewitt and Manning (2019) is layer 8 here, hidden_states[8]",
    }
    return Findings(tuple(rows), tuple(_panels(name, ranks)), notes)


def _check(name: str, controls: Sequence[str]) -> None:
    if name not in METRICS:
        raise TaskError(
            f"Method 'structure' fits the tasks {DISTANCE!r} and {DEPTH!r}, but task.name is {name!r}. "
            f"Set it to one of these."
        )
    if controls:
        raise ConfigError(
            f"Method 'structure' knows no control of task {name!r}, but task.controls has {', '.join(controls)}. "
            f"Leave it out; an untrained encoder (encoder.twin) and the floor 'chain' stand beside the probe."
        )


def _layer_rows(name: str, test: Mapping[int, TreeScores], best: Mapping[int, int], seed: int) -> Iterator[Finding]:
    for rank, scores in test.items():
        fields = [{"variant": "task", "layer": layer, "at": {"rank": rank}} for layer in range(len(scores.hits))]
        yield from finding_rows(scores, METRICS[name], best=best[rank], seed=seed, fields=fields)


def find_chain(name: str, trees: Trees, *, has_punctuation: bool) -> TreeScores:
    """The floor: each word is attached to the next, and the first is the root."""
    return join_scores(
        [score_block(name, _chain(name, block), block, has_punctuation=has_punctuation) for block in trees.blocks]
    )


def _chain(name: str, block: TreeBlock) -> np.ndarray:
    distances = chain_distances(block.num_words)
    predicted = distances if name == DISTANCE else distances[0]
    return np.broadcast_to(predicted, (1, len(block), *predicted.shape))


def _chain_rows(name: str, chain: TreeScores, task: TreeScores, *, best: int, seed: int) -> Iterator[Finding]:
    """Scores of the floor, with the power of its comparison with the best probe."""
    hits, order = np.vstack([chain.hits, task.hits[[best]]]), np.vstack([chain.order, task.order[[best]]])
    both = replace(chain, hits=hits, order=order)
    yield from finding_rows(both, METRICS[name], best=1, seed=seed, fields=[{"variant": CHAIN}])


def _count(trees: Mapping[str, Trees], scores: TreeScores) -> dict[str, Any]:
    return {
        "trees": {split: len(part) for split, part in trees.items()},
        "left_out": {
            split: {why: count for why, count in part.left_out.items() if count} for split, part in trees.items()
        },
        "unscored_in_test": int((scores.total == 0).sum()),
    }


def _panels(name: str, ranks: Sequence[int]) -> Iterator[Panel]:
    for metric in METRICS[name]:
        yield Panel(metric=metric, title=TITLES[metric], lines="rank", is_share=metric == METRICS[name][0])
    if len(ranks) > 1:
        metric = METRICS[name][0]
        title = f"{TITLES[metric]} by rank"
        yield Panel(metric=metric, title=title, x="rank", lines="layer", is_share=True)


METHOD = Method(StructureSettings, find_structure)
