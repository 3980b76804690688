"""The task `sentence_length`: how many words are there?"""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from probes.errors import TaskError
from probes.task.balance import Labels
from probes.types import Corpus, Sentence

NUM_BINS = 6


def sentence_length(corpus: Corpus, seed: int) -> Labels:
    """The bin of the number of words, punctuation counted (Conneau et al. 2018, section 2, SentLen).

    Six bins that hold about the same number of training sentences; sentences of one length are never parted, so
    a corpus with few lengths has fewer bins. All sentences are examples; nothing is drawn, the seed is not used.
    """
    name = "sentence_length"
    edges = find_edges([count_words(name, one, corpus) for one in corpus["train"]])
    bins = name_bins(edges)
    return {
        split: [bins[bisect_left(edges, count_words(name, one, corpus))] for one in sentences]
        for split, sentences in corpus.splits.items()
    }


def find_edges(lengths: Sequence[int]) -> list[int]:
    """The last length of every bin but the open one: those that come nearest to the sixths of the distribution.

    >>> find_edges([1, 1, 1, 2, 3, 4])
    [1, 2, 3]
    """
    known, counts = np.unique(np.asarray(lengths), return_counts=True)
    if not len(known):
        return []
    shares = counts.cumsum() / counts.sum()
    nearest = [int(known[np.abs(shares - number / NUM_BINS).argmin()]) for number in range(1, NUM_BINS)]
    return sorted({edge for edge in nearest if edge < max(lengths)})


def name_bins(edges: Sequence[int]) -> list[str]:
    """Names of bins that end with these lengths, and of the open one behind them.

    >>> name_bins([1, 5])
    ['1', '2-5', '6+']
    """
    starts = [1, *(edge + 1 for edge in edges)]
    closed = [str(end) if start == end else f"{start}-{end}" for start, end in zip(starts, edges, strict=False)]
    return [*closed, f"{starts[-1]}+"]


def count_words(name: str, sentence: Sentence, corpus: Corpus) -> int:
    """The number of words; raises TaskError for a sentence that is running text."""
    if not sentence.words:
        raise TaskError(
            f"Task {name!r} needs sentences with words, but sentence {sentence.id!r} of corpus {corpus.name!r} "
            f"has none. Use a corpus that is split into words."
        )
    return len(sentence.words)
