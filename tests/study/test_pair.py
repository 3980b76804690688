"""Minimal pairs from their file to their score: what the words tell is learned, and what nothing tells is not."""

import json

import numpy as np
import pytest

import probes
from probes.config import CorpusConfig
from probes.corpus import read_corpus
from tests.small import WORDS

SIZE = 60


def write_pairs(folder, is_told: bool) -> str:
    """Four paradigms of pairs; the good sentence ends in another word than the bad one, if anything tells it."""
    stream = np.random.default_rng(0)
    for paradigm in range(4):
        rows = []
        for number in range(SIZE):
            words = stream.choice(WORDS, size=5).tolist()
            ends = ("dog", "cat") if is_told or stream.integers(2) else ("cat", "dog")
            good, bad = (" ".join([*words, end]) for end in ends)
            names = {"linguistics_term": "end", "UID": f"paradigm_{paradigm}", "pairID": str(number)}
            rows.append(json.dumps({"sentence_good": good, "sentence_bad": bad, **names}))
        (folder / f"paradigm_{paradigm}.jsonl").write_text("\n".join(rows) + "\n")
    return str(folder)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_difference_that_holds_in_all_paradigms_is_learned_and_one_by_chance_is_not(
    toy_bert, tmp_path, monkeypatch, is_told
):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "home"))
    (tmp_path / "pairs").mkdir()
    corpus = read_corpus(CorpusConfig(reader="pairs", path=write_pairs(tmp_path / "pairs", is_told)))
    cache = probes.encode(str(toy_bert), corpus, sentence="mean")
    curve = probes.probe(cache, "minimal_pair", min_steps=200)
    floors = {name: curve.record.select(variant=name)[0].value for name in ("majority", "bag_of_words", "bigrams")}
    dev = [score.value for score in curve.record.select(variant="task", split="dev")]
    assert floors["majority"] == 0.5
    if is_told:
        assert min(curve.accuracy[0] or 0, dev[0] or 0) > 0.95
        assert min(floors["bag_of_words"], floors["bigrams"]) > 0.95
    else:
        assert max(value for value in curve.accuracy if value) < 0.75
        assert floors["bag_of_words"] < 0.75
    assert curve.record.select(variant="task")[0].groups == SIZE
