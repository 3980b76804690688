"""Predicates and their arguments in the built-in grammar, with the clauses that stand inside both."""

from collections.abc import Callable

from probes.corpus.grammar.lexicon import (
    Dice,
    Table,
    choices,
    entries,
    members,
    objects_of,
    oblique_frames,
    subjects_of,
    uniform,
    weighted,
    words,
)
from probes.corpus.grammar.phrase import (
    Case,
    Phrase,
    adjective,
    coordinated,
    degree,
    described,
    noun_phrase,
    prepositional,
)
from probes.corpus.grammar.syntax import Node, extended, leaf, relabelled
from probes.corpus.grammar.verb import Predicate, Tense, finite, non_finite, style

_SIMPLE = uniform(("intransitive", "transitive"))
_SUBJECTS_IN_CLAUSES = weighted({"person": 80, "animal": 8, "event": 4, "vehicle": 4, "idea": 4})
_PERSON_PRONOUNS = weighted({"who": 50, "that": 50})
_OTHER_PRONOUNS = weighted({"that": 70, "which": 30})
_SPOTS = uniform(("in place", "near landmark", "outside place", "near vehicle", "in town", "behind furniture"))


def argument(dice: Dice, noun_class: str, *, case: Case = "Acc", level: int = 0) -> Phrase:
    """A noun phrase that may be coordinated or carry a relative clause, where `level` allows it."""
    phrase = noun_phrase(dice, noun_class, case=case, level=min(level, 2))
    if level < 1:
        return phrase
    if dice.chance(0.05) and phrase.node.upos != "PRON":
        return coordinated(phrase, described(dice, phrase.noun_class, choice="plain"))
    if level > 1 and phrase.node.upos == "NOUN" and dice.chance(0.22):
        return relativised(dice, phrase)
    return phrase


def relativised(dice: Dice, phrase: Phrase) -> Phrase:
    """A noun phrase with a relative clause or a participle after it."""
    kind = dice.roll() if phrase.noun_class in entries()["predicates"] else 0.5
    if kind < 0.4:
        clause = _subject_relative(dice, phrase)
    elif kind < 0.85:
        clause = _object_relative(dice, phrase)
    else:
        clause = _participle(dice, phrase)
    return Phrase(extended(phrase.node, after=(clause,)), phrase.agreement, phrase.noun_class)


def predicate(dice: Dice, subject: Phrase, *, level: int, kind: str = "") -> Predicate:
    """What may be said of this subject; without a kind, one that suits its class."""
    kind = kind or dice.draw(choices("predicates", subject.noun_class))
    if level < 1 and kind in ("report", "wonder", "infinitive", "control"):
        kind = "transitive"
    return _BUILDERS[kind](dice, subject, level)


def clause(dice: Dice, *, relation: str, front: tuple[Node, ...] = (), tense: Tense | None = None) -> Node:
    """A short finite clause, such as stands after "that" or "because"."""
    subject = argument(dice, dice.draw(_SUBJECTS_IN_CLAUSES), case="Nom")
    said = predicate(dice, subject, level=0)
    return finite(said, subject, style=style(dice, said, tense=tense), relation=relation, front=front)


def gapped(dice: Dice, object_class: str) -> tuple[Phrase, Predicate]:
    """A subject and a transitive predicate whose object, of this class, stands elsewhere."""
    subject_class, verbs = dice.draw(subjects_of(object_class))
    subject = noun_phrase(dice, subject_class, case="Nom")
    return subject, _verbal(dice, "transitive", dice.draw(verbs))


def purpose(dice: Dice, subject: Phrase) -> Node:
    """An infinitive of purpose."""
    return non_finite(predicate(dice, subject, level=0, kind=dice.draw(_SIMPLE)), "Inf", relation="advcl")


def _verbal(dice: Dice, kind: str, lemma: str, after: tuple[Node, ...] = ()) -> Predicate:
    return Predicate(kind, "verb", Node(lemma, lemma, "VERB", "_", "root", (), after))


