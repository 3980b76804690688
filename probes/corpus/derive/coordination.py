"""The corpus `coordination_inversion`: do two coordinated clauses stand in their order?"""

from collections.abc import Set as AbstractSet

import numpy as np

from probes.corpus.derive.half import change_half, check_annotation
from probes.corpus.derive.order import reordered
from probes.types import Corpus, Sentence, Tree

_SUBJECTS = frozenset({"nsubj", "csubj", "expl"})
_END_MARKS = frozenset(".!?…")


def coordination_inversion(corpus: Corpus, seed: int) -> Corpus:
    """Half of the sentences have their two clauses exchanged (Conneau et al. 2018, section 2, CoordInv).

    "A, and B." becomes "B, and A.": the conjunction with the punctuation before it and the final punctuation
    stay, and so does the capital. A sentence is usable if it is nothing but two clauses, each with a subject and
    without "that" or "because" before it: one conjunct of the root, whose words are all those from the only
    conjunction to the final punctuation, no punctuation at its start and none but end marks at its end. Verb
    phrases that share a subject are no clauses: exchanged, they would begin without it. Labels: original, inverted.
    """
    check_annotation("coordination_inversion", corpus, columns=("upos",), has_tree=True)
    name, needs = "coordination_inversion", "two coordinated clauses"
    return change_half(corpus, _inverted, name=name, label="inverted", needs=needs, seed=seed)


def _inverted(split: str, sentence: Sentence, stream: np.random.Generator) -> tuple[str, ...] | None:
    found = find_clauses(sentence)
    if found is None:
        return None
    link, second, end = found
    order = [*range(second, end), *range(link, second), *range(link), *range(end, len(sentence.words))]
    return reordered(sentence, order)


def find_clauses(sentence: Sentence) -> tuple[int, int, int] | None:
    """Where the link between two clauses, the second clause and the final punctuation begin; None if it is not so."""
    assert sentence.tree is not None
    tree, upos = sentence.tree, sentence.columns["upos"]
    found = _heads(tree)
    if found is None:
        return None
    conjunction, head = found
    link, end = conjunction, len(upos)
    while link > 0 and upos[link - 1] == "PUNCT":
        link -= 1
    while end > head + 1 and upos[end - 1] == "PUNCT":
        end -= 1
    marks = {character for word in sentence.words[end:] for character in word}
    is_plain = upos[0] != "PUNCT" and upos[conjunction + 1] != "PUNCT" and marks <= _END_MARKS
    inside = _below(tree, head)
    is_second = all(upos[word] == "PUNCT" or word in inside for word in range(conjunction, end))
    if not is_plain or not is_second or not inside.isdisjoint(range(link)):
        return None
    return link, conjunction + 1, end


def _heads(tree: Tree) -> tuple[int, int] | None:
    """The conjunction, and the head of the second of two clauses; the root is the head of the first."""
    root = tree.root
    heads = _children(tree, root, {"conj"})
    if len(heads) != 1 or _children(tree, root, {"cc"}):
        return None
    if not all(_children(tree, head, _SUBJECTS) and not _children(tree, head, {"mark"}) for head in (root, heads[0])):
        return None
    conjunctions = _children(tree, heads[0], {"cc"})
    if len(conjunctions) != 1 or not root < conjunctions[0] < heads[0]:
        return None
    return conjunctions[0], heads[0]


def _children(tree: Tree, head: int, relations: AbstractSet[str]) -> list[int]:
    return [word for word in tree.children(head) if tree.relations[word].partition(":")[0] in relations]


def _below(tree: Tree, head: int) -> set[int]:
    """A word with all that hangs on it."""
    found, border = {head}, {head}
    while border:
        border = {word for word, other in enumerate(tree.heads) if other - 1 in border}
        found |= border
    return found
