"""The left edge of a noun phrase: articles, demonstratives, possessives, quantifiers, numerals."""

from typing import Literal

from probes.corpus.grammar.inflection import PLURAL, SINGULAR, Agreement, article, plural
from probes.corpus.grammar.lexicon import Dice, Table, uniform, weighted, words
from probes.corpus.grammar.syntax import Node, extended, leaf, relabelled

Choice = Literal["any", "plain", "indefinite", "bare"]

THE = leaf("the", "the", "DET", "Definite=Def|PronType=Art", "det")
DEMONSTRATIVE = {"this": ("this", "these"), "that": ("that", "those")}

# nominative, accusative, possessive, agreement, gender
PERSONAL = {
    "he": ("he", "him", "his", SINGULAR, "Masc"),
    "she": ("she", "her", "her", SINGULAR, "Fem"),
    "it": ("it", "it", "its", SINGULAR, "Neut"),
    "they": ("they", "them", "their", PLURAL, ""),
    "we": ("we", "us", "our", Agreement("1", "Plur"), ""),
    "I": ("I", "me", "my", Agreement("1", "Sing"), ""),
}
_OWNERS = weighted({"he": 28, "she": 30, "they": 18, "we": 10, "I": 10, "it": 4})
_QUANTIFIERS = {
    "every": "Tot", "each": "Tot", "all": "Tot", "both": "Tot", "no": "Neg", "some": "Ind", "another": "Ind",
}  # fmt: skip
_COUNTING = ("many", "several", "few")
_NUMERALS = uniform(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve"))
_TABLES: dict[tuple[str, str], Table[str]] = {
    ("Sing", "any"): weighted(
        {"the": 47, "a": 20, "poss": 12, "owner": 5, "that": 9, "this": 5,
         "every": 2, "no": 1, "each": 1, "another": 1}
    ),
    ("Plur", "any"): weighted(
        {"the": 46, "": 7, "poss": 12, "owner": 4, "that": 5, "this": 4, "number": 10,
         "some": 4, "all": 1, "both": 1, "no": 1, "many": 3, "several": 2, "few": 1}
    ),
    ("Sing", "plain"): weighted({"the": 60, "a": 14, "poss": 12, "owner": 4, "that": 7, "this": 3}),
    ("Plur", "plain"): weighted({"the": 68, "poss": 13, "owner": 3, "that": 5, "this": 3, "number": 8}),
    ("Plur", "bare"): weighted({"": 1}),
    ("Sing", "indefinite"): weighted({"a": 82, "no": 10, "another": 8}),
    ("Plur", "indefinite"): weighted({"number": 40, "some": 25, "no": 12, "many": 15, "several": 8}),
}  # fmt: skip
_OF_MASS = weighted({"the": 40, "": 20, "some": 15, "poss": 20, "that": 5})


def determiner(dice: Dice, number: str, *, choice: Choice, is_mass: bool, following: str) -> tuple[Node, ...]:
    """A determiner before the word `following`, or nothing."""
    kind = dice.draw(_OF_MASS if is_mass else _TABLES[number, choice])
    if kind == "":
        return ()
    if kind == "the":
        return (THE,)
    if kind == "a":
        return (leaf(article(following), "a", "DET", "Definite=Ind|PronType=Art", "det"),)
    if kind == "number":
        return (numeral(dice),)
    if kind in _COUNTING:
        return (leaf(kind, kind, "ADJ", "Degree=Pos", "amod"),)
    if kind == "poss":
        _, _, form, agreement, gender = PERSONAL[dice.draw(_OWNERS)]
        return (leaf(form, form, "PRON", personal_feats("Gen", agreement, gender), "nmod:poss"),)
    if kind == "owner":
        return (_owner(dice),)
    if kind in DEMONSTRATIVE:
        form = DEMONSTRATIVE[kind][number == "Plur"]
        return (leaf(form, kind, "DET", f"Number={number}|PronType=Dem", "det"),)
    return (leaf(kind, kind, "DET", f"PronType={_QUANTIFIERS[kind]}", "det"),)


def numeral(dice: Dice, *, in_digits: float = 0.5) -> Node:
    """A number above one, in letters or with this probability in digits."""
    if not dice.chance(in_digits):
        form, kind = dice.draw(_NUMERALS), "Word"
    else:
        form, kind = str(dice.integer(13, 99) if dice.chance(0.6) else dice.integer(10, 99) * 10), "Digit"
    return leaf(form, form, "NUM", f"NumForm={kind}|NumType=Card", "nummod")


def personal_feats(case: str, agreement: Agreement, gender: str) -> str:
    """The features of a personal or possessive pronoun."""
    marks = f"Gender={gender}|" if gender else ""
    owner = "Poss=Yes|" if case == "Gen" else ""
    return f"Case={case}|{marks}Number={agreement.number}|Person={agreement.person}|{owner}PronType=Prs"


def full_name(dice: Dice) -> Node:
    """A person's name."""
    first = dice.draw(words("names", "first"))
    after: tuple[Node, ...] = ()
    if dice.chance(0.4):
        last = dice.draw(words("names", "last"))
        after = (leaf(last, last, "PROPN", "Number=Sing", "flat"),)
    return Node(first, first, "PROPN", "Number=Sing", "nsubj", (), after)


def _owner(dice: Dice) -> Node:
    mark = "'s"
    if dice.chance(0.4):
        node = full_name(dice)
    else:
        lemma = dice.draw(words("nouns", "person"))
        is_singular = dice.chance(0.7)
        form = lemma if is_singular else plural(lemma)
        mark = "'" if form.endswith("s") and not is_singular else "'s"
        node = Node(form, lemma, "NOUN", f"Number={'Sing' if is_singular else 'Plur'}", "nsubj", (THE,))
    return extended(relabelled(node, "nmod:poss"), after=(leaf(mark, "'s", "PART", "_", "case"),))
