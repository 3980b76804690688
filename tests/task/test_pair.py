"""Minimal pairs: each sentence knows its partner."""

from dataclasses import replace

import numpy as np
import pytest

from probes.errors import TaskError
from probes.task import build_task
from probes.types import Corpus, Sentence
from tests.task.conftest import index_sentences, replace_split


def make_pair(split: str, number: int) -> list[Sentence]:
    return [
        Sentence(
            f"{split}-{number}-{label}",
            text=f"a {label} text",
            group=f"{split}-{number}",
            attributes={"label": label, "pair": f"{split}-{number}", "paradigm": f"p{number % 2}"},
        )
        for label in ("good", "bad")
    ]


@pytest.fixture
def paired() -> Corpus:
    order = np.random.default_rng(0).permutation(8)
    splits = {}
    for split in ("train", "dev", "test"):
        sentences = [one for number in range(4) for one in make_pair(split, number)]
        splits[split] = tuple(sentences[place] for place in order)
    return Corpus("pairs", splits)


def test_partners_are_each_others_and_of_the_other_label(paired):
    task = build_task("minimal_pair", paired, index_sentences(paired))
    assert task.labels == ("bad", "good")
    for split, rows in task.splits.items():
        names = [one.attributes["pair"] for one in paired[split]]
        assert rows.partner[rows.partner].tolist() == list(range(8))
        assert [names[other] for other in rows.partner] == names
        assert (rows.labels[rows.partner] == 1 - rows.labels).all()


def test_each_paradigm_is_a_subset(paired):
    rows = build_task("minimal_pair", paired, index_sentences(paired)).splits["test"]
    assert list(rows.subsets) == ["paradigm:p0", "paradigm:p1"]
    assert rows.subsets["paradigm:p1"].tolist() == [one.attributes["paradigm"] == "p1" for one in paired["test"]]


@pytest.mark.parametrize(
    ("labels", "came"), [(["good"], "good"), (["good", "good"], "good, good"), (["bad", "good", "good"], None)]
)
def test_a_pair_is_one_good_and_one_bad_sentence(paired, labels, came):
    template = make_pair("dev", 9)[0]
    more = [
        replace(template, id=f"x-{number}", attributes={**template.attributes, "label": label})
        for number, label in enumerate(labels)
    ]
    corpus = replace_split(paired, "dev", [*paired["dev"], *more])
    with pytest.raises(TaskError) as caught:
        build_task("minimal_pair", corpus, index_sentences(corpus))
    assert str(caught.value) == (
        f"Task 'minimal_pair' needs one good and one bad sentence in each pair, but pair 'dev-9' has "
        f"{came or 'bad, good, good'}. Complete it, or leave it out."
    )
