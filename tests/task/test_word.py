"""Word tasks: each row of the cache gets the label of its own word, whatever the order of either side."""

from dataclasses import replace

import numpy as np
import pytest

from probes.errors import TaskError
from probes.task import build_task
from probes.types import Corpus
from tests.task.conftest import index_sentences, index_words, replace_split
from tests.toy import make_corpus, sentence


def label_by_word(task, indexes, split):
    """{(sentence id, word): label} of a split, read back through the index of the cache."""
    rows, index = task.splits[split], indexes[split]
    owners = np.searchsorted(index.offsets, rows.index[:, 0], side="right") - 1
    keys = [(index.ids[owner], int(index.word[row])) for owner, row in zip(owners, rows.index[:, 0], strict=True)]
    return dict(zip(keys, (task.labels[label] for label in rows.labels), strict=True))


def annotation(corpus, split):
    return {(one.id, word): tag for one in corpus[split] for word, tag in enumerate(one.columns["upos"]) if tag != "_"}


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_every_word_has_the_label_of_the_corpus(corpus, split):
    indexes = index_words(corpus)
    assert label_by_word(build_task("pos", corpus, indexes), indexes, split) == annotation(corpus, split)


@pytest.mark.parametrize("side", ["corpus", "cache"])
def test_labels_join_by_id_when_one_side_is_shuffled(corpus, side):
    stream = np.random.default_rng(0)
    order = {split: stream.permutation(len(sentences)) for split, sentences in corpus.splits.items()}
    if side == "cache":
        shuffled, indexes = corpus, index_words(corpus, order=order)
    else:
        indexes = index_words(corpus)
        shuffled = Corpus("toy", {split: [corpus[split][k] for k in order[split]] for split in corpus.splits})
    task = build_task("pos", shuffled, indexes)
    for split in corpus.splits:
        assert label_by_word(task, indexes, split) == annotation(corpus, split)


def test_words_that_the_cache_lacks_do_not_shift_the_labels(corpus):
    indexes = index_words(corpus)
    full = indexes["train"]
    keep = np.random.default_rng(1).random(len(full.word)) < 0.6
    starts = np.concatenate([[0], np.cumsum(keep)])
    indexes["train"] = replace(
        full, offsets=starts[full.offsets], word=full.word[keep], types=full.types[keep]
    )  # as when words were cut or lost
    found = label_by_word(build_task("pos", corpus, indexes), indexes, "train")
    assert len(found) == keep.sum()
    assert found.items() <= annotation(corpus, "train").items()


def test_words_labelled_with_an_underscore_are_no_examples(corpus):
    first = sentence("train-x", "the dog sees a cat", "DET _ VERB _ NOUN")
    corpus = replace_split(corpus, "train", [first, *corpus["train"]])
    indexes = index_words(corpus)
    task = build_task("pos", corpus, indexes)
    assert task.splits["train"].index[:4, 0].tolist() == [0, 2, 4, 5]
    assert "_" not in task.labels
    assert label_by_word(task, indexes, "train") == annotation(corpus, "train")


def test_labels_are_numbered_in_alphabetical_order_over_all_splits(corpus):
    task = build_task("pos", corpus, index_words(corpus))
    assert task.labels == ("ADJ", "ADV", "CCONJ", "DET", "NOUN", "VERB")
    assert (task.name, task.unit) == ("pos", "word")


def test_groups_are_documents(corpus):
    indexes = index_words(corpus)
    rows = build_task("pos", corpus, indexes).splits["test"]
    owners = np.searchsorted(indexes["test"].offsets, rows.index[:, 0], side="right") - 1
    documents = np.array([corpus["test"][owner].group for owner in owners])
    assert len(np.unique(rows.groups)) == len(set(documents)) == 6
    assert all(len(set(documents[rows.groups == group])) == 1 for group in np.unique(rows.groups))
    assert sorted(set(rows.groups)) == list(range(6))


def test_a_sentence_without_a_group_is_its_own(corpus):
    alone = [replace(one, group="") for one in corpus["test"]]
    corpus = replace_split(corpus, "test", alone)
    rows = build_task("pos", corpus, index_words(corpus)).splits["test"]
    assert len(np.unique(rows.groups)) == len(alone)


def test_words_carry_the_codes_of_the_cache(corpus):
    indexes = index_words(corpus)
    rows = build_task("pos", corpus, indexes).splits["dev"]
    assert np.array_equal(rows.words, indexes["dev"].types)
    assert rows.index.shape == (len(rows), 1)


def test_word_label_reads_the_column_label(corpus):
    renamed = {
        split: [replace(one, columns={"label": one.columns["upos"]}) for one in part]
        for split, part in corpus.splits.items()
    }
    other = build_task("word_label", Corpus("toy", renamed), index_words(corpus))
    task = build_task("pos", corpus, index_words(corpus))
    for split in corpus.splits:
        assert np.array_equal(other.splits[split].labels, task.splits[split].labels)


def test_a_missing_column_is_named_with_its_sentence(corpus):
    bare = replace(corpus["dev"][3], columns={"xpos": corpus["dev"][3].columns["upos"], "lemma": ("x",) * 7})
    assert len(bare.words) == 7
    corpus = replace_split(corpus, "dev", [*corpus["dev"][:3], bare, *corpus["dev"][4:]])
    with pytest.raises(TaskError) as caught:
        build_task("pos", corpus, index_words(corpus))
    assert str(caught.value) == (
        "Task 'pos' needs the column 'upos', but sentence 'dev-3' of corpus 'toy' has 'xpos', 'lemma'. "
        "Use a corpus that is annotated so."
    )


@pytest.mark.parametrize("num_words", [1, 2, 7])
def test_a_sentence_that_is_shorter_than_in_the_cache_is_an_error(corpus, num_words):
    indexes, first = index_words(corpus), corpus["test"][0]
    assert len(first.words) == 8
    words, tags = " ".join(first.words[:num_words]), " ".join(first.columns["upos"][:num_words])
    short = sentence("test-0", words, tags, group=first.group)
    with pytest.raises(TaskError) as caught:
        build_task("pos", replace_split(corpus, "test", [short, *corpus["test"][1:]]), indexes)
    assert str(caught.value) == (
        f"The cache holds word 8 of sentence 'test-0', but the sentence has {num_words} words in corpus 'toy'. "
        f"Encode this corpus again."
    )


def test_sentence_vectors_are_refused(corpus):
    with pytest.raises(TaskError) as caught:
        build_task("pos", corpus, index_sentences(corpus))
    assert str(caught.value) == (
        "Task 'pos' reads word vectors, but the cache holds sentence vectors. Encode with unit='word'."
    )


def test_building_twice_gives_the_same_rows():
    first, second = (build_task("pos", corpus, index_words(corpus)) for corpus in (make_corpus(), make_corpus()))
    for split, rows in first.splits.items():
        other = second.splits[split]
        for name in ("index", "labels", "groups", "words"):
            assert np.array_equal(getattr(rows, name), getattr(other, name))
