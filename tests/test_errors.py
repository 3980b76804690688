"""The error family: who catches what, which exit code it means, and which name is nearest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes import errors
from probes.errors import ProbesError, by_nearness, list_names

FAMILY = {
    "ConfigError": 2,
    "CorpusError": 2,
    "TaskError": 2,
    "EncoderError": 1,
    "CacheError": 1,
    "FitError": 1,
    "ResultError": 2,
}


@pytest.mark.parametrize(("name", "exit_code"), FAMILY.items())
def test_mistakes_of_the_caller_exit_with_2_and_failures_with_1(name, exit_code):
    kind = getattr(errors, name)
    assert issubclass(kind, ProbesError)
    assert kind.exit_code == exit_code
    assert str(kind("what was expected")) == "what was expected"


def test_no_error_of_the_family_is_left_out_here():
    assert {kind.__name__ for kind in ProbesError.__subclasses__()} == set(FAMILY)
    assert ProbesError.exit_code == 1


@pytest.mark.parametrize(
    ("name", "known", "ordered"),
    [
        ("word_tpe", ["majority", "word_type", "word"], ["word_type", "word", "majority"]),
        ("pos", ["xpos", "pos", "upos"], ["pos", "upos", "xpos"]),
        ("", ["b", "a"], ["a", "b"]),
        ("anything", [], []),
    ],
)
def test_names_are_ordered_by_nearness_and_ties_by_alphabet(name, known, ordered):
    assert by_nearness(name, known) == ordered


@given(st.text(max_size=8), st.sets(st.text(max_size=8), max_size=6))
def test_no_name_is_lost_and_an_exact_match_comes_first(name, known):
    assert set(by_nearness(name, known)) == known
    if name in known:
        assert by_nearness(name, known)[0] == name


@given(st.text(max_size=8), st.lists(st.text(max_size=8), unique=True, max_size=6), st.randoms())
def test_the_order_of_known_names_does_not_matter(name, known, random):
    shuffled = random.sample(known, len(known))
    assert by_nearness(name, known) == by_nearness(name, shuffled)


@pytest.mark.parametrize(
    ("known", "listed"), [(["xpos", "pos"], "'pos', 'xpos'"), ({"pos": 1}, "'pos'"), ([], "none"), (iter(()), "none")]
)
def test_names_are_listed_as_they_stand_in_a_message(known, listed):
    assert list_names("pso", known) == listed