def _transitive(dice: Dice, subject: Phrase, level: int) -> Predicate:
    object_class, verbs = dice.draw(objects_of(subject.noun_class))
    thing = argument(dice, object_class, level=level)
    return _verbal(dice, "transitive", dice.draw(verbs), (relabelled(thing.node, "obj"),))


def _intransitive(dice: Dice, subject: Phrase, level: int) -> Predicate:
    lemma = dice.draw(words("intransitive", subject.noun_class))
    after: tuple[Node, ...] = ()
    if subject.noun_class == "person" and dice.chance(0.2):
        after = (prepositional("like", described(dice, "person", number="Sing", choice="indefinite"), "obl"),)
    return _verbal(dice, "intransitive", lemma, after)


def _oblique(dice: Dice, subject: Phrase, level: int) -> Predicate:
    lemma, preposition, classes = dice.draw(oblique_frames())
    other = noun_phrase(dice, dice.draw(classes), level=min(level, 1))
    return _verbal(dice, "oblique", lemma, (prepositional(preposition, other, "obl"),))


def _motion(dice: Dice, subject: Phrase, level: int) -> Predicate:
    preposition = dice.draw(words("paths"))
    where = "town" if preposition == "to" and dice.chance(0.3) else "place"
    goal = noun_phrase(dice, where, level=min(level, 1))
    after = (prepositional(preposition, goal, "obl"),)
    if level and subject.noun_class == "person" and dice.chance(0.2):
        after = (*after, purpose(dice, subject))
    return _verbal(dice, "motion", dice.draw(words("motion", subject.noun_class)), after)


def _dative(dice: Dice, subject: Phrase, level: int) -> Predicate:
    thing = relabelled(described(dice, dice.draw(words("dative", "objects"))).node, "obj")
    recipient = argument(dice, "person")
    if dice.chance(0.55):
        after = (thing, prepositional("to", recipient, "obl"))
    else:
        after = (relabelled(recipient.node, "iobj"), thing)
    return _verbal(dice, "dative", dice.draw(words("dative", "verbs")), after)


def _report(dice: Dice, subject: Phrase, level: int) -> Predicate:
    if dice.chance(0.25):
        said = clause(dice, relation="ccomp")
        return _verbal(dice, "bare_clause", dice.draw(words("report", "bare")), (said,))
    front = (leaf("that", "that", "SCONJ", "_", "mark"),)
    said = clause(dice, relation="ccomp", front=front)
    return _verbal(dice, "that_clause", dice.draw(words("report", "marked")), (said,))


def _wonder(dice: Dice, subject: Phrase, level: int) -> Predicate:
    form = "whether" if dice.chance(0.55) else "if"
    asked = clause(dice, relation="ccomp", front=(leaf(form, form, "SCONJ", "_", "mark"),))
    return _verbal(dice, "whether_clause", dice.draw(words("wonder")), (asked,))


def _infinitive(dice: Dice, subject: Phrase, level: int) -> Predicate:
    inner = predicate(dice, subject, level=0)
    after = (non_finite(inner, "Inf", relation="xcomp"),)
    return _verbal(dice, "infinitive", dice.draw(words("infinitive")), after)


def _control(dice: Dice, subject: Phrase, level: int) -> Predicate:
    other = argument(dice, "person", level=min(level, 1))
    inner = predicate(dice, other, level=0)
    after = (relabelled(other.node, "obj"), non_finite(inner, "Inf", relation="xcomp"))
    return _verbal(dice, "object_control", dice.draw(words("control")), after)


def _passive(dice: Dice, subject: Phrase, level: int) -> Predicate:
    agent_class, verbs = dice.draw(subjects_of(subject.noun_class))
    lemma = dice.draw(verbs)
    while lemma in members("unpassive"):
        lemma = dice.draw(verbs)
    after: tuple[Node, ...] = ()
    if dice.chance(0.45):
        after = (prepositional("by", argument(dice, agent_class, level=min(level, 1)), "obl:agent"),)
    return Predicate("passive", "passive", Node(lemma, lemma, "VERB", "_", "root", (), after))


