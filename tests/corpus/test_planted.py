"""The corpus `planted`: labels by their definitions, and coins that are fair."""

import numpy as np
import pytest

import probes
from probes.corpus.planted import generate_planted
from probes.errors import CorpusError
from probes.planted import BITS, LONGEST, SHORTEST, word_bits, word_names, word_shares

BIT = {name: dict(zip(word_names(), bits.tolist(), strict=True)) for name, bits in zip(BITS, word_bits(), strict=True)}


@pytest.fixture(scope="module")
def corpus():
    return probes.read_corpus("planted")


def test_labels_are_what_they_are_said_to_be(corpus):
    for one in corpus["train"]:
        words, columns = one.words, one.columns
        for place, word in enumerate(words):
            assert columns["word"][place] == str(BIT["kind"][word])
            assert columns["position"][place] == str(int(place < 4))
            assert columns["length"][place] == str(int(len(words) >= 9))
            before = BIT["source"][words[place - 1]] if place else None
            assert columns["context"][place] == ("_" if before is None else str(before))
            expected = "_" if before is None else str(int(before == BIT["own"][word]))
            assert columns["parity"][place] == expected


def test_each_word_hangs_on_its_nearest_word_with_the_role_and_those_on_the_root(corpus):
    for one in corpus["dev"]:
        roles = [BIT["role"][word] for word in one.words]
        assert (roles[0], one.tree.heads[0]) == (1, 0)
        for place in range(1, len(roles)):
            before = [number for number in range(place) if roles[number]]
            assert one.tree.heads[place] == (1 if roles[place] else before[-1] + 1)


def test_context_and_parity_are_fair_coins_for_every_word_and_place():
    """Exactly, by the words' shares: of the word before, and of it given that it is the first."""
    source, own, _, role = word_bits()
    shares = word_shares()
    first = role * shares / (role @ shares)
    for drawn in (shares, first):
        assert drawn @ source == pytest.approx(0.5, abs=1e-12)
        for bit in (0, 1):
            assert drawn @ (source == bit) == pytest.approx(0.5, abs=1e-12)
    assert own.mean() == 0.5


def test_splits_sizes_lengths_and_documents(corpus):
    assert {split: len(part) for split, part in corpus.splits.items()} == {"train": 2400, "dev": 300, "test": 300}
    lengths = {len(one.words) for part in corpus.splits.values() for one in part}
    assert lengths == set(range(SHORTEST, LONGEST + 1))
    assert max(np.unique([one.group for one in corpus["test"]], return_counts=True)[1]) == 5
    assert generate_planted(60, seed=1) == generate_planted(60, seed=1) != generate_planted(60, seed=2)


def test_too_small_a_corpus_is_told():
    with pytest.raises(CorpusError) as error:
        generate_planted(20)
    assert str(error.value) == (
        "The corpus 'planted' needs at least 30 sentences to fill train, dev and test, but got size=20 in "
        "generate_planted(). Ask for size=30 or more."
    )
