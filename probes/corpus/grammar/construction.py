"""Whole sentences of the built-in grammar: statements, coordinations, questions."""

from collections.abc import Callable
from dataclasses import replace

from probes.corpus.grammar.adjunct import adjuncts, adverbial_clause, place, time, with_comma
from probes.corpus.grammar.clause import argument, clause, gapped, predicate
from probes.corpus.grammar.inflection import SINGULAR, inflect
from probes.corpus.grammar.lexicon import Dice, Table, choices, uniform, weighted, words
from probes.corpus.grammar.phrase import Phrase, adjective, degree, demonstrative, described, noun_phrase
from probes.corpus.grammar.syntax import Node, extended, leaf, relabelled
from probes.corpus.grammar.verb import Predicate, Style, finite, inflected, non_finite, style

_DEMONSTRATED = weighted({"thing": 25, "idea": 30, "event": 25, "text": 20})
_ACTIVE = weighted({"transitive": 60, "intransitive": 20, "oblique": 14, "motion": 6})
_LINKS = weighted({"and": 75, "but": 25})
_SEEKABLE = uniform(("person", "animal", "thing", "text", "event", "idea", "food", "vehicle"))
_FOUND_OUTSIDE = weighted({"person": 40, "animal": 20, "thing": 20, "vehicle": 10, "text": 10})
_NEGATABLE = weighted({"": 85, "not": 6, "n't": 9})


def sentence(dice: Dice) -> tuple[Node, str]:
    """A sentence without its capital letter, and the name of its construction."""
    return dice.draw(_CONSTRUCTIONS)(dice)


def _subject(dice: Dice, level: int = 2) -> Phrase:
    if dice.chance(0.05):
        return demonstrative(dice, dice.draw(_DEMONSTRATED))
    return argument(dice, dice.draw(choices("subjects")), case="Nom", level=level)


def _ended(root: Node, mark: str = ".") -> Node:
    return extended(root, after=(leaf(mark, mark, "PUNCT", "_", "punct"),))


def _with_adjuncts(said: Predicate, after: tuple[Node, ...]) -> Predicate:
    return replace(said, head=extended(said.head, after=after)) if after else said


def _statement(dice: Dice) -> tuple[Node, str]:
    subject = _subject(dice)
    said = predicate(dice, subject, level=2)
    how = style(dice, said)
    front: tuple[Node, ...] = ()
    if dice.chance(0.04) and said.kind in ("transitive", "intransitive", "oblique", "passive"):
        front = (with_comma(time(dice, how)),)
    else:
        said = _with_adjuncts(said, adjuncts(dice, said, how, subject.noun_class))
    return _ended(finite(said, subject, style=how, relation="root", front=front)), said.kind


def _with_adverbial_clause(dice: Dice) -> tuple[Node, str]:
    subject = _subject(dice)
    said = predicate(dice, subject, level=1)
    how = style(dice, said)
    how = replace(how, aspect="simple", middle=()) if how.aspect == "perfect" else how
    aside = adverbial_clause(dice, how.tense, of_state=said.ending == "copula")
    front: tuple[Node, ...] = ()
    if dice.chance(0.4):
        front = (with_comma(aside),)
    else:
        said = _with_adjuncts(said, (aside,))
    return _ended(finite(said, subject, style=how, relation="root", front=front)), "adverbial_clause"


def _joined_verbs(dice: Dice) -> tuple[Node, str]:
    subject = argument(dice, "person", case="Nom", level=2)
    first = predicate(dice, subject, level=0, kind=dice.draw(_ACTIVE))
    second = predicate(dice, subject, level=0, kind=dice.draw(_ACTIVE))
    how = style(dice, first)
    if how.negation or (how.aspect == "progressive" and second.is_stative):
        how = Style(how.tense)
    link = "or" if how.aspect == "modal" and dice.chance(0.5) else "and"
    _, verb = inflected(second, how, subject.agreement)
    other = extended(relabelled(verb, "conj"), before=(leaf(link, link, "CCONJ", "_", "cc"),))
    joined = _with_adjuncts(first, (other,))
    return _ended(finite(joined, subject, style=how, relation="root")), "verb_coordination"


def _joined_clauses(dice: Dice) -> tuple[Node, str]:
    subject = _subject(dice)
    said = predicate(dice, subject, level=0)
    how = style(dice, said)
    link = dice.draw(_LINKS)
    front: tuple[Node, ...] = (leaf(link, link, "CCONJ", "_", "cc"),)
    if link == "but" or dice.chance(0.5):
        front = (leaf(",", ",", "PUNCT", "_", "punct"), *front)
    other = clause(dice, relation="conj", front=front, tense=how.tense)
    said = _with_adjuncts(said, (other,))
    return _ended(finite(said, subject, style=how, relation="root")), "clause_coordination"


