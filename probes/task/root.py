"""The task `root_dependents`: what hangs on the root, and in which order?"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from probes.seed import generator
from probes.task.balance import Labels
from probes.task.word import find_tree
from probes.types import Corpus, Sentence

NUM_CLASSES = 20
OTHER = "other"
_NAME = "root_dependents"


def root_dependents(corpus: Corpus, seed: int) -> Labels:
    """The relations of the root's dependents in order, the root among them: "nsubj ROOT obj".

    The dependency form of top constituents (Conneau et al. 2018, section 2, TopConst): the 19 sequences that are
    most frequent in train, and "other". Subtypes are cut off, punctuation is left out. In a treebank three quarters
    of the sentences are "other": of them as many are examples as of the largest other class, drawn from the seed.
    """
    counts = Counter(read_dependents(one, corpus) for one in corpus["train"])
    known = set(sorted(counts, key=lambda name: (-counts[name], name))[: NUM_CLASSES - 1])
    labels: Labels = {}
    for split, sentences in corpus.splits.items():
        names = [read_dependents(one, corpus) for one in sentences]
        stream = generator(seed, f"task.{_NAME}.{split}")
        labels[split] = _cut_other([name if name in known else OTHER for name in names], stream)
    return labels


def _cut_other(names: Sequence[str], stream: np.random.Generator) -> list[str | None]:
    others = [place for place, name in enumerate(names) if name == OTHER]
    size = max(Counter(name for name in names if name != OTHER).values(), default=len(others))
    kept = set(stream.permutation(others)[:size].tolist())
    return [name if name != OTHER or place in kept else None for place, name in enumerate(names)]


def read_dependents(sentence: Sentence, corpus: Corpus) -> str:
    """The sequence of one sentence."""
    tree = find_tree(_NAME, sentence, corpus)
    names = {word: tree.relations[word].partition(":")[0] for word in tree.children(tree.root)}
    names[tree.root] = "ROOT"
    return " ".join(names[word] for word in sorted(names) if names[word] != "punct")