def _adjective(dice: Dice, subject: Phrase, level: int) -> Predicate:
    path = "predicative" if subject.noun_class == "person" and dice.chance(0.25) else "adjectives"
    lemma = dice.draw(words(path, subject.noun_class))
    while lemma in members("attributive"):
        lemma = dice.draw(words(path, subject.noun_class))
    # "She was surprised" may be a passive; "very" makes it an adjective.
    often = 1.0 if lemma in members("participial") else 0.3
    return Predicate("adjective", "copula", adjective(lemma, "root", degree(dice, often)))


def _comparison(dice: Dice, subject: Phrase, level: int) -> Predicate:
    graded: dict[str, str] = entries()["graded"]
    table: Table[str] = words("adjectives", subject.noun_class)
    lemma = dice.draw(table)
    while lemma not in graded:
        lemma = dice.draw(table)
    other = prepositional("than", described(dice, subject.noun_class), "obl")
    head = Node(graded[lemma], lemma, "ADJ", "Degree=Cmp", "root", (), (other,))
    return Predicate("comparison", "copula", head)


def _noun(dice: Dice, subject: Phrase, level: int) -> Predicate:
    number = subject.agreement.number
    choice = "indefinite" if number == "Sing" else "bare"
    phrase = described(dice, subject.noun_class, number=number, choice=choice)
    if phrase.node.lemma == subject.node.lemma:
        return _adjective(dice, subject, level)
    return Predicate("noun", "copula", phrase.node)


def _place(dice: Dice, subject: Phrase, level: int) -> Predicate:
    preposition, other = dice.draw(_SPOTS).split()
    if subject.noun_class in ("thing", "text", "food") and dice.chance(0.7):
        preposition, other = "on", "furniture"
    if other == "town":
        phrase = noun_phrase(dice, "town")
    else:
        phrase = described(dice, other, level=min(level, 1), choice="plain")
    return Predicate("place", "copula", prepositional(preposition, phrase, "root"))


_BUILDERS: dict[str, Callable[[Dice, Phrase, int], Predicate]] = {
    "transitive": _transitive,
    "intransitive": _intransitive,
    "oblique": _oblique,
    "motion": _motion,
    "dative": _dative,
    "report": _report,
    "wonder": _wonder,
    "infinitive": _infinitive,
    "control": _control,
    "passive": _passive,
    "adjective": _adjective,
    "comparison": _comparison,
    "noun": _noun,
    "place": _place,
}


def _relative_pronoun(dice: Dice, noun_class: str, relation: str) -> Node:
    form = dice.draw(_PERSON_PRONOUNS if noun_class == "person" else _OTHER_PRONOUNS)
    return leaf(form, form, "PRON", "PronType=Rel", relation)


def _subject_relative(dice: Dice, phrase: Phrase) -> Node:
    subject = Phrase(_relative_pronoun(dice, phrase.noun_class, "nsubj"), phrase.agreement, phrase.noun_class)
    said = predicate(dice, subject, level=0)
    return finite(said, subject, style=style(dice, said), relation="acl:relcl")


def _object_relative(dice: Dice, phrase: Phrase) -> Node:
    subject, said = gapped(dice, phrase.noun_class)
    front = () if dice.chance(0.4) else (_relative_pronoun(dice, phrase.noun_class, "obj"),)
    return finite(said, subject, style=style(dice, said), relation="acl:relcl", front=front)


def _participle(dice: Dice, phrase: Phrase) -> Node:
    said = predicate(dice, phrase, level=0, kind="passive" if dice.chance(0.5) else "")
    if said.ending == "passive":
        return non_finite(said, "Pass", relation="acl")
    if said.is_stative:
        return _object_relative(dice, phrase)
    return non_finite(said, "Ing", relation="acl")