def _existential(dice: Dice) -> tuple[Node, str]:
    phrase = described(dice, dice.draw(_FOUND_OUTSIDE), level=1, choice="indefinite")
    form, feats = inflect("be", "Past" if dice.chance(0.45) else "Pres", phrase.agreement)
    there = leaf("there", "there", "PRON", "_", "expl")
    after = (phrase.node, *((place(dice),) if dice.chance(0.7) else ()))
    if dice.chance(0.2):
        return _ended(Node(form, "be", "VERB", feats, "root", (), (there, *after)), "?"), "existential"
    return _ended(Node(form, "be", "VERB", feats, "root", (there,), after)), "existential"


def _extraposition(dice: Dice) -> tuple[Node, str]:
    it = leaf("it", "it", "PRON", "Case=Nom|Gender=Neut|Number=Sing|Person=3|PronType=Prs", "expl")
    if dice.chance(0.5):
        lemma = dice.draw(words("extraposed"))
        moved = clause(dice, relation="csubj", front=(leaf("that", "that", "SCONJ", "_", "mark"),))
    else:
        lemma = dice.draw(words("infinitival"))
        doer = noun_phrase(dice, "person")
        moved = non_finite(predicate(dice, doer, level=0, kind=dice.draw(_ACTIVE)), "Inf", relation="csubj")
        if dice.chance(0.45):
            moved = extended(moved, before=(leaf("for", "for", "SCONJ", "_", "mark"), doer.node))
    head = adjective(lemma, "root", degree(dice, 0.25))
    said = Predicate("extraposition", "copula", extended(head, after=(moved,)))
    how = Style("Past" if dice.chance(0.4) else "Pres", negation=dice.draw(_NEGATABLE))
    subject = Phrase(it, SINGULAR, "idea")
    return _ended(finite(said, subject, style=how, relation="root")), "extraposition"


def _yes_no(dice: Dice) -> tuple[Node, str]:
    subject = argument(dice, dice.draw(choices("subjects")), case="Nom", level=2)
    said = predicate(dice, subject, level=1)
    how = style(dice, said, is_inverted=True)
    said = _with_adjuncts(said, adjuncts(dice, said, how, subject.noun_class))
    return _ended(finite(said, subject, style=how, relation="root"), "?"), "yes_no_question"


def _which(dice: Dice, noun_class: str, relation: str) -> Phrase:
    form = "which" if dice.chance(0.75) else "what"
    asked = described(dice, noun_class, choice="plain")
    bare = tuple(node for node in asked.node.before if node.relation in ("amod", "compound"))
    which = leaf(form, form, "DET", "PronType=Int", "det")
    noun = Node(asked.node.form, asked.node.lemma, "NOUN", asked.node.feats, relation, (which, *bare))
    return Phrase(noun, asked.agreement, noun_class)


def _object_question(dice: Dice) -> tuple[Node, str]:
    noun_class = dice.draw(_SEEKABLE)
    subject, said = gapped(dice, noun_class)
    if dice.chance(0.55):
        asked = _which(dice, noun_class, "obj").node
    else:
        form = "who" if noun_class == "person" else "what"
        asked = leaf(form, form, "PRON", "PronType=Int", "obj")
    how = style(dice, said, is_inverted=True)
    root = finite(said, subject, style=replace(how, negation=""), relation="root", front=(asked,))
    return _ended(root, "?"), "object_question"


def _subject_question(dice: Dice) -> tuple[Node, str]:
    subject = _which(dice, dice.draw(choices("subjects")), "nsubj")
    said = predicate(dice, subject, level=1)
    how = style(dice, said)
    return _ended(finite(said, subject, style=how, relation="root"), "?"), "subject_question"


def _adverb_question(dice: Dice) -> tuple[Node, str]:
    subject = argument(dice, "person", case="Nom", level=1)
    form = dice.draw(words("adverbs", "question"))
    said = predicate(dice, subject, level=0, kind=dice.draw(_ACTIVE))
    how = style(dice, said, is_inverted=True)
    asked = leaf(form, form, "ADV", "PronType=Int", "advmod")
    root = finite(said, subject, style=replace(how, negation=""), relation="root", front=(asked,))
    return _ended(root, "?"), "adverb_question"


def _where_question(dice: Dice) -> tuple[Node, str]:
    subject = argument(dice, dice.draw(_FOUND_OUTSIDE), case="Nom", level=2)
    form, feats = inflect("be", "Past" if dice.chance(0.4) else "Pres", subject.agreement)
    after = (leaf(form, "be", "AUX", feats, "cop"), subject.node)
    return _ended(Node("where", "where", "ADV", "PronType=Int", "root", (), after), "?"), "where_question"


_CONSTRUCTIONS: Table[Callable[[Dice], tuple[Node, str]]] = weighted(
    [
        (_statement, 60),
        (_with_adverbial_clause, 7),
        (_joined_verbs, 5),
        (_joined_clauses, 6),
        (_existential, 5),
        (_extraposition, 4),
        (_yes_no, 6),
        (_object_question, 3),
        (_subject_question, 2),
        (_adverb_question, 2),
        (_where_question, 1),
    ]
)
