"""Other corpora beside the one that is fitted: scored by the same probes, and by nothing else touched."""

from dataclasses import replace
from pathlib import Path

import pytest

import probes
from probes.config import CorpusConfig, Run, parse
from probes.errors import ConfigError, CorpusError
from probes.report.table import format_markdown
from probes.types import Corpus
from tests.toy import make_tiny_corpus, write_treebank

FIT = {"epochs": 2, "min_steps": 30, "l2": [1e-4]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The same treebank twice, and one whose words are all tagged as verbs."""
    folder, corpus = tmp_path_factory.mktemp("treebanks"), make_tiny_corpus()
    for name in ("own", "same"):
        write_treebank(corpus, folder / name)
    verbs = [replace(one, columns={"upos": ("VERB",) * len(one.words)}) for one in corpus["test"]]
    write_treebank(Corpus("verbs", {"test": tuple(verbs)}), folder / "verbs")
    return folder


def settings(folder: Path, *names: str) -> CorpusConfig:
    beside = {name: {"path": f"{folder}/{name}/*.conllu"} for name in names}
    return parse(CorpusConfig, {"path": f"{folder}/own/*.conllu", "beside": beside}, where="test")


@pytest.fixture(scope="module")
def curves(folder, toy_bert, tmp_path_factory):
    """Without and with other corpora."""
    found = []
    for names in ((), ("same", "verbs")):
        corpus = probes.read_corpus(settings(folder, *names))
        cache = probes.encode(str(toy_bert), corpus, num_layers=2)
        found.append(probes.probe(cache, "pos", controls=["word_type"], draws=1, **FIT))
    return found


def test_the_same_text_has_the_scores_of_test(curves):
    record = curves[1].record
    for layer in range(3):
        (there,) = record.select(variant="task", layer=layer, split="test-same")
        (here,) = record.select(variant="task", layer=layer)
        assert (there.value, there.low, there.high) == pytest.approx((here.value, here.low, here.high))
        assert (there.n, there.groups) == (here.n, here.groups)
    for floor in ("majority", "word_majority"):
        (there,), (here,) = (record.select(variant=floor, layer=None, split=s) for s in ("test-same", "test"))
        assert there.value == pytest.approx(here.value)


def test_other_labels_are_told_from_those_of_the_first_corpus(curves):
    record = curves[1].record
    shares = record.supports["test"]["VERB"] / sum(record.supports["test"].values())
    for layer in range(3):
        (verbs,) = record.select(variant="task", layer=layer, split="test-verbs")
        assert verbs.value < shares + 0.2


def test_corpora_beside_change_nothing_of_the_first(curves):
    alone, beside = (
        [score for score in curve.record.scores if not score.split.startswith("test-")] for curve in curves
    )
    assert alone == beside


def test_table_shows_them(curves):
    lines = format_markdown([curves[1].record]).splitlines()
    place = lines.index("## The same probes on verbs")
    assert lines[place + 2].startswith("| layer |")
    assert any(line.startswith("Floors there: majority ") for line in lines[place:])


def test_path_of_a_corpus_beside_counts_by_its_name(folder):
    def run_id(path):
        corpus = {"path": "x.conllu", "beside": {"other": {"path": path}}}
        return parse(Run, {"corpus": corpus, "task": {"name": "pos"}}, where="test").run_id

    assert run_id("/here/y.conllu") == run_id("/there/y.conllu") != run_id("/there/z.conllu")


def test_corpus_beside_needs_a_test_split_and_a_plain_name(folder):
    config = settings(folder, "verbs")
    turned = config.model_copy(
        update={"beside": {"own": config.beside["verbs"].model_copy(update={"rename": {"test": "dev"}})}}
    )
    with pytest.raises(CorpusError) as error:
        probes.read_corpus(turned)
    assert str(error.value) == "Corpus '*.conllu' has no split 'test'; its splits are 'dev'. Ask for one of these."
    with pytest.raises(ConfigError, match="should match pattern"):
        parse(CorpusConfig, {"beside": {"no name": {}}}, where="test")
