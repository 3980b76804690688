"""Dependency trees as values: nodes that hold their dependents in order, and their linearisation.

Whatever is built of nodes has one root, no cycle and no crossing edge; every word carries its annotation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from probes.types import Tree

# These stand to their left neighbour without a space in running text.
_ATTACHED = frozenset({".", "?", ",", "'s", "'", "n't"})


@dataclass(frozen=True, slots=True)
class Node:
    """A word with its dependents to the left and to the right, each in the order of the sentence."""

    form: str
    lemma: str
    upos: str
    feats: str
    relation: str
    before: tuple["Node", ...] = ()
    after: tuple["Node", ...] = ()


@cache
def leaf(form: str, lemma: str, upos: str, feats: str, relation: str) -> Node:
    """A word without dependents; equal words are one object."""
    return Node(form, lemma, upos, feats, relation)


def relabelled(node: Node, relation: str) -> Node:
    """The same phrase in another relation to its head."""
    return Node(node.form, node.lemma, node.upos, node.feats, relation, node.before, node.after)


def extended(node: Node, *, before: tuple[Node, ...] = (), after: tuple[Node, ...] = ()) -> Node:
    """The same phrase with further dependents at its left and right edges."""
    return Node(node.form, node.lemma, node.upos, node.feats, node.relation, before + node.before, node.after + after)


def linearise(root: Node) -> tuple[list[Node], Tree]:
    """The nodes in the order of the sentence, and their tree."""
    nodes: list[Node] = []
    heads: list[int] = []
    _place(root, nodes, heads)
    return nodes, Tree(heads=tuple(heads), relations=tuple(node.relation for node in nodes))


def _place(node: Node, nodes: list[Node], heads: list[int]) -> int:
    left = [_place(child, nodes, heads) for child in node.before]
    nodes.append(node)
    heads.append(0)
    position = len(nodes)
    right = [_place(child, nodes, heads) for child in node.after]
    for child in left + right:
        heads[child - 1] = position
    return position


def detokenise(words: Sequence[str]) -> str:
    """Words as running text.

    >>> detokenise(["Anna", "'s", "dog", "is", "n't", "old", "."])
    "Anna's dog isn't old."
    """
    return "".join(word if word in _ATTACHED else f" {word}" for word in words).lstrip()
