"""Adverbials of the built-in grammar: manner, place, time, and clauses that begin with a conjunction."""

from probes.corpus.grammar.clause import argument, predicate
from probes.corpus.grammar.determiner import numeral
from probes.corpus.grammar.lexicon import Dice, uniform, weighted, words
from probes.corpus.grammar.phrase import described, prepositional
from probes.corpus.grammar.syntax import Node, extended, leaf
from probes.corpus.grammar.verb import Predicate, Style, Tense, finite

_TIMES = {
    "Past": weighted({"day": 20, "year": 24, "part": 14, "event": 30, "span": 14}),
    "Pres": weighted({"part": 35, "event": 40, "every": 25}),
    "perfect": weighted({"span": 45, "since": 35, "since_year": 20}),
}
_PARTS_OF_DAY = weighted({"morning": 35, "evening": 25, "afternoon": 15, "summer": 15, "winter": 10})
_SPANS = weighted({"day": 30, "week": 25, "month": 20, "year": 15, "hour": 10})
_AROUND = weighted({"before": 35, "after": 35, "during": 20, "until": 10})
_SUBJECTS = weighted({"person": 85, "animal": 10, "event": 5})
_PLACES = uniform(("in place", "near landmark", "inside place", "outside place", "near place", "in town", "at place"))
_TEMPORAL = frozenset({"before", "after", "until"})
_MANNERED = frozenset({"transitive", "intransitive", "passive"})
_PLACED = frozenset({"transitive", "intransitive", "passive", "oblique"})
_TIMED = frozenset({"transitive", "intransitive", "passive", "oblique", "motion", "dative", "place"})


def adjuncts(dice: Dice, said: Predicate, style: Style, noun_class: str) -> tuple[Node, ...]:
    """The adverbials after a predicate, mostly none."""
    found: tuple[Node, ...] = ()
    is_active = noun_class in ("person", "animal") and not said.is_stative
    if is_active and said.kind in _MANNERED and dice.chance(0.22):
        found = (_adverb(dice, "intransitive" if said.kind == "intransitive" else "manner"),)
    if said.kind in _PLACED and not said.is_stative and dice.chance(0.3):
        found = (*found, _adverb(dice, "place") if dice.chance(0.4) else place(dice))
    if said.kind in _TIMED and not found and dice.chance(0.3):
        found = (time(dice, style),)
    return found


def place(dice: Dice) -> Node:
    """Where something happens."""
    preposition, noun_class = dice.draw(_PLACES).split()
    if noun_class == "town":
        return prepositional("in", argument(dice, "town"), "obl")
    return prepositional(preposition, described(dice, noun_class, choice="plain"), "obl")


def time(dice: Dice, style: Style) -> Node:
    """When something happens, or for how long; what can be said depends on tense and aspect."""
    kind = dice.draw(_TIMES["perfect" if style.aspect == "perfect" else style.tense])
    if kind == "day":
        name = dice.draw(words("names", "day"))
        return _bare(name, "PROPN", "Number=Sing", "on")
    if kind in ("year", "since_year"):
        year = str(dice.integer(1890, 2024))
        return _bare(year, "NUM", "NumForm=Digit|NumType=Card", "in" if kind == "year" else "since")
    if kind == "part":
        return _with_determiner(dice.draw(_PARTS_OF_DAY), "the", "Definite=Def|PronType=Art", "in")
    if kind == "every":
        return _with_determiner(dice.draw(_SPANS), "every", "PronType=Tot", "")
    if kind == "span":
        noun = dice.draw(_SPANS)
        before = (leaf("for", "for", "ADP", "_", "case"), numeral(dice, in_digits=0.1))
        return Node(noun + "s", noun, "NOUN", "Number=Plur", "obl", before)
    preposition = "since" if kind == "since" else dice.draw(_AROUND)
    return prepositional(preposition, described(dice, "event", choice="plain"), "obl")


def adverbial_clause(dice: Dice, tense: Tense, *, of_state: bool) -> Node:
    """A finite clause in the tense of the main clause, with its conjunction.

    Two states are not put in an order of time: no "She was tall before he was old."
    """
    form = dice.draw(words("conjunctions", "reason" if of_state else "any"))
    subject = argument(dice, dice.draw(_SUBJECTS), case="Nom")
    said = predicate(dice, subject, level=0)
    if said.ending == "copula" and form in _TEMPORAL:
        said = predicate(dice, subject, level=0, kind="passive")
    front = (leaf(form, form, "SCONJ", "_", "mark"),)
    return finite(said, subject, style=Style(tense), relation="advcl", front=front)


def with_comma(node: Node) -> Node:
    """A phrase with a comma after it."""
    return extended(node, after=(leaf(",", ",", "PUNCT", "_", "punct"),))


def _adverb(dice: Dice, kind: str) -> Node:
    form = dice.draw(words("adverbs", kind))
    return leaf(form, form, "ADV", "_", "advmod")


def _bare(form: str, upos: str, feats: str, preposition: str) -> Node:
    return Node(form, form, upos, feats, "obl", (leaf(preposition, preposition, "ADP", "_", "case"),))


def _with_determiner(noun: str, determiner: str, feats: str, preposition: str) -> Node:
    case = (leaf(preposition, preposition, "ADP", "_", "case"),) if preposition else ()
    before = (*case, leaf(determiner, determiner, "DET", feats, "det"))
    return Node(noun, noun, "NOUN", "Number=Sing", "obl" if preposition else "obl:unmarked", before)
