"""Which attention heads follow which dependency relation, and what heads attend to (Clark et al. 2019).

A head is a predictor without any fit: it attaches a word to the other word that it attends to most, or to the one that
attends to it most (section 4.2). It is chosen on dev and scored on test, beside the best fixed offset.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from probes.config import Settings
from probes.encoder.attention import DIRECTIONS
from probes.encoder.heads import HeadBatch, HeadReader, read_heads
from probes.errors import ConfigError, TaskError
from probes.method.build import Method
from probes.method.heads_row import Attention, FollowedRelation
from probes.method.subject import Findings, Subject
from probes.metric.head import Choice, choose_heads, choose_offset, count_right, follow_heads
from probes.result import Finding, Panel
from probes.task.attachment import Attachments, find_attachments
from probes.task.join import DEV, TEST

TASK = "dependency_label"
ALL = "all"
# Of fewer words neither a choice among hundreds of heads nor an accuracy means anything.
MIN_SUPPORT = 10
LARGEST_OFFSET = 5

PANELS = (
    Panel(
        metric="accuracy",
        title="Words attached to their heads, by the best head for a relation",
        x="relation",
        is_share=True,
        where={"among": "encoder"},
    ),
    Panel(
        metric="accuracy",
        title="Words attached to their heads, by one head for all relations",
        is_share=True,
        where={"relation": ALL},
    ),
    Panel(metric="cls_share", title="Attention to [CLS]", is_share=True, where={"variant": "mean"}),
    Panel(metric="sep_share", title="Attention to [SEP]", is_share=True, where={"variant": "mean"}),
    Panel(metric="entropy_bits", title="Entropy of attention, bits", where={"variant": "mean"}),
)


class HeadsSettings(Settings):
    """Nothing is chosen by hand: every head, both directions and every relation with enough words are looked at."""


@dataclass(frozen=True, slots=True)
class Split:
    """A split with its arcs, and where they are found."""

    reader: HeadReader
    arcs: Attachments
    arc_of: Int[np.ndarray, " row"]
    """The arc of which a row is the dependent; -1 where there is none."""
    code: Int[np.ndarray, " arc"]
    """Number of the arc's relation among those that are scored; 0, which stands for all, where it is too rare."""

    def of(self, relation: int) -> Bool[np.ndarray, " arc"]:
        """The arcs of a relation; of number 0 all."""
        return self.code == relation if relation else np.ones(len(self.code), dtype=bool)


def apply_heads(subject: Subject, settings: HeadsSettings) -> Findings:
    """Accuracy of the best head for each relation, of the best head of each layer, and what heads attend to.

    Raises ConfigError for another task, controls and windows, EncoderError for an encoder without maps, TaskError for
    sentences without a tree and CorpusError for what cannot be read.
    """
    _check_run(subject)
    with ExitStack() as stack:
        readers = [stack.enter_context(read_heads(subject.encoder, subject.corpus, split)) for split in (DEV, TEST)]
        arcs = {reader.split: find_attachments(TASK, subject.corpus, reader.split, reader.index) for reader in readers}
        relations, rare = choose_relations(arcs)
        dev, test = (_join(reader, arcs[reader.split], relations) for reader in readers)
        right_on_dev = _count(dev, len(relations))
        choice = choose_heads(right_on_dev)
        right, attention = _follow(test, choice)
        notes = _describe(dev, test, rare) | {"candidates": int(np.prod(right_on_dev.shape[:-1]))}
    rows: list[Finding] = []
    for number, relation in enumerate(relations):
        offset = choose_offset(dev.arcs.offset[dev.of(number)], LARGEST_OFFSET)
        followed = _collect(test, number, relation, choice, (offset, right[0 if number else 1]))
        rows += followed.rows(len(attention.by_group), subject.seed)
    return Findings((*rows, *attention.rows(subject.seed)), PANELS, notes)


def choose_relations(arcs: Mapping[str, Attachments]) -> tuple[tuple[str, ...], dict[str, dict[str, int]]]:
    """The relations that are scored, the most frequent of test first, behind `all`; and the rare ones with their
    number of words in each split.

    Raises TaskError for a split without an arc.
    """
    counts = {split: Counter(part.relation.tolist()) for split, part in arcs.items()}
    for split, count in counts.items():
        if not count:
            raise TaskError(
                f"Method 'heads' needs words with a head in split {split!r}, punctuation marks aside, but there are "
                f"none. Check the trees there."
            )
    known = sorted(set().union(*counts.values()), key=lambda relation: (-counts[TEST][relation], relation))
    rare = {
        relation: {split: count[relation] for split, count in counts.items()}
        for relation in known
        if min(count[relation] for count in counts.values()) < MIN_SUPPORT
    }
    return (ALL, *(relation for relation in known if relation not in rare)), rare


