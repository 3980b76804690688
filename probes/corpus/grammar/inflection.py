"""English inflection: plurals, verb forms with their features, and the article before a word."""

from functools import cache
from typing import Literal, NamedTuple

from probes.corpus.grammar.lexicon import entries, members

VerbForm = Literal["Inf", "Pres", "Past", "Ing", "Part", "Pass"]


class Agreement(NamedTuple):
    """What a finite verb takes over from its subject."""

    person: Literal["1", "3"]
    number: Literal["Sing", "Plur"]


SINGULAR = Agreement("3", "Sing")
PLURAL = Agreement("3", "Plur")

_BE = {"Inf": "be", "Ing": "being", "Part": "been", "Pass": "been"}
_MODAL = {
    "can": "Pres", "will": "Pres", "must": "Pres", "may": "Pres",
    "could": "Past", "would": "Past", "might": "Past", "should": "Past",
}  # fmt: skip
_NON_FINITE = {
    "Inf": "VerbForm=Inf",
    "Ing": "Tense=Pres|VerbForm=Part",
    "Part": "Tense=Past|VerbForm=Part",
    "Pass": "Tense=Past|VerbForm=Part|Voice=Pass",
}
_AN = frozenset({"hour", "honest"})
_A = frozenset({"university", "useful", "one"})


@cache
def plural(noun: str) -> str:
    """The plural of a noun.

    >>> [plural(noun) for noun in ("child", "box", "city", "boy")]
    ['children', 'boxes', 'cities', 'boys']
    """
    return entries()["irregular_nouns"].get(noun) or _with_s(noun)


@cache
def inflect(lemma: str, form: VerbForm, agreement: Agreement) -> tuple[str, str]:
    """A form of a verb or auxiliary with its features; `agreement` matters to finite forms only.

    Features are those that the form shows: of the past, only that of "be" has a number.

    >>> inflect("write", "Pres", Agreement("3", "Sing"))
    ('writes', 'Mood=Ind|Number=Sing|Person=3|Tense=Pres|VerbForm=Fin')
    """
    if lemma in _MODAL:
        return lemma, f"Tense={_MODAL[lemma]}|VerbForm=Fin"
    if form in _NON_FINITE:
        return _non_finite(lemma, form), _NON_FINITE[form]
    marks = f"Number={agreement.number}|Person={agreement.person}|"
    if form == "Past":
        if lemma == "be":
            word = "was" if agreement.number == "Sing" else "were"
            return word, f"Mood=Ind|{marks}Tense=Past|VerbForm=Fin"
        return _past(lemma), "Mood=Ind|Tense=Past|VerbForm=Fin"
    return _present(lemma, agreement), f"Mood=Ind|{marks}Tense=Pres|VerbForm=Fin"


@cache
def other_number(form: str, lemma: str) -> str | None:
    """A finite form in the other number, or None where that would be grammatical after all.

    "The girl reads." has no twin with the wrong number, because "The girl read." is the past tense.

    >>> other_number("was", "be"), other_number("write", "write"), other_number("reads", "read")
    ('were', 'writes', None)
    """
    if lemma == "be":
        return {"is": "are", "are": "is", "was": "were", "were": "was"}.get(form)
    if _past(lemma) == lemma:
        return None
    third = _present(lemma, SINGULAR)
    return {third: lemma, lemma: third}.get(form)


def article(following: str) -> str:
    """The indefinite article before a word.

    >>> article("honest"), article("useful"), article("old")
    ('an', 'a', 'an')
    """
    if following in _AN:
        return "an"
    return "an" if following[0].lower() in "aeiou" and following not in _A else "a"


def _present(lemma: str, agreement: Agreement) -> str:
    is_third = agreement == SINGULAR
    if lemma == "be":
        return "is" if is_third else "am" if agreement.number == "Sing" else "are"
    if not is_third:
        return lemma
    return "has" if lemma == "have" else _with_s(lemma)


def _non_finite(lemma: str, form: str) -> str:
    if lemma == "be":
        return _BE[form]
    if form == "Inf":
        return lemma
    if form == "Ing":
        return _ing(lemma)
    irregular = entries()["irregular_verbs"].get(lemma)
    return irregular.split()[1] if irregular else _with_ed(lemma)


def _past(lemma: str) -> str:
    irregular = entries()["irregular_verbs"].get(lemma)
    return irregular.split()[0] if irregular else _with_ed(lemma)


def _with_s(word: str) -> str:
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) or word in {"go", "do"} else "s")


def _with_ed(verb: str) -> str:
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return _doubled(verb) + "ed"


def _ing(verb: str) -> str:
    if verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")):
        return verb[:-1] + "ing"
    return _doubled(verb) + "ing"


def _doubled(verb: str) -> str:
    return verb + verb[-1] if verb in members("doubled") else verb
