import pytest

from probes.corpus.grammar.inflection import PLURAL, SINGULAR, article, inflect, other_number, plural


@pytest.mark.parametrize(
    ("noun", "expected"),
    [("child", "children"), ("mouse", "mice"), ("goose", "geese"), ("wolf", "wolves"), ("watch", "watches"),
     ("city", "cities"), ("toy", "toys"), ("crisis", "crises"), ("box", "boxes")],
)  # fmt: skip
def test_plurals_known_by_hand(noun, expected):
    assert plural(noun) == expected


@pytest.mark.parametrize(
    ("lemma", "expected"),
    [("write", "writes wrote writing written"), ("be", "is was being been"), ("have", "has had having had"),
     ("do", "does did doing done"), ("try", "tries tried trying tried"),
     ("plan", "plans planned planning planned"), ("read", "reads read reading read"),
     ("watch", "watches watched watching watched"), ("give", "gives gave giving given"),
     ("enjoy", "enjoys enjoyed enjoying enjoyed"), ("agree", "agrees agreed agreeing agreed"),
     ("visit", "visits visited visiting visited"), ("begin", "begins began beginning begun")],
)  # fmt: skip
def test_verb_forms_known_by_hand(lemma, expected):
    forms = [inflect(lemma, form, SINGULAR)[0] for form in ("Pres", "Past", "Ing", "Part")]
    assert " ".join(forms) == expected


def test_present_and_past_of_be_follow_the_subject():
    assert inflect("be", "Pres", PLURAL)[0] == "are"
    assert inflect("be", "Past", PLURAL) == ("were", "Mood=Ind|Number=Plur|Person=3|Tense=Past|VerbForm=Fin")


def test_no_twin_where_the_other_form_would_be_the_past_tense():
    assert other_number("reads", "read") is None
    assert other_number("writes", "write") == "write"


@pytest.mark.parametrize(("word", "expected"), [("hour", "an"), ("university", "a"), ("cat", "a")])
def test_articles_known_by_hand(word, expected):
    assert article(word) == expected