def _check_run(subject: Subject) -> None:
    task = subject.run.task
    if task.name != TASK:
        raise ConfigError(
            f"Method 'heads' scores attention against the relations of a treebank, which is task {TASK!r}, but the "
            f"run asks for {task.name!r}. Set task.name to {TASK}."
        )
    if task.controls:
        raise ConfigError(
            f"Method 'heads' fits nothing that a control could measure, but task.controls names "
            f"{', '.join(map(repr, task.controls))}. Leave them out; an untrained twin is its comparison."
        )


def _join(reader: HeadReader, arcs: Attachments, relations: tuple[str, ...]) -> Split:
    arc_of = np.full(len(reader.index.word), -1, dtype=np.int64)
    arc_of[arcs.dependent] = np.arange(len(arcs.dependent))
    numbers = {relation: number for number, relation in enumerate(relations)}
    code = np.asarray([numbers.get(relation, 0) for relation in arcs.relation.tolist()], dtype=np.int64)
    return Split(reader, arcs, arc_of, code)


def _batches(split: Split) -> Iterator[tuple[HeadBatch, np.ndarray, np.ndarray]]:
    """Each batch with its arcs, and what is attended by their dependents."""
    for batch in split.reader.batches():
        arc = split.arc_of[batch.row]
        yield batch, arc[arc >= 0], batch.attended[..., arc >= 0]


def _count(split: Split, num_relations: int) -> Float[np.ndarray, "direction block head relation"]:
    """Arcs of each relation that each head gets right."""
    total: Any = 0.0
    for _, arc, attended in _batches(split):
        of = np.arange(num_relations) == split.code[arc][:, None]
        of[:, 0] = True
        total = total + count_right(attended, split.arcs.head[arc], of)
    return total


def _follow(test: Split, choice: Choice) -> tuple[Bool[np.ndarray, "2 block arc"], Attention]:
    """Whether each arc is found, in each block, by the head of its own relation and by the head of all; and what every
    head attends to."""
    arcs, num_blocks = test.arcs, choice.head.shape[1]
    right = np.zeros((2, num_blocks, len(arcs.head)), dtype=bool)
    attention: Attention | None = None
    for batch, arc, attended in _batches(test):
        for part, code in zip(right, (test.code[arc], np.zeros_like(arc)), strict=True):
            part[:, arc] = follow_heads(attended, code, choice) == arcs.head[arc]
        if attention is None:
            attention = Attention.nothing(num_blocks, attended.shape[2], int(arcs.sentence_group.max()) + 1)
        attention.add(batch.sums, batch.sizes, arcs.sentence_group[batch.sentence])
    assert attention is not None
    return right, attention


def _collect(
    test: Split, number: int, name: str, choice: Choice, found: tuple[int, Bool[np.ndarray, "block arc"]]
) -> FollowedRelation:
    offset, right = found
    of = test.of(number)
    heads = zip(choice.head[number].tolist(), choice.direction[number].tolist(), strict=True)
    return FollowedRelation(
        name=name,
        heads=tuple((head, DIRECTIONS[direction]) for head, direction in heads),
        block=int(choice.block[number]),
        offset=offset,
        right=right[:, of],
        distance=test.arcs.offset[of],
        group=test.arcs.group[of],
    )


def _describe(dev: Split, test: Split, rare: dict[str, dict[str, int]]) -> dict[str, Any]:
    words = {
        split.reader.split: {
            "scored": len(split.arcs.head),
            **split.arcs.left_out,
            "lost": split.reader.num_lost,
            "cut": split.reader.num_cut,
        }
        for split in (dev, test)
    }
    return {
        "numbering": "head 3-7 is head 7 of block 3, both counted from 1 as in the tables of Clark et al. (2019)",
        "chosen_on": DEV,
        "scored_on": f"{TEST}; Clark et al. (2019) chose and scored on one split, which favours heads",
        "min_support": MIN_SUPPORT,
        "relations_left_out": rare,
        "words": words,
    }


METHOD = Method(HeadsSettings, apply_heads)
