"""Tasks with one label for each word."""

from collections.abc import Callable, Mapping, Sequence

from probes.errors import TaskError, list_names
from probes.task.example import Example, make_task
from probes.task.join import check_splits, join_words
from probes.types import Corpus, RowIndex, Sentence, Task, Tree

NO_LABEL = "_"

Labeller = Callable[[str, Sentence, Corpus], Sequence[str]]
"""The labels of a sentence's words for the task of that name; `_` where a word is no example."""


def label_words(
    name: str,
    labels: str | Labeller,
    corpus: Corpus,
    indexes: Mapping[str, RowIndex],
    *,
    min_support: int = 0,
    scorer: str | None = None,
) -> Task:
    """A task over words, labelled by an annotation column or by a function; a word labelled `_` is no example."""
    check_splits(name, corpus, indexes)
    find = read_column(labels) if isinstance(labels, str) else labels
    examples = {
        split: [
            Example((row,), sentence, values[word], word=row)
            for sentence, rows in join_words(name, corpus, split, index)
            for values in [find(name, sentence, corpus)]
            for word, row in rows.items()
            if values[word] != NO_LABEL
        ]
        for split, index in indexes.items()
    }
    return make_task(name, "word", indexes, examples, min_support=min_support, scorer=scorer)


def read_column(column: str) -> Labeller:
    """Labels as an annotation column has them."""

    def read(name: str, sentence: Sentence, corpus: Corpus) -> Sequence[str]:
        return find_column(name, column, sentence, corpus)

    return read


def read_feature(feature: str) -> Labeller:
    """The value of one morphological feature of Universal Dependencies; a word without it is no example.

    >>> word = Sentence("s", ("ran",), columns={"feats": ("Mood=Ind|Tense=Past",)})
    >>> read_feature("Tense")("feats.Tense", word, Corpus("c", {}))
    ['Past']
    """

    def read(name: str, sentence: Sentence, corpus: Corpus) -> Sequence[str]:
        values = find_column(name, "feats", sentence, corpus)
        return [parse_features(value).get(feature, NO_LABEL) for value in values]

    return read


def read_relation(name: str, sentence: Sentence, corpus: Corpus) -> Sequence[str]:
    """The relation of each word to its head."""
    return find_tree(name, sentence, corpus).relations


def read_head_direction(name: str, sentence: Sentence, corpus: Corpus) -> Sequence[str]:
    """Whether the head of each word stands to the left or to the right, or the word is the root.

    >>> sentence = Sentence("s", ("she", "ran", "away"), tree=Tree((2, 0, 2), ("nsubj", "root", "advmod")))
    >>> read_head_direction("head_direction", sentence, Corpus("c", {}))
    ['right', 'root', 'left']
    """
    heads = find_tree(name, sentence, corpus).heads
    return ["root" if head == 0 else "left" if head <= word else "right" for word, head in enumerate(heads)]


def find_column(name: str, column: str, sentence: Sentence, corpus: Corpus) -> Sequence[str]:
    """An annotation column of a sentence; raises TaskError if there is none."""
    if column not in sentence.columns:
        raise TaskError(
            f"Task {name!r} needs the column {column!r}, but sentence {sentence.id!r} of corpus "
            f"{corpus.name!r} has {list_names(column, sentence.columns)}. Use a corpus that is annotated so."
        )
    return sentence.columns[column]


def find_tree(name: str, sentence: Sentence, corpus: Corpus) -> Tree:
    """The tree of a sentence; raises TaskError if there is none."""
    if sentence.tree is None:
        raise TaskError(
            f"Task {name!r} needs dependency trees, but sentence {sentence.id!r} of corpus {corpus.name!r} has none. "
            f"Use a treebank."
        )
    return sentence.tree


def parse_features(value: str) -> dict[str, str]:
    """The morphological features of a word by name.

    >>> parse_features("Mood=Ind|Tense=Past")
    {'Mood': 'Ind', 'Tense': 'Past'}
    """
    pairs = (pair.partition("=") for pair in value.split("|"))
    return {key: found for key, _, found in pairs if found}
