"""How the words of a corpus are used: how often, in what form, and beside which others."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from probes.types import Sentence

Kind = tuple[str, str]
"""Part of speech and features."""

# Stands before the first word and behind the last one.
EDGE = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts over the words of some sentences, in lower case.

    `frequency[kind][word]`; `ranked[kind]` the same as (count, word), rarest first; `after[word][next]` and
    `before[word][previous]` count neighbours; `form[word]` is how it is mostly written inside a sentence.
    """

    frequency: Mapping[Kind, Counter[str]]
    ranked: Mapping[Kind, list[tuple[int, str]]]
    after: Mapping[str, Counter[str]]
    before: Mapping[str, Counter[str]]
    form: Mapping[str, str]


def count_usage(sentences: Iterable[Sentence]) -> Usage:
    """Counts over sentences with the columns upos and feats."""
    frequency, after, before, forms = (defaultdict(Counter) for _ in range(4))
    for sentence in sentences:
        words = [word.lower() for word in sentence.words]
        for word, kind in zip(words, kinds(sentence), strict=True):
            frequency[kind][word] += 1
        for word, following in pairwise([EDGE, *words, EDGE]):
            after[word][following] += 1
            before[following][word] += 1
        for word, written in zip(words[1:], sentence.words[1:], strict=True):
            forms[word][written] += 1
    return Usage(
        frequency=dict(frequency),
        ranked={kind: sorted((count, word) for word, count in words.items()) for kind, words in frequency.items()},
        after=dict(after),
        before=dict(before),
        form={word: max(written, key=lambda form: (written[form], form)) for word, written in forms.items()},
    )


def kinds(sentence: Sentence) -> list[Kind]:
    """The kind of every word."""
    return list(zip(sentence.columns["upos"], sentence.columns["feats"], strict=True))
