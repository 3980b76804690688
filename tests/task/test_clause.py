"""Tense and number of the main clause: known answers, and what the built-in grammar says itself."""

import pytest

from probes.corpus.grammar import generate
from probes.task.clause import read_object_number, read_subject_number, read_tense
from probes.types import Corpus
from tests.parsed import parsed

GRAMMAR = generate(size=2000)
CORPUS = Corpus("none", {})
FIN, PART = "Tense=Past|VerbForm=Fin", "Tense=Past|VerbForm=Part"


@pytest.mark.parametrize(
    ("line", "tense"),
    [
        (f"left/VERB/0/root/{FIN}", "Past"),
        (f"has/AUX/2/aux/Tense=Pres|VerbForm=Fin left/VERB/0/root/{PART}", "Pres"),
        (f"was/AUX/2/aux:pass/{FIN} seen/VERB/0/root/{PART}", "Past"),
        (f"was/AUX/2/cop/{FIN} glad/ADJ/0/root", "Past"),
        (f"will/AUX/3/aux/VerbForm=Fin have/AUX/3/aux/VerbForm=Inf left/VERB/0/root/{PART}", None),
        (f"being/AUX/3/cop/VerbForm=Ger was/AUX/3/cop/{FIN} glad/ADJ/0/root", "Past"),
        (f"seen/VERB/0/root/{PART}", None),
        ("go/VERB/0/root/Mood=Imp|VerbForm=Fin", None),
        (f"was/AUX/0/root/{FIN}", "Past"),
        (f"glad/ADJ/0/root/{FIN}", None),
        (f"glad/ADJ/0/root was/VERB/1/ccomp/{FIN}", None),
        ("ira/VERB/0/root/Tense=Fut|VerbForm=Fin", None),
    ],
)
def test_tense_is_that_of_the_finite_word(line, tense):
    assert read_tense(parsed("s", line), CORPUS) == tense


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("dog/NOUN/2/{}/Number=Sing runs/VERB/0/root", "Sing"),
        ("They/PRON/2/{}/Case=Nom|Number=Plur run/VERB/0/root", "Plur"),
        ("dog/NOUN/3/{}/Number=Sing cat/NOUN/1/conj/Number=Sing run/VERB/0/root", "Plur"),
        ("you/PRON/2/{}/PronType=Prs run/VERB/0/root", None),
        ("scissors/NOUN/2/{}/Number=Ptan cut/VERB/0/root", None),
        ("this/DET/2/{}/Number=Sing runs/VERB/0/root", None),
        ("dog/NOUN/3/dep/Number=Sing x/NOUN/1/{}/Number=Sing runs/VERB/0/root", None),
        ("There/PRON/2/expl/Number=Sing are/VERB/0/root dogs/NOUN/2/{}/Number=Plur", "Plur"),
    ],
)
def test_number_is_that_of_the_argument_of_the_root(line, number):
    for relation in ("nsubj", "nsubj:pass"):
        assert read_subject_number(parsed("s", line.format(relation)), CORPUS) == number
        assert read_object_number(parsed("s", line.format(relation)), CORPUS) is None
    assert read_object_number(parsed("s", line.format("obj")), CORPUS) == number
    assert read_subject_number(parsed("s", line.format("obj")), CORPUS) is None


@pytest.mark.parametrize(
    ("read", "attribute", "floor"),
    [
        (read_tense, "tense", 0.85),
        (read_subject_number, "subject_number", 0.85),
        (read_object_number, "object_number", 0.25),
    ],
)
def test_labels_agree_with_those_of_the_grammar(read, attribute, floor):
    sentences = [one for split in GRAMMAR.splits.values() for one in split]
    both = [(read(one, GRAMMAR), one.attributes[attribute]) for one in sentences if attribute in one.attributes]
    both = [(ours, theirs) for ours, theirs in both if ours is not None]
    assert len(both) > floor * len(sentences)
    assert {theirs for _, theirs in both} == {ours for ours, _ in both}
    assert [pair for pair in both if pair[0] != pair[1]] == []
