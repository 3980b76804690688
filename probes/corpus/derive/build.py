"""Derived corpora by name."""

from collections.abc import Callable

from probes.corpus.derive.bigram import bigram_shift
from probes.corpus.derive.coordination import coordination_inversion
from probes.corpus.derive.odd import odd_man_out
from probes.errors import CorpusError, list_names
from probes.types import Corpus

DERIVED: dict[str, Callable[[Corpus, int], Corpus]] = {
    "bigram_shift": bigram_shift,
    "coordination_inversion": coordination_inversion,
    "odd_man_out": odd_man_out,
}


def derive(corpus: Corpus, name: str, seed: int = 0) -> Corpus:
    """The corpus `corpus+name`: the usable sentences of each split, every second one of them changed by chance.

    A sentence keeps its id and group and has one attribute, `label`: "original", or the word for the change.
    Raises CorpusError for an unknown name, a missing annotation, or a split in which no sentence is usable.
    """
    if name not in DERIVED:
        raise CorpusError(
            f"No derived corpus is called {name!r}, which was asked for corpus {corpus.name!r}. "
            f"Known names are {list_names(name, DERIVED)}. Choose one of these."
        )
    return DERIVED[name](corpus, seed)
