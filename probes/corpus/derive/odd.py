"""The corpus `odd_man_out`: is every word at home, or does one not belong?"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from functools import partial
from math import log2

import numpy as np

from probes.corpus.derive.half import FEWEST_WORDS, MOST_WORDS, change_half, check_annotation, has_usual_length
from probes.corpus.derive.usage import EDGE, Usage, count_usage, kinds
from probes.types import Corpus, Sentence

_REPLACED = frozenset({"NOUN", "VERB"})
_NONE: Counter[str] = Counter()

Rule = Callable[[Usage, Sentence, int, int], list[str]]
"""The words, in lower case, that may stand at a place; the last number is how often the place itself is counted."""


def odd_man_out(corpus: Corpus, seed: int) -> Corpus:
    """Half of the sentences have one noun or verb replaced (Conneau et al. 2018, section 2, SOMO).

    The replacement has the same part of speech and features and makes bigrams of comparable frequency with its
    neighbours: all four bigrams, two before and two after, stand in train, and the ratios of their counts are
    within one log2 unit on average. A treebank is too sparse for that in many sentences (a third of EWT's); where
    no word has such a replacement, one is taken whose own count in train is within a factor of 2, whatever its
    bigrams (`find_by_bigrams`, `find_by_frequency`). The word's own place is not counted. A word is replaced only
    where it is written as mostly, so case tells nothing. Sentences of fewer than 5 or more than 50 words, or
    without a replaceable word, are left out. Labels: original, odd.
    """
    check_annotation("odd_man_out", corpus, columns=("upos", "feats"))
    change = partial(_replaced, count_usage(corpus["train"]))
    needs = f"{FEWEST_WORDS} to {MOST_WORDS} words and a noun or verb for which train has another one"
    return change_half(corpus, change, name="odd_man_out", label="odd", needs=needs, seed=seed)


def find_by_bigrams(usage: Usage, sentence: Sentence, place: int, own: int) -> list[str]:
    """Words of the same kind whose two bigrams are about as frequent as those of the word they replace."""
    left, old, right = _around(sentence, place)
    following, previous = usage.after.get(left, _NONE), usage.before.get(right, _NONE)
    counts = following[old] - own, previous[old] - own
    if min(counts) < 1:
        return []
    known = usage.frequency[kinds(sentence)[place]]
    shared = [word for word in following.keys() & previous.keys() if word in known and word != old]
    return [word for word in shared if _distance(counts, (following[word], previous[word])) <= 1]


def find_by_frequency(usage: Usage, sentence: Sentence, place: int, own: int) -> list[str]:
    """Words of the same kind that are at least half and at most twice as frequent as the word they replace."""
    old, kind = sentence.words[place].lower(), kinds(sentence)[place]
    count = usage.frequency.get(kind, _NONE)[old] - own
    if count < 1:
        return []
    ranked = usage.ranked[kind]
    first, end = bisect_left(ranked, ((count + 1) // 2, "")), bisect_left(ranked, (2 * count + 1, ""))
    return [word for _, word in ranked[first:end] if word != old]


def _replaced(usage: Usage, split: str, sentence: Sentence, stream: np.random.Generator) -> tuple[str, ...] | None:
    places = _places(usage, sentence) if has_usual_length(sentence) else []
    places = [places[number] for number in stream.permutation(len(places))]
    found = find_replacements(usage, sentence, places, own=int(split == "train"))
    if found is None:
        return None
    place, words = found
    word = words[int(stream.integers(len(words)))]
    return (*sentence.words[:place], _written(usage, word, sentence, place), *sentence.words[place + 1 :])


def find_replacements(usage: Usage, sentence: Sentence, places: list[int], own: int) -> tuple[int, list[str]] | None:
    """The first of these places that has replacements, by bigrams if any has, and the words in order."""
    rules: tuple[Rule, ...] = (find_by_bigrams, find_by_frequency)
    for rule, place in ((rule, place) for rule in rules for place in places):
        words = [word for word in rule(usage, sentence, place, own) if word in usage.form]
        if words:
            return place, sorted(words)
    return None


def _places(usage: Usage, sentence: Sentence) -> list[int]:
    """Nouns and verbs that are written as mostly."""
    return [
        place
        for place, (upos, _) in enumerate(kinds(sentence))
        if upos in _REPLACED
        and sentence.words[place] == _written(usage, sentence.words[place].lower(), sentence, place)
    ]


def _written(usage: Usage, word: str, sentence: Sentence, place: int) -> str:
    form = usage.form.get(word, word)
    has_capital = place == 0 and sentence.words[0][:1].isupper()
    return form[:1].upper() + form[1:] if has_capital else form


def _around(sentence: Sentence, place: int) -> list[str]:
    """The word with its two neighbours, in lower case."""
    return [word.lower() for word in (EDGE, *sentence.words, EDGE)[place : place + 3]]


def _distance(old: tuple[int, int], new: tuple[int, int]) -> float:
    """Mean distance of two pairs of counts, in log2 units."""
    return sum(abs(log2(after / before)) for before, after in zip(old, new, strict=True)) / len(old)
