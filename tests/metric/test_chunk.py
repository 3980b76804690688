"""F1 of chunks: known answers, the rules of the shared task, and an independent count."""

import re

import numpy as np
import pytest

from probes.metric.chunk import chunk_counts, chunks_of, f1

KINDS = ("O", "B-NP", "I-NP", "B-VP", "I-VP")


def find_by_pattern(tags):
    """Chunks by a regular expression over one letter a tag: upper case begins, lower case goes on."""
    letters = "".join({"O": ".", "B-NP": "N", "I-NP": "n", "B-VP": "V", "I-VP": "v"}[tag] for tag in tags)
    names = {"n": "NP", "v": "VP"}
    return [(m.start(), m.end(), names[m.group()[0].lower()]) for m in re.finditer(r"[Nn]n*|[Vv]v*", letters)]


@pytest.mark.parametrize("seed", range(20))
def test_chunks_are_those_of_an_independent_reading(seed):
    tags = np.random.default_rng(seed).choice(KINDS, size=30).tolist()
    assert list(chunks_of(tags)) == find_by_pattern(tags)


@pytest.mark.parametrize(
    ("tags", "chunks"),
    [
        ([], []),
        (["O"], []),
        (["I-NP", "I-NP"], [(0, 2, "NP")]),
        (["B-NP", "B-NP"], [(0, 1, "NP"), (1, 2, "NP")]),
        (["B-NP", "I-VP"], [(0, 1, "NP"), (1, 2, "VP")]),
        (["O", "B-VP"], [(1, 2, "VP")]),
    ],
)
def test_edges_of_a_chunk(tags, chunks):
    assert list(chunks_of(tags)) == chunks


def test_a_chunk_ends_with_its_sentence():
    tags = ["B-NP", "I-NP", "O"]
    one = chunk_counts(tags, tags, np.array([0, 0, 0]), np.zeros(3, dtype=int), 1)
    two = chunk_counts(tags, tags, np.array([0, 1, 1]), np.zeros(3, dtype=int), 1)
    assert (one[0, 0], two[0, 0]) == (1, 2)


def test_counts_are_those_of_each_group_and_add_up():
    gold = ["B-NP", "I-NP", "O", "B-VP", "B-NP", "O"]
    found = ["B-NP", "I-NP", "O", "B-NP", "B-NP", "I-NP"]
    counts = chunk_counts(gold, found, np.array([0, 0, 0, 1, 1, 1]), np.array([1, 1, 1, 0, 0, 0]), 3)
    assert counts.tolist() == [[0, 1, 0], [2, 0, 0], [2, 0, 0]]
    assert float(f1(counts.sum(axis=1))) == pytest.approx(2 * 1 / (2 * 1 + 2 + 2))


@pytest.mark.parametrize(
    ("counts", "value"), [((0, 0, 0), 0.0), ((3, 0, 0), 1.0), ((0, 2, 1), 0.0), ((1, 1, 0), 2 / 3)]
)
def test_f1_of_known_counts(counts, value):
    assert float(f1(np.array(counts, dtype=float))) == pytest.approx(value)
