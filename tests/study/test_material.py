"""One cache, many tasks: what is encoded depends on the sentences and the unit, never on the questions."""

from pathlib import Path

import pytest

import probes
from probes.config import CorpusConfig, parse
from probes.config.experiment import Experiment
from probes.errors import CorpusError
from probes.study.material import describe, read_sentences
from tests.watch import watch_texts

WORDS = ("pos", "head_direction", "feats.Number", "dependency_label", "dependency_edge")
SENTENCES = ("root_tense", "subject_number", "attribute.tense")
CHANGED = ("bigram_shift",)
FIT = {"epochs": 1, "min_steps": 2, "l2": [1e-4]}


def make_experiment(encoder: Path, tasks, **corpus) -> Experiment:
    settings = {
        "encoder": {"name": str(encoder), "num_layers": 1, "length": "truncate"},
        "corpus": {"reader": "grammar", "options": {"size": 300}, **corpus},
        "fit": FIT,
    }
    asked = [{"name": name} for name in tasks]
    return parse(Experiment, {"name": "many", "question": "?", "base": settings, "grid": {"task": asked}}, where="test")


@pytest.fixture
def read_texts(monkeypatch):
    """How many texts went through the encoder in each forward pass."""
    return watch_texts(monkeypatch)


@pytest.mark.usefixtures("no_report")
def test_all_tasks_read_one_cache_of_words_one_of_sentences_and_one_of_each_changed_text(
    toy_bert, tmp_path, monkeypatch, read_texts
):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    every = (*WORDS, *SENTENCES, *CHANGED)
    curves = probes.run(make_experiment(toy_bert, every), results=tmp_path / "results")
    assert [curve.record.task for curve in curves] == list(every)
    folders = [folder for folder in (tmp_path / "home" / "caches").iterdir() if not folder.name.startswith(".")]
    assert len(folders) == 3
    prints = {curve.record.task: curve.record.fingerprints.cache for curve in curves}
    assert len({prints[name] for name in WORDS}) == 1
    assert len({prints[name] for name in SENTENCES}) == 1
    assert len(set(prints.values())) == 3
    # Words, sentences, and the derived sentences; each model is checked for its padding on some texts more.
    num_sentences = 300
    assert 2.5 * num_sentences < sum(read_texts) < 3.6 * num_sentences
    read_texts.clear()
    more = make_experiment(toy_bert, ("column.upos", "dependency_arc_label", "object_number"))
    probes.run(more, results=tmp_path / "results")
    assert read_texts == []


def test_a_task_that_changes_the_text_is_asked_of_a_derived_corpus(toy_bert):
    runs = make_experiment(toy_bert, ("pos", "bigram_shift")).expand()
    plain, shifted = (read_sentences(run) for run in runs)
    assert (plain.name, shifted.name) == ("grammar", "grammar+bigram_shift")
    by_id = {one.id: one for one in plain["train"]}
    changed = [one for one in shifted["train"] if one.words != by_id[one.id].words]
    assert {one.attributes["label"] for one in changed} == {"shifted"}
    assert len(changed) == pytest.approx(len(shifted["train"]) / 2, abs=1)


def test_sentences_that_splits_share_are_in_the_record(toy_bert, tmp_path, monkeypatch):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    texts = ["one a", "two b", "three a", "four b", "ONE  A", "two b", "five a", "six b", "three a"]
    splits = ["train"] * 4 + ["dev"] * 2 + ["test"] * 3
    corpus = probes.from_lists(texts, ["x", "y"] * 2 + ["x", "y"] * 2 + ["x"], splits)
    assert describe(corpus).overlaps == {"dev in train": 2, "test in train": 1, "test in dev": 0}
    curve = probes.probe(probes.encode(str(toy_bert), corpus), "label", min_steps=2)
    assert curve.record.overlaps == {"dev in train": 2, "test in train": 1, "test in dev": 0}


def test_a_missing_dev_is_cut_and_splits_are_renamed_by_settings(tmp_path):
    for split in ("train", "dev"):
        rows = [f"{number % 2}\t{split} text {number}" for number in range(40)]
        (tmp_path / f"x-{split}.tsv").write_text("\n".join(["label\ttext", *rows]) + "\n")
    settings = {"reader": "table", "path": f"{tmp_path}/*.tsv", "rename": {"dev": "test"}, "dev_share": 0.25}
    corpus = probes.read_corpus(parse(CorpusConfig, settings, where="test"))
    assert {split: len(part) for split, part in corpus.splits.items()} == {"train": 30, "dev": 10, "test": 40}
    again = probes.read_corpus(parse(CorpusConfig, settings, where="test"))
    other = probes.read_corpus(parse(CorpusConfig, {**settings, "split_seed": 1}, where="test"))
    assert corpus == again
    assert [one.id for one in corpus["dev"]] != [one.id for one in other["dev"]]


def test_genres_come_from_the_names_of_documents(tmp_path):
    line = "1\ta\ta\tNOUN\tNN\t_\t0\troot\t_\t_\n\n"
    for split in ("train", "dev", "test"):
        text = f"# newdoc id = weblog-1-{split}\n{line}# newdoc id = email-2-{split}\n{line}"
        (tmp_path / f"t-{split}.conllu").write_text(text)
    settings = {"path": f"{tmp_path}/*.conllu", "options": {"genre": True}}
    corpus = probes.read_corpus(parse(CorpusConfig, settings, where="test"))
    assert [one.attributes["genre"] for one in corpus["test"]] == ["weblog", "email"]
    (tmp_path / "t-dev.conllu").write_text(f"# newdoc id = letter\n{line}")
    with pytest.raises(CorpusError) as caught:
        probes.read_corpus(parse(CorpusConfig, settings, where="test"))
    assert str(caught.value) == (
        "The document of sentence 't-dev-1' should say its genre before a hyphen, but is 'letter'. "
        "Leave corpus.options.genre out."
    )
