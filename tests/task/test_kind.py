"""What the names of tasks mean: features, heads, relations, columns and attributes."""

from dataclasses import replace

import pytest

from probes.corpus.grammar import generate
from probes.errors import TaskError
from probes.task import build_task, derivation_of, unit_of
from probes.types import Corpus, Sentence
from tests.task.conftest import index_sentences, index_words, replace_split


@pytest.fixture(scope="module")
def grammar() -> Corpus:
    return generate(size=300)


def answers(task, split):
    rows = task.splits[split]
    return list(zip(rows.index[:, 0].tolist(), [task.labels[label] for label in rows.labels], strict=True))


def wanted(corpus, split, read):
    """(row, label) of every word for which `read` gives a label; rows are words in the order of the corpus."""
    values = [value for one in corpus[split] for value in read(one)]
    return [(row, value) for row, value in enumerate(values) if value is not None]


def of_feature(feature):
    def read(sentence):
        parsed = [
            dict(part.split("=") for part in value.split("|") if "=" in part) for value in sentence.columns["feats"]
        ]
        return [one.get(feature) for one in parsed]

    return read


@pytest.mark.parametrize("feature", ["Tense", "Number", "VerbForm", "Person"])
def test_a_feature_is_that_of_the_generator(grammar, feature):
    task = build_task(f"feats.{feature}", grammar, index_words(grammar))
    for split in grammar.splits:
        assert answers(task, split) == wanted(grammar, split, of_feature(feature))
    assert task.name == f"feats.{feature}"


def test_relations_are_those_of_the_tree_without_the_rare_ones(grammar):
    task = build_task("dependency_label", grammar, index_words(grammar))
    for split in grammar.splits:
        every = wanted(grammar, split, lambda one: one.tree.relations)
        assert answers(task, split) == [pair for pair in every if pair[1] in task.labels]
        assert task.left_out.get(split, 0) == len(every) - len(task.splits[split])


def test_the_direction_of_a_head_is_where_it_stands(grammar):
    def read(sentence):
        places = enumerate(sentence.tree.heads, start=1)
        return ["root" if head == 0 else "right" if head > word else "left" for word, head in places]

    task = build_task("head_direction", grammar, index_words(grammar))
    for split in grammar.splits:
        assert answers(task, split) == wanted(grammar, split, read)


def test_any_column_and_any_attribute_can_be_asked(grammar):
    column = build_task("column.upos", grammar, index_words(grammar))
    pos = build_task("pos", grammar, index_words(grammar))
    shown = [pair for pair in answers(pos, "test") if pair[1] in column.labels]
    assert answers(column, "test") == shown
    attribute = build_task("attribute.tense", grammar, index_sentences(grammar))
    assert answers(attribute, "test") == [
        (row, one.attributes["tense"]) for row, one in enumerate(grammar["test"]) if "tense" in one.attributes
    ]


def rare(num_train: int) -> Corpus:
    """Tags of which `Z` comes so often in train, and twice in test."""

    def words(split: str, count: int) -> Sentence:
        tags = (*("X", "Y") * 10, *("Z",) * count)
        return Sentence(split, tuple(f"w{number}" for number in range(len(tags))), columns={"xpos": tags})

    return Corpus(
        "rare", {"train": (words("train", num_train),), "dev": (words("dev", 0),), "test": (words("test", 2),)}
    )


@pytest.mark.parametrize(("num_train", "left_out"), [(10, {}), (9, {"train": 9, "dev": 0, "test": 2})])
def test_labels_below_ten_examples_in_train_are_left_out_and_counted(num_train, left_out):
    task = build_task("xpos", rare(num_train), index_words(rare(num_train)))
    assert dict(task.left_out) == left_out
    assert task.labels == (("X", "Y") if left_out else ("X", "Y", "Z"))
    assert len(task.splits["test"]) == (20 if left_out else 22)


@pytest.mark.parametrize("name", ["feats.", "column.", "feats", "features.Tense"])
def test_a_name_that_says_no_feature_is_unknown(name):
    with pytest.raises(TaskError) as caught:
        unit_of(name)
    assert str(caught.value).startswith(f"Unknown task {name!r}. Known tasks are ")
    assert "'feats.NAME'" in str(caught.value)


