"""Every word with its head, as the rows of one split: what is predicted without any fit."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from probes.task.arc import PUNCTUATION
from probes.task.join import join_words
from probes.task.word import find_tree
from probes.types import Corpus, RowIndex


@dataclass(frozen=True, slots=True)
class Attachments:
    """The arcs of a split, without the root's and those of punctuation marks."""

    dependent: Int[np.ndarray, " arc"]
    """Row of the dependent."""
    head: Int[np.ndarray, " arc"]
    """Row of its head."""
    offset: Int[np.ndarray, " arc"]
    """Words from the dependent to its head, positive to the right."""
    relation: Shaped[np.ndarray, " arc"]
    """The relation with its subtype, as the treebank writes it."""
    group: Int[np.ndarray, " arc"]
    """The cluster that intervals resample."""
    sentence_group: Int[np.ndarray, " sentence"]
    """The same of every sentence of the split."""
    left_out: Mapping[str, int]
    """Words that are no dependent here: `root`, `punct`, and `without_pieces` (they, or their heads)."""


def find_attachments(name: str, corpus: Corpus, split: str, index: RowIndex) -> Attachments:
    """The arcs of the words that an index holds; raises TaskError for a sentence without a tree."""
    arcs, relations, groups = [], [], []
    numbers: dict[str, int] = {}
    left_out: Counter[str] = Counter(dict.fromkeys(("root", "punct", "without_pieces"), 0))
    for sentence, rows in join_words(name, corpus, split, index):
        tree = find_tree(name, sentence, corpus)
        group = numbers.setdefault(sentence.cluster, len(numbers))
        groups.append(group)
        for word, (head, relation) in enumerate(zip(tree.heads, tree.relations, strict=True)):
            if head == 0:
                left_out["root"] += 1
            elif relation.partition(":")[0] == PUNCTUATION:
                left_out["punct"] += 1
            elif word not in rows or head - 1 not in rows:
                left_out["without_pieces"] += 1
            else:
                arcs.append((rows[word], rows[head - 1], head - 1 - word, group))
                relations.append(relation)
    dependent, head, offset, group = np.asarray(arcs, dtype=np.int64).reshape(-1, 4).T
    sentence_group = np.asarray(groups, dtype=np.int64)
    return Attachments(dependent, head, offset, np.asarray(relations, dtype=str), group, sentence_group, left_out)
