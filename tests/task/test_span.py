"""Span tasks: the first and last word of one span or two."""

from dataclasses import replace

import numpy as np
import pytest

from probes.errors import CorpusError, TaskError
from probes.task import build_task
from probes.types import Corpus, Sentence, Span
from tests.task.conftest import index_words, replace_split

WORDS = ("the", "old", "dog", "of", "the", "house", "sees", "a", "small", "cat")


def make_corpus(*spans: Span) -> Corpus:
    return Corpus(
        "spans",
        {
            split: tuple(Sentence(f"{split}-{number}", WORDS, spans=spans) for number in range(2))
            for split in ("train", "dev", "test")
        },
    )


ONE = (Span("NP", (0, 3)), Span("VP", (6, 7)))
TWO = (Span("sees(e1,e2)", (0, 3), (7, 10)), Span("none", (4, 6), (9, 10)))


@pytest.mark.parametrize(
    ("spans", "ends"), [(ONE, [[0, 2], [6, 6]]), (TWO, [[0, 2, 7, 9], [4, 5, 9, 9]])], ids=["one", "two"]
)
def test_a_span_stands_for_its_first_and_last_word(spans, ends):
    corpus = make_corpus(*spans)
    indexes = index_words(corpus)
    task = build_task("span_label", corpus, indexes)
    for split, rows in task.splits.items():
        assert indexes[split].word[rows.index].tolist() == ends * 2
        assert [task.labels[label] for label in rows.labels] == [span.label for span in spans] * 2
        assert rows.index.min() == 0
        assert (rows.index[2:] >= len(WORDS)).all()


def test_two_spans_have_a_distance_and_all_a_text():
    rows = build_task("relation", make_corpus(*TWO), index_words(make_corpus(*TWO))).splits["test"]
    assert rows.surface["distance"].tolist() == [7, 5] * 2
    assert rows.texts == (" ".join(WORDS),) * 4
    assert (rows.words == -1).all()


def test_only_the_task_of_relations_has_their_official_score():
    corpus = make_corpus(*TWO)
    scorers = [build_task(name, corpus, index_words(corpus)).scorer for name in ("relation", "span_label")]
    assert scorers == ["relation_f1", None]


def test_a_span_whose_end_the_cache_lacks_is_left_out_and_counted():
    corpus = make_corpus(*ONE)
    indexes = index_words(corpus)
    full = indexes["test"]
    kept = np.delete(np.arange(20), 2)  # "dog" of the first sentence was cut
    indexes["test"] = replace(full, offsets=np.array([0, 9, 19]), word=full.word[kept], types=full.types[kept])
    task = build_task("span_label", corpus, indexes)
    assert [len(task.splits[split]) for split in ("train", "dev", "test")] == [4, 4, 3]
    assert task.left_out == {"train": 0, "dev": 0, "test": 1}


def test_one_span_and_two_do_not_mix():
    corpus = replace_split(make_corpus(*ONE), "dev", [Sentence("mixed", WORDS, spans=TWO)])
    with pytest.raises(TaskError) as caught:
        build_task("span_label", corpus, index_words(corpus))
    assert str(caught.value) == (
        "Task 'span_label' needs one span for every label, or two for every label, but corpus 'spans' has one in "
        "sentence 'test-1' and two in sentence 'mixed'. Read them as two corpora."
    )


@pytest.mark.parametrize("part", [(0, 0), (3, 2), (-1, 2), (8, 11)])
def test_a_span_outside_its_sentence_is_an_error(part):
    with pytest.raises(CorpusError) as caught:
        Sentence("s", WORDS, spans=(Span("x", (0, 1), part),))
    assert str(caught.value) == (
        f"A span of sentence 's' should hold some of its 10 words, but is [{part[0]}, {part[1]}]. "
        f"Count words from 0; the second number is the one behind the last word."
    )
