"""Which sentence of a pair an encoder prefers, over encoders whose preference is known."""

from dataclasses import replace

import numpy as np
import pytest

from probes.config import Run, parse
from probes.encoder.load import load_encoder
from probes.encoder.output import NoHeadError
from probes.errors import ConfigError, TaskError
from probes.method import Subject
from probes.method.likelihood import METHOD, LikelihoodSettings, draw_pairs
from probes.types import Corpus, Sentence
from tests.reference.likelihood import score_text


def pair(number: int, good: str, bad: str, paradigm: str, phenomenon: str) -> list[Sentence]:
    shared = {"pair": f"{paradigm}-{number}", "paradigm": paradigm, "phenomenon": phenomenon}
    return [
        Sentence(f"{paradigm}-{number}-{label}", text=text, attributes={"label": label, **shared})
        for label, text in (("good", good), ("bad", bad))
    ]


SWAPPED = [
    ("the dog runs", "dog the runs"),
    ("a cat sees the dog", "cat a sees the dog"),
    ("the cat runs", "cat the runs"),
]
SHORTER = [("big dog", "big dog and cat"), ("the dog", "the dog often")]
EQUAL = [("a dog", "a dog"), ("a cat", "a cat")]


@pytest.fixture
def corpus() -> Corpus:
    made = [
        *(one for n, (good, bad) in enumerate(SWAPPED) for one in pair(n, good, bad, "swap", "order")),
        *(one for n, (good, bad) in enumerate(SHORTER) for one in pair(n, good, bad, "short", "size")),
        *(one for n, (good, bad) in enumerate(EQUAL) for one in pair(n, good, bad, "same", "size")),
    ]
    return Corpus("pairs", {"train": tuple(made[:6]), "test": tuple(made[6:])})


def measure(folder, corpus, *, task=None, **settings):
    given = {
        "encoder": {"name": str(folder)},
        "corpus": {"reader": "pairs", "path": "x"},
        "task": {"name": "minimal_pair", **(task or {})},
    }
    run = parse(Run, given, where="test")
    subject = Subject(run=run, corpus=corpus, loaded=load_encoder(run.encoder))
    return METHOD.apply(subject, LikelihoodSettings(**settings))


def value(findings, variant, *, layer=None, phenomenon="all", paradigm=None):
    (row,) = [
        row
        for row in findings.rows
        if (row.variant, row.layer, row.at["phenomenon"], row.at.get("paradigm"))
        == (variant, layer, phenomenon, paradigm)
    ]
    return row


@pytest.fixture
def findings(toy_masked_bert, corpus):
    return measure(toy_masked_bert, corpus)


def test_each_pair_is_judged_by_the_whole_model(findings, toy_masked_bert):
    right = [score_text(toy_masked_bert, good) > score_text(toy_masked_bert, bad) for good, bad in SWAPPED]
    for row in (
        value(findings, "output", phenomenon="order"),
        value(findings, "likelihood", layer=2, phenomenon="order"),
    ):
        assert (row.value, row.n, row.groups) == (pytest.approx(np.mean(right)), 3, 3)
    first = [score_text(toy_masked_bert, a, layer=0) > score_text(toy_masked_bert, b, layer=0) for a, b in SWAPPED]
    assert value(findings, "likelihood", layer=0, phenomenon="order").value == pytest.approx(np.mean(first))


def test_equal_sentences_are_a_tie_and_fewer_pieces_are_the_floor(findings):
    assert value(findings, "output", phenomenon="size", paradigm="same").value == 0.5
    assert value(findings, "length", phenomenon="size", paradigm="short").value == 1
    assert value(findings, "length", phenomenon="order").value == 0.5
    assert value(findings, "length").value == pytest.approx((2 + 5 * 0.5) / 7)


def test_a_phenomenon_is_the_mean_of_its_pairs_with_an_interval(findings):
    parts = [value(findings, "output", phenomenon="size", paradigm=name).value for name in ("short", "same")]
    whole = value(findings, "output", phenomenon="size")
    assert whole.value == pytest.approx(np.mean(parts))
    assert whole.low <= whole.value <= whole.high
    assert findings.notes["pairs"] == 7
    assert findings.notes["paradigms"] == 3


def test_pairs_are_drawn_of_each_paradigm_and_of_every_split(corpus):
    drawn = draw_pairs(corpus, 2, seed=0)
    assert sorted(one.attributes["paradigm"] for one in drawn.good) == [
        "same",
        "same",
        "short",
        "short",
        "swap",
        "swap",
    ]
    assert [one.attributes["pair"] for one in drawn.good] == [one.attributes["pair"] for one in drawn.bad]
    assert {one.attributes["label"] for one in drawn.bad} == {"bad"}
    assert draw_pairs(corpus, 2, seed=0) == drawn


def test_half_a_pair_is_an_error(corpus):
    broken = replace(corpus, splits={"train": corpus["train"][:5]})
    with pytest.raises(TaskError) as error:
        draw_pairs(broken, 2, seed=0)
    assert str(error.value) == (
        "Task 'minimal_pair' needs one good and one bad sentence in each pair, but pair 'swap-2' has good. "
        "Complete it, or leave it out."
    )


def test_another_task_and_a_control_are_errors(toy_masked_bert, corpus):
    with pytest.raises(TaskError) as error:
        measure(toy_masked_bert, corpus, task={"name": "label"})
    assert str(error.value) == (
        "Method 'likelihood' compares the two sentences of task 'minimal_pair', but the task is 'label'. "
        "Set task.name to minimal_pair."
    )
    with pytest.raises(ConfigError) as error:
        measure(toy_masked_bert, corpus, task={"controls": ["word_type"]})
    assert str(error.value) == (
        "Method 'likelihood' fits nothing that could memorise, but the run asks for the control 'word_type'. "
        "Leave task.controls empty."
    )


def test_an_encoder_without_a_head_has_no_preference(toy_bert, corpus):
    with pytest.raises(NoHeadError, match=r"lacks cls\.predictions\.bias"):
        measure(toy_bert, corpus)
