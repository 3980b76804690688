"""What no task can mean is refused, each with one whole message."""

from dataclasses import replace

import pytest

from probes.errors import CorpusError, TaskError, list_names
from probes.task import build_task, unit_of
from probes.task.word import label_words
from probes.types import Corpus
from tests.task.conftest import index_words, replace_split
from tests.toy import KNOWN_TASKS, sentence


def message(corpus, indexes=None, name="pos", error=TaskError):
    with pytest.raises(error) as caught:
        build_task(name, corpus, indexes or index_words(corpus))
    assert type(caught.value) is error
    return str(caught.value)


def test_a_sentence_missing_in_the_corpus_is_an_error(corpus):
    fewer = replace_split(corpus, "dev", [one for one in corpus["dev"] if one.id != "dev-5"])
    assert message(fewer, index_words(corpus)) == (
        "Corpus 'toy' and the cache should hold the same sentences in split 'dev', but sentence 'dev-5' is in the "
        "cache and not in the corpus. Encode this corpus again."
    )


def test_a_sentence_missing_in_the_cache_is_an_error(corpus):
    fewer = replace_split(corpus, "dev", [one for one in corpus["dev"] if one.id != "dev-5"])
    assert message(corpus, index_words(fewer)) == (
        "Corpus 'toy' and the cache should hold the same sentences in split 'dev', but sentence 'dev-5' is in the "
        "corpus and not in the cache. Encode this corpus again."
    )


def test_a_sentence_in_another_split_is_an_error(corpus):
    moved = replace_split(corpus, "dev", [*corpus["dev"][1:], corpus["test"][0]])
    assert message(moved, index_words(corpus)) == (
        "Corpus 'toy' and the cache should hold the same sentences in split 'dev', but sentence 'dev-0' is in the "
        "cache and not in the corpus. Encode this corpus again."
    )


def test_an_id_that_comes_twice_is_an_error(corpus):
    twice = replace_split(corpus, "dev", [*corpus["dev"], corpus["dev"][2]])
    expected = (
        "Every sentence of corpus 'toy' should have an id of its own, but 'dev-2' comes again in split 'dev'. "
        "Rename one of them."
    )
    assert message(twice) == expected
    assert message(twice, index_words(corpus)) == expected


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_missing_split_is_an_error(corpus, split):
    rest = {name: part for name, part in corpus.splits.items() if name != split}
    assert message(Corpus("toy", rest)) == (
        f"Task 'pos' needs the splits train, dev and test, but corpus 'toy' has {', '.join(sorted(rest))}: {split} is "
        f"missing. Settings are chosen on dev and scores are read on test, so cut the missing one from train."
    )


def test_a_split_that_only_the_cache_has_is_an_error(corpus):
    indexes = index_words(corpus)
    assert message(corpus, {**indexes, "extra": indexes["dev"]}, error=CorpusError) == (
        "Corpus 'toy' has no split 'extra'; its splits are 'train', 'test', 'dev'. Ask for one of these."
    )


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_a_split_without_examples_is_an_error(corpus, split):
    bare = [replace(one, columns={"upos": ("_",) * len(one.words)}) for one in corpus[split]]
    assert message(replace_split(corpus, split, bare)) == (
        f"Task 'pos' needs examples in split '{split}' of corpus 'toy', but there are none. Check the annotation there."
    )


def test_an_empty_split_is_an_error(corpus):
    assert message(replace_split(corpus, "test", [])) == (
        "Task 'pos' needs examples in split 'test' of corpus 'toy', but there are none. Check the annotation there."
    )


def test_one_class_only_is_an_error(corpus):
    same = [replace(one, columns={"upos": ("X",) * len(one.words)}) for one in corpus["train"]]
    num_words = sum(len(one.words) for one in same)
    assert message(replace_split(corpus, "train", same)) == (
        f"Task 'pos' needs at least two labels in the train split of corpus 'toy', but all {num_words} examples have "
        f"'X'. Check the annotation."
    )


@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_label_that_training_never_shows_is_an_error(corpus, split):
    strange = [sentence("s-0", "wow oh wow", "INTJ X INTJ"), sentence("s-1", "the dog", "DET NOUN")]
    assert message(replace_split(corpus, split, [*corpus[split], *strange])) == (
        f"Task 'pos' should meet every label in train, but 'INTJ' comes only in split '{split}' of corpus 'toy' "
        f"(2 times; 2 such labels). Merge these labels, or leave their sentences out."
    )


def test_a_label_that_only_training_has_is_none(corpus):
    more = [*corpus["train"], sentence("s-0", "wow oh", "INTJ X")]
    assert "INTJ" in build_task("pos", *with_index(replace_split(corpus, "train", more))).labels


def with_index(corpus):
    return corpus, index_words(corpus)


def test_an_unknown_task_lists_the_known_ones_nearest_first(corpus):
    expected = (
        f"Unknown task 'word_lable'. Known tasks are {list_names('word_lable', KNOWN_TASKS)}. "
        "Choose one of these, or offer your own as an entry point 'probes.tasks'."
    )
    assert "Known tasks are 'word_label', " in expected
    assert message(corpus, name="word_lable") == expected
    with pytest.raises(TaskError) as caught:
        unit_of("word_lable")
    assert str(caught.value) == expected


class InstalledTask:
    """A user's own task, as an entry point loads it."""

    unit = "word"

    def __call__(self, name, corpus, indexes):
        return label_words(name, "upos", corpus, indexes)


def test_a_task_of_another_package_is_found_and_passes_the_same_checks(corpus, monkeypatch):
    class Point:
        name = "my_task"

        def load(self):
            return InstalledTask()

    monkeypatch.setattr("probes.task.build.entry_points", lambda group: [Point()] if group == "probes.tasks" else [])
    assert unit_of("my_task") == "word"
    assert build_task("my_task", *with_index(corpus)).name == "my_task"
    assert message(replace_split(corpus, "test", []), name="my_task") == (
        "Task 'my_task' needs examples in split 'test' of corpus 'toy', but there are none. Check the annotation there."
    )
