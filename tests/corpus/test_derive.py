"""Derived corpora: half of the sentences are changed as the rule says, all else is as it was."""

from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from probes.corpus.derive import DERIVED, derive
from probes.corpus.grammar import generate
from probes.corpus.read import read_corpus
from probes.errors import CorpusError
from probes.types import Corpus, Sentence
from tests.parsed import copies, only_train, parsed

GRAMMAR = generate(size=1000)
LABELS = {"bigram_shift": "shifted", "coordination_inversion": "inverted", "odd_man_out": "odd"}
NAMES = sorted(LABELS)
ONE = parsed("s-1", "He/PRON/2/nsubj left/VERB/0/root")


def lowered(words: tuple[str, ...]) -> list[str]:
    return sorted(word.lower() for word in words)


def test_every_name_is_tested():
    assert sorted(DERIVED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_half_of_each_split_is_changed_and_all_else_is_kept(name):
    derived = derive(GRAMMAR, name)
    assert derived.name == f"grammar+{name}"
    assert list(derived.splits) == ["train", "dev", "test"]
    for split, sentences in derived.splits.items():
        sources = {one.id: one for one in GRAMMAR[split]}
        assert [one.id for one in sentences] == [key for key in sources if key in {one.id for one in sentences}]
        labels = Counter(one.attributes["label"] for one in sentences)
        assert labels == {"original": (len(sentences) + 1) // 2, LABELS[name]: len(sentences) // 2}
        for one in sentences:
            is_original = one.attributes["label"] == "original"
            assert (one.words == sources[one.id].words) == is_original
            label = {"label": one.attributes["label"]}
            assert one == Sentence(one.id, one.words, group=sources[one.id].group, attributes=label)


@pytest.mark.parametrize("name", ["bigram_shift", "coordination_inversion"])
def test_another_order_has_the_same_words(name):
    for split, sentences in derive(GRAMMAR, name).splits.items():
        sources = {one.id: one for one in GRAMMAR[split]}
        assert all(lowered(one.words) == lowered(sources[one.id].words) for one in sentences)


def test_odd_words_are_single_and_of_the_same_kind_in_train():
    known = {
        (word.lower(), upos, feats)
        for one in GRAMMAR["train"]
        for word, upos, feats in zip(one.words, one.columns["upos"], one.columns["feats"], strict=True)
    }
    sources = {one.id: one for one in GRAMMAR["test"]}
    odd = [one for one in derive(GRAMMAR, "odd_man_out")["test"] if one.attributes["label"] == "odd"]
    assert len(odd) > 30
    for one in odd:
        source = sources[one.id]
        places = [place for place, word in enumerate(one.words) if word != source.words[place]]
        assert len(places) == 1
        assert source.columns["upos"][places[0]] in ("NOUN", "VERB")
        kind = (source.columns["upos"][places[0]], source.columns["feats"][places[0]])
        assert (one.words[places[0]].lower(), *kind) in known


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_one_draw(name):
    assert derive(GRAMMAR, name, 3).splits == derive(GRAMMAR, name, 3).splits
    assert derive(GRAMMAR, name, 3)["train"] != derive(GRAMMAR, name, 4)["train"]


@pytest.mark.parametrize("name", NAMES)
def test_another_sentence_in_dev_does_not_change_train(name):
    more = (replace(GRAMMAR["test"][0], id="one-more"), *GRAMMAR["dev"])
    larger = Corpus("grammar", {**GRAMMAR.splits, "dev": more})
    for split in ("train", "test"):
        assert derive(larger, name)[split] == derive(GRAMMAR, name)[split]


@pytest.mark.parametrize(("num_words", "is_used"), [(4, False), (5, True), (50, True), (51, False)])
@pytest.mark.parametrize("name", ["bigram_shift", "odd_man_out"])
def test_short_and_long_sentences_are_left_out(name, num_words, is_used):
    usual = [f"w{n}/NOUN/0/x" for n in range(5)]
    line = [f"w{n % 7}/NOUN/0/x" for n in range(num_words)]
    sentences = (*copies(" ".join(usual), 4), parsed("long", " ".join(line)))
    derived = derive(only_train(sentences), name)["train"]
    assert ("long" in {one.id for one in derived}) == is_used
    assert len(derived) == 4 + is_used


def test_splits_are_drawn_apart():
    part = copies("a/X/0/x b/X/0/x c/X/0/x d/X/0/x e/X/0/x", 40)
    derived = derive(Corpus("made", {"train": part, "dev": part}), "bigram_shift")
    assert derived["train"] != derived["dev"]


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(CorpusError) as caught:
        derive(GRAMMAR, "odd_man")
    assert str(caught.value) == (
        "No derived corpus is called 'odd_man', which was asked for corpus 'grammar'. Known names are "
        "'odd_man_out', 'coordination_inversion', 'bigram_shift'. Choose one of these."
    )


@pytest.mark.parametrize(
    ("name", "column"), [("bigram_shift", "upos"), ("odd_man_out", "feats"), ("coordination_inversion", "upos")]
)
def test_a_missing_column_is_named(name, column):
    left = {key: values for key, values in ONE.columns.items() if key != column}
    with pytest.raises(CorpusError) as caught:
        derive(only_train([replace(ONE, columns=left)]), name)
    assert str(caught.value) == (
        f"The derived corpus {name!r} needs the column {column!r}, but sentence 's-1' of corpus 'made' has "
        f"{next(iter(left))!r}. Use a corpus that is annotated so."
    )


def test_a_missing_tree_is_named():
    with pytest.raises(CorpusError) as caught:
        derive(only_train([replace(ONE, tree=None)]), "coordination_inversion")
    assert str(caught.value) == (
        "The derived corpus 'coordination_inversion' needs dependency trees, but sentence 's-1' of corpus 'made' "
        "has none. Use a treebank."
    )


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("bigram_shift", "5 to 50 words and two neighbours that differ"),
        ("odd_man_out", "5 to 50 words and a noun or verb for which train has another one"),
        ("coordination_inversion", "two coordinated clauses"),
    ],
)
def test_a_split_without_a_usable_sentence_is_named(name, needs):
    short = (parsed("s-1", "Dogs/NOUN/0/root"),)
    corpus = Corpus("grammar", {**GRAMMAR.splits, "dev": short})
    with pytest.raises(CorpusError) as caught:
        derive(corpus, name)
    assert str(caught.value) == (
        f"The derived corpus {name!r} needs sentences with {needs}, but split 'dev' of corpus 'grammar' has none "
        f"among 1. Leave the split out, or derive from another corpus."
    )


# Original and changed sentences of train, dev and test.
SUPPORTS = {
    "bigram_shift": [(5148, 5147), (756, 755), (754, 754)],
    "coordination_inversion": [(427, 427), (48, 48), (47, 47)],
    "odd_man_out": [(4871, 4871), (707, 707), (679, 678)],
}


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_supports_on_a_real_treebank(corpus_data: Path, name):
    derived = derive(read_ewt(corpus_data), name)
    labels = [Counter(one.attributes["label"] for one in derived[split]) for split in ("train", "dev", "test")]
    assert [(found["original"], found[LABELS[name]]) for found in labels] == SUPPORTS[name]


@cache
def read_ewt(folder: Path) -> Corpus:
    return read_corpus(str(folder / "ud-english-ewt" / "en_ewt-ud-*.conllu"))