def test_genres_are_subsets_of_each_split(grammar):
    marked = {
        split: tuple(
            replace(one, attributes={**one.attributes, "genre": "ab"[number % 2]}) for number, one in enumerate(part)
        )
        for split, part in grammar.splits.items()
    }
    rows = build_task("attribute.tense", Corpus("g", marked), index_sentences(grammar)).splits["test"]
    assert list(rows.subsets) == ["genre:a", "genre:b"]
    assert (rows.subsets["genre:a"] != rows.subsets["genre:b"]).all()
    assert rows.subsets["genre:a"].tolist() == [row % 2 == 0 for row in rows.index[:, 0]]


def test_sentences_have_their_length_text_and_root(grammar):
    indexes = index_sentences(grammar)
    rows = build_task("attribute.tense", grammar, indexes).splits["dev"]
    sentences = [grammar["dev"][row] for row in rows.index[:, 0]]
    assert rows.surface["length"].tolist() == [len(one.words) for one in sentences]
    assert rows.texts == tuple(" ".join(one.words) for one in sentences)
    lemmas = [one.columns["lemma"][one.tree.heads.index(0)].lower() for one in sentences]
    pairs = set(zip(rows.words.tolist(), lemmas, strict=True))
    assert len(pairs) == len(set(lemmas)) == len(set(rows.words.tolist()))


def test_chunks_know_their_sentence_and_may_have_tags_that_train_lacks():
    def part(split, tags):
        return tuple(
            Sentence(f"{split}-{number}", ("w",) * len(one.split()), columns={"chunk": tuple(one.split())})
            for number, one in enumerate(tags)
        )

    corpus = Corpus(
        "chunks",
        {
            "train": part("train", ["B-NP I-NP", "B-VP O"]),
            "dev": part("dev", ["B-NP O"]),
            "test": part("test", ["B-NP I-NP O", "O", "B-VP I-LST"]),
        },
    )
    task = build_task("chunk", corpus, index_words(corpus))
    assert task.splits["test"].sequence.tolist() == [0, 0, 0, 1, 2, 2]
    assert task.scorer == "chunk_f1"
    assert "I-LST" in task.labels
    assert not task.left_out


def test_only_tasks_that_change_the_text_have_a_derived_corpus():
    assert [derivation_of(name) for name in ("pos", "label", "bigram_shift", "odd_man_out")] == [
        None,
        None,
        "bigram_shift",
        "odd_man_out",
    ]


def test_a_task_that_needs_a_tree_says_so(grammar):
    bare = replace(grammar["test"][2], tree=None)
    corpus = replace_split(grammar, "test", [*grammar["test"][:2], bare, *grammar["test"][3:]])
    for name in ("head_direction", "dependency_label"):
        with pytest.raises(TaskError) as caught:
            build_task(name, corpus, index_words(corpus))
        assert str(caught.value) == (
            f"Task {name!r} needs dependency trees, but sentence {bare.id!r} of corpus 'grammar' has none. "
            f"Use a treebank."
        )


def test_a_task_that_changes_the_text_refuses_a_corpus_as_it_is():
    """A corpus may have labels of its own, which are another question."""
    labelled = {
        split: tuple(Sentence(f"{split}-{n}", text=f"text {n}", attributes={"label": "xy"[n % 2]}) for n in range(4))
        for split in ("train", "dev", "test")
    }
    corpus = Corpus("texts", labelled)
    indexes = index_sentences(corpus)
    with pytest.raises(TaskError) as caught:
        build_task("odd_man_out", corpus, indexes)
    assert str(caught.value) == (
        "Task 'odd_man_out' is asked of sentences that are changed for it, but corpus 'texts' has them as they are. "
        "Encode probes.derive(corpus, 'odd_man_out')."
    )
    assert build_task("odd_man_out", Corpus("texts+odd_man_out", labelled), indexes).labels == ("x", "y")


def test_attributes_and_official_labels_that_train_lacks_are_kept():
    texts = {"train": "xyxy", "dev": "xy", "test": "xyz"}
    corpus = Corpus(
        "texts",
        {
            split: tuple(
                Sentence(f"{split}-{n}", text="t", attributes={"fine": label}) for n, label in enumerate(labels)
            )
            for split, labels in texts.items()
        },
    )
    task = build_task("attribute.fine", corpus, index_sentences(corpus))
    assert task.labels == ("x", "y", "z")
    assert not task.left_out
    assert len(task.splits["test"]) == 3
