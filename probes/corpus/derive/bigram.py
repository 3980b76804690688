"""The corpus `bigram_shift`: is a sentence in its order, or are two neighbours exchanged?"""

import numpy as np

from probes.corpus.derive.half import FEWEST_WORDS, MOST_WORDS, change_half, check_annotation, has_usual_length
from probes.corpus.derive.order import reordered
from probes.types import Corpus, Sentence

_MARKS = frozenset({"PUNCT", "SYM"})


def bigram_shift(corpus: Corpus, seed: int) -> Corpus:
    """Half of the sentences have two adjacent words exchanged (Conneau et al. 2018, section 2, BShift).

    Any two neighbours, the first word included, that are neither punctuation nor symbols and that differ in
    more than case. Sentences of fewer than 5 or more than 50 words are left out. Labels: original, shifted.
    """
    check_annotation("bigram_shift", corpus, columns=("upos",))
    needs = f"{FEWEST_WORDS} to {MOST_WORDS} words and two neighbours that differ"
    return change_half(corpus, _shifted, name="bigram_shift", label="shifted", needs=needs, seed=seed)


def _shifted(split: str, sentence: Sentence, stream: np.random.Generator) -> tuple[str, ...] | None:
    places = _exchangeable(sentence) if has_usual_length(sentence) else []
    if not places:
        return None
    place = places[int(stream.integers(len(places)))]
    order = list(range(len(sentence.words)))
    order[place : place + 2] = place + 1, place
    return reordered(sentence, order)


def _exchangeable(sentence: Sentence) -> list[int]:
    """The positions of words that can change places with the next one."""
    words, upos = sentence.words, sentence.columns["upos"]
    return [
        place
        for place in range(len(words) - 1)
        if _MARKS.isdisjoint(upos[place : place + 2]) and words[place].lower() != words[place + 1].lower()
    ]
