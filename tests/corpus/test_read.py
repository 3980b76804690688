"""Readers by name, their options, and the hash of what they read."""

from dataclasses import replace

import pytest

from probes.config import CorpusConfig
from probes.corpus import corpus_hash, read_corpus
from probes.errors import ConfigError, CorpusError
from probes.types import Corpus, Tree
from tests.toy import make_corpus, make_tiny_corpus, write_treebank


def test_treebank_that_was_written_is_read_back(tmp_path):
    made = make_tiny_corpus()
    read = read_corpus(f"{write_treebank(made, tmp_path)}/*.conllu")
    assert list(read.splits) == ["train", "dev", "test"]
    for split, sentences in made.splits.items():
        assert [(one.id, one.words, one.group, one.tree) for one in read[split]] == [
            (one.id, one.words, one.group, one.tree) for one in sentences
        ]
        assert [one.columns["upos"] for one in read[split]] == [one.columns["upos"] for one in sentences]


def test_absolute_path_counts_by_its_last_name(tmp_path):
    assert read_corpus(f"{write_treebank(make_corpus(), tmp_path)}/*.conllu").name == "*.conllu"


def test_grammar_takes_its_options():
    corpus = read_corpus(CorpusConfig(reader="grammar", options={"size": 60, "seed": 1}))
    assert 0 < sum(len(part) for part in corpus.splits.values()) <= 70
    assert corpus_hash(corpus) != corpus_hash(read_corpus(CorpusConfig(reader="grammar", options={"size": 60})))


@pytest.mark.parametrize(
    ("config", "kind", "message"),
    [
        (
            CorpusConfig(reader="conlu", path="x"),
            ConfigError,
            "Unknown reader 'conlu'. Known readers are 'conllu', 'columns', 'senteval', 'questions', 'plain', "
            "'table', 'planted', 'edges', 'grammar', 'pairs'. "
            "Choose one of these, or offer your own as an entry point 'probes.readers'.",
        ),
        (
            CorpusConfig(reader="conllu", path="x", options={"pth": 1}),
            ConfigError,
            "Reader 'conllu' has no option 'pth'; its options are 'path', 'genre'. Rename it.",
        ),
        (
            CorpusConfig(reader="grammar", options={"sizes": 1}),
            ConfigError,
            "Reader 'grammar' has no option 'sizes'; its options are 'size', 'seed'. Rename it.",
        ),
        (CorpusConfig(), CorpusError, "Reader 'conllu' needs corpus.path, but it is not given. Add it."),
    ],
)
def test_mistake_is_one_message(config, kind, message):
    with pytest.raises(kind) as caught:
        read_corpus(config)
    assert str(caught.value) == message
    assert caught.value.exit_code == 2


def test_unknown_split_names_those_that_are_there():
    with pytest.raises(CorpusError) as caught:
        make_corpus()["tset"]
    assert str(caught.value) == (
        "Corpus 'toy' has no split 'tset'; its splits are 'test', 'dev', 'train'. Ask for one of these."
    )


def change(**fields):
    """The toy corpus with the first sentence of test changed."""
    corpus = make_corpus()
    first, *others = corpus["test"]
    return Corpus("toy", {**corpus.splits, "test": (replace(first, **fields), *others)})


FIRST = make_corpus()["test"][0]
CHANGES = {
    "id": {"id": "other"},
    "words": {"words": ("A", *FIRST.words[1:])},
    "text": {"text": "other"},
    "pair": {"pair": "other"},
    "group": {"group": "other"},
    "columns": {"columns": {"upos": ("X", *FIRST.columns["upos"][1:])}},
    "column names": {"columns": {"xpos": FIRST.columns["upos"]}},
    "attributes": {"attributes": {"label": "good"}},
    "heads": {"tree": Tree((2, *FIRST.tree.heads[1:]), FIRST.tree.relations)},
    "relations": {"tree": Tree(FIRST.tree.heads, ("x", *FIRST.tree.relations[1:]))},
    "no tree": {"tree": None},
}


@pytest.mark.parametrize("fields", CHANGES.values(), ids=CHANGES)
def test_corpus_hash_changes_with_every_field(fields):
    assert corpus_hash(change(**fields)) != corpus_hash(make_corpus())


def test_corpus_hash_is_that_of_the_content_alone():
    corpus = make_corpus()
    assert corpus_hash(Corpus("other name", corpus.splits)) == corpus_hash(make_corpus())
    moved = {"train": corpus["dev"], "dev": corpus["train"], "test": corpus["test"]}
    assert corpus_hash(Corpus("toy", moved)) != corpus_hash(corpus)
    fewer = {**corpus.splits, "test": corpus["test"][:-1]}
    assert corpus_hash(Corpus("toy", fewer)) != corpus_hash(corpus)
