"""Noun phrases of the built-in grammar: nouns, names, pronouns, prepositional phrases."""

from dataclasses import dataclass
from typing import Literal

from probes.corpus.grammar.determiner import (
    DEMONSTRATIVE,
    PERSONAL,
    THE,
    Choice,
    determiner,
    full_name,
    personal_feats,
)
from probes.corpus.grammar.inflection import PLURAL, SINGULAR, Agreement, plural
from probes.corpus.grammar.lexicon import Dice, entries, members, modifiers, weighted, words
from probes.corpus.grammar.syntax import Node, extended, leaf, relabelled

Case = Literal["Nom", "Acc"]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase with what the words around it need to know."""

    node: Node
    agreement: Agreement
    noun_class: str


_OF_PERSONS = weighted({"he": 26, "she": 26, "they": 22, "we": 14, "I": 12})
_OF_THINGS = weighted({"it": 60, "they": 40})
_PARTS = weighted({"some": 30, "all": 20, "many": 20, "each": 30})
_PART_FEATS = {"some": "Ind", "all": "Tot", "many": "Ind", "each": "Tot"}


def noun_phrase(dice: Dice, noun_class: str, *, case: Case = "Acc", level: int = 0) -> Phrase:
    """A noun phrase of a semantic class; `level` is how deep prepositional phrases may still nest."""
    if noun_class == "town":
        return Phrase(_town(dice), SINGULAR, "place")
    if noun_class == "person":
        if dice.chance(0.2):
            return pronoun(dice, noun_class, case)
        if dice.chance(0.2):
            return Phrase(full_name(dice), SINGULAR, noun_class)
    elif dice.chance(0.06):
        return pronoun(dice, noun_class, case)
    if level and noun_class not in ("stuff", "task") and dice.chance(0.05):
        return _partitive(dice, noun_class)
    return described(dice, noun_class, level=level)


def described(dice: Dice, noun_class: str, *, level: int = 0, number: str = "", choice: Choice = "any") -> Phrase:
    """A noun with its determiner, adjectives and prepositional phrases."""
    known = noun_class in entries()["nouns"]
    lemma = dice.draw(words("nouns", noun_class)) if known else noun_class
    noun_class = noun_class if known else "stuff"
    is_mass = lemma in members("mass") and noun_class in ("stuff", "task")
    number = "Sing" if is_mass else number or ("Sing" if dice.chance(0.56) else "Plur")
    form = lemma if number == "Sing" else plural(lemma)
    inner = (*_adjectives(dice, noun_class, lemma), *_compound(dice, noun_class))
    first = inner[0] if inner else None
    while first and first.before:
        first = first.before[0]
    following = first.form if first else form
    before = determiner(dice, number, choice=choice, is_mass=is_mass, following=following) + inner
    after: tuple[Node, ...] = ()
    if level and dice.chance(0.36):
        after = (_modifier(dice, noun_class, lemma, level - 1),)
    agreement = SINGULAR if number == "Sing" else PLURAL
    node = Node(form, lemma, "NOUN", f"Number={number}", "nsubj", before, after)
    return Phrase(node, agreement, noun_class)


def pronoun(dice: Dice, noun_class: str, case: Case) -> Phrase:
    """A personal pronoun that can stand for a noun of this class."""
    lemma = dice.draw(_OF_PERSONS if noun_class == "person" else _OF_THINGS)
    nominative, accusative, _, agreement, gender = PERSONAL[lemma]
    form = nominative if case == "Nom" else accusative
    feats = personal_feats(case, agreement, gender)
    return Phrase(leaf(form, lemma, "PRON", feats, "nsubj"), agreement, noun_class)


def demonstrative(dice: Dice, noun_class: str) -> Phrase:
    """ "this", "that", "these" or "those" by itself."""
    lemma = "that" if dice.chance(0.6) else "this"
    is_singular = dice.chance(0.75)
    feats = f"Number={'Sing' if is_singular else 'Plur'}|PronType=Dem"
    node = leaf(DEMONSTRATIVE[lemma][not is_singular], lemma, "PRON", feats, "nsubj")
    return Phrase(node, SINGULAR if is_singular else PLURAL, noun_class)


def prepositional(preposition: str, phrase: Phrase, relation: str) -> Node:
    """A noun phrase with its preposition."""
    case = leaf(preposition, preposition, "ADP", "_", "case")
    return extended(relabelled(phrase.node, relation), before=(case,))


def coordinated(first: Phrase, second: Phrase, conjunction: str = "and") -> Phrase:
    """Two noun phrases as one, which is plural."""
    joint = leaf(conjunction, conjunction, "CCONJ", "_", "cc")
    node = extended(first.node, after=(extended(relabelled(second.node, "conj"), before=(joint,)),))
    return Phrase(node, PLURAL, first.noun_class)


def adjective(lemma: str, relation: str, before: tuple[Node, ...] = ()) -> Node:
    """An adjective in its plain form, with an adverb of degree or none."""
    return Node(lemma, lemma, "ADJ", "Degree=Pos", relation, before)


def degree(dice: Dice, probability: float) -> tuple[Node, ...]:
    """An adverb of degree with this probability, else nothing."""
    if not dice.chance(probability):
        return ()
    form = dice.draw(words("adverbs", "degree"))
    return (leaf(form, form, "ADV", "_", "advmod"),)


def _adjectives(dice: Dice, noun_class: str, noun: str) -> tuple[Node, ...]:
    if noun_class not in entries()["adjectives"] or not dice.chance(0.32):
        return ()
    table = words("adjectives", noun_class)
    first = dice.draw(table)
    if first == noun:
        return ()
    if dice.chance(0.08):
        second = dice.draw(table)
        if second not in (first, noun):
            return (adjective(first, "amod"), adjective(second, "amod"))
    has_degree = first not in members("attributive")
    return (adjective(first, "amod", degree(dice, 0.06 if has_degree else 0.0)),)


def _compound(dice: Dice, noun_class: str) -> tuple[Node, ...]:
    if noun_class not in ("thing", "furniture", "person") or not dice.chance(0.05):
        return ()
    form = dice.draw(words("nouns", "place"))
    return (leaf(form, form, "NOUN", "Number=Sing", "compound"),)


def _modifier(dice: Dice, noun_class: str, lemma: str, level: int) -> Node:
    special = entries()["special"].get(lemma)
    if special and dice.chance(0.7):
        preposition, other = special.split()
    else:
        preposition, other = dice.draw(modifiers(noun_class))
    is_town = other == "town"
    phrase = noun_phrase(dice, other) if is_town else described(dice, other, level=level, choice="plain")
    return prepositional(preposition, phrase, "nmod")


def _partitive(dice: Dice, noun_class: str) -> Phrase:
    form = dice.draw(_PARTS)
    agreement = SINGULAR if form == "each" else PLURAL
    whole = described(dice, noun_class, number="Plur")
    noun = Node(whole.node.form, whole.node.lemma, "NOUN", "Number=Plur", "nsubj", (THE,))
    feats = f"Number={agreement.number}|PronType={_PART_FEATS[form]}"
    part = prepositional("of", Phrase(noun, PLURAL, noun_class), "nmod")
    return Phrase(Node(form, form, "PRON", feats, "nsubj", (), (part,)), agreement, noun_class)


def _town(dice: Dice) -> Node:
    name = dice.draw(words("names", "town_start")) + dice.draw(words("names", "town_end"))
    return leaf(name, name, "PROPN", "Number=Sing", "nsubj")
