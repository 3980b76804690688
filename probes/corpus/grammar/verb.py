"""Clauses of a subject and a predicate: auxiliaries, negation, the order of questions."""

from dataclasses import dataclass
from typing import Literal

from probes.corpus.grammar.inflection import SINGULAR, Agreement, VerbForm, inflect
from probes.corpus.grammar.lexicon import Dice, Table, members, weighted, words
from probes.corpus.grammar.phrase import Phrase
from probes.corpus.grammar.syntax import Node, leaf, relabelled

Tense = Literal["Past", "Pres"]
Aspect = Literal["simple", "perfect", "progressive", "modal"]


@dataclass(frozen=True, slots=True)
class Predicate:
    """What is said of a subject, before tense: `head` holds a verb as its lemma, with its complements."""

    kind: str
    ending: Literal["verb", "passive", "copula"]
    head: Node

    @property
    def is_stative(self) -> bool:
        """True where the progressive or an adverb of manner would sound wrong."""
        return self.ending == "copula" or self.head.lemma in members("stative")


@dataclass(frozen=True, slots=True)
class Style:
    """Tense, aspect, negation and order of a finite clause; `middle` is an adverb beside the verb."""

    tense: Tense
    aspect: Aspect = "simple"
    modal: str = ""
    negation: str = ""
    is_inverted: bool = False
    middle: tuple[Node, ...] = ()


_ASPECTS: dict[Tense, Table[Aspect]] = {
    "Past": weighted({"simple": 60, "progressive": 16, "perfect": 10, "modal": 14}),
    "Pres": weighted({"simple": 52, "progressive": 17, "perfect": 19, "modal": 12}),
}
_MODALS = {
    "Past": weighted({"could": 35, "would": 35, "should": 15, "might": 15}),
    "Pres": weighted({"will": 50, "can": 28, "must": 14, "may": 8}),
}
_NEGATIONS = weighted({"not": 60, "n't": 40})


def style(dice: Dice, predicate: Predicate, *, tense: Tense | None = None, is_inverted: bool = False) -> Style:
    """A random style that suits the predicate."""
    tense = tense or ("Past" if dice.chance(0.42) else "Pres")
    aspect = dice.draw(_ASPECTS[tense])
    if aspect == "progressive" and predicate.is_stative:
        aspect = "simple"
    modal = dice.draw(_MODALS[tense]) if aspect == "modal" else ""
    negation = dice.draw(_NEGATIONS) if dice.chance(0.1) else ""
    if modal == "may" or (modal and is_inverted):
        negation = "not" if negation else ""
    middle: tuple[Node, ...] = ()
    if not negation and not modal and not is_inverted and dice.chance(0.14):
        table = "perfect" if aspect == "perfect" else "copular" if predicate.ending == "copula" else "middle"
        form = dice.draw(words("adverbs", table))
        middle = (leaf(form, form, "ADV", "_", "advmod"),)
    return Style(tense, aspect, modal, negation, is_inverted, middle)


def finite(predicate: Predicate, subject: Phrase, *, style: Style, relation: str, front: tuple[Node, ...] = ()) -> Node:
    """A finite clause; `front` stands before everything else of it."""
    auxiliaries, head = inflected(predicate, style, subject.agreement)
    if subject.node.relation == "nsubj" and predicate.ending == "passive":
        nominal = relabelled(subject.node, "nsubj:pass")
    else:
        nominal = subject.node
    if style.is_inverted:
        clitic = style.negation == "n't"
        order = (*auxiliaries[:1], *_negation(style, clitic), nominal, *_negation(style, not clitic))
    else:
        order = (nominal, *auxiliaries[:1], *_negation(style, True))
    before = (*front, *order, *style.middle, *auxiliaries[1:], *head.before)
    return Node(head.form, head.lemma, head.upos, head.feats, relation, before, head.after)


def inflected(predicate: Predicate, style: Style, agreement: Agreement) -> tuple[tuple[Node, ...], Node]:
    """The auxiliaries and the head in its form."""
    form: VerbForm = "Past" if style.tense == "Past" else "Pres"
    auxiliaries = []
    for lemma, relation, following in _links(predicate.ending, style):
        word, feats = inflect(lemma, form, agreement)
        if style.negation == "n't" and not auxiliaries:
            word = {"can": "ca", "will": "wo"}.get(word, word)
        auxiliaries.append(leaf(word, lemma, "AUX", feats, relation))
        form = following
    if predicate.ending == "copula":
        return tuple(auxiliaries), predicate.head
    return tuple(auxiliaries), with_form(predicate.head, form, agreement)


def with_form(head: Node, form: VerbForm, agreement: Agreement = SINGULAR) -> Node:
    """A verb with its complements in this form."""
    word, feats = inflect(head.lemma, form, agreement)
    return Node(word, head.lemma, head.upos, feats, head.relation, head.before, head.after)


def non_finite(predicate: Predicate, form: VerbForm, *, relation: str) -> Node:
    """A clause without subject: the infinitive with "to", or a participle."""
    before: tuple[Node, ...] = (leaf("to", "to", "PART", "_", "mark"),) if form == "Inf" else ()
    head = predicate.head
    if predicate.ending == "copula":
        word, feats = inflect("be", form, SINGULAR)
        before = (*before, leaf(word, "be", "AUX", feats, "cop"))
    else:
        head = with_form(head, form)
    return Node(head.form, head.lemma, head.upos, head.feats, relation, before + head.before, head.after)


def _links(ending: str, style: Style) -> list[tuple[str, str, VerbForm]]:
    links: list[tuple[str, str, VerbForm]] = []
    if style.modal:
        links.append((style.modal, "aux", "Inf"))
    elif ending == "verb" and style.aspect == "simple" and (style.negation or style.is_inverted):
        links.append(("do", "aux", "Inf"))
    if style.aspect == "perfect":
        links.append(("have", "aux", "Part"))
    if style.aspect == "progressive":
        links.append(("be", "aux", "Ing"))
    if ending == "passive":
        links.append(("be", "aux:pass", "Pass"))
    if ending == "copula":
        links.append(("be", "cop", "Inf"))
    return links


def _negation(style: Style, is_here: bool) -> tuple[Node, ...]:
    if not is_here or not style.negation:
        return ()
    return (leaf(style.negation, "not", "PART", "Polarity=Neg", "advmod"),)
