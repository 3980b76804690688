"""Tasks with one label for each word."""

from collections.abc import Mapping

from probes.errors import TaskError, list_names
from probes.task.join import Example, check_splits, join_sentences, make_task
from probes.types import Corpus, RowIndex, Task


def label_words(name: str, column: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
    """A task whose labels stand in an annotation column; a word labelled `_` is no example."""
    check_splits(name, corpus, indexes)
    examples = {split: _collect(name, column, corpus, split, index) for split, index in indexes.items()}
    return make_task(name, "word", indexes, examples)


def _collect(name: str, column: str, corpus: Corpus, split: str, index: RowIndex) -> list[Example]:
    if index.unit != "word":
        raise TaskError(
            f"Task {name!r} reads word vectors, but the cache holds sentence vectors. Encode with unit='word'."
        )
    examples: list[Example] = []
    for sentence, span in join_sentences(corpus, split, index):
        if column not in sentence.columns:
            raise TaskError(
                f"Task {name!r} needs the column {column!r}, but sentence {sentence.id!r} of corpus "
                f"{corpus.name!r} has {list_names(column, sentence.columns)}. Use a corpus that is annotated so."
            )
        values = sentence.columns[column]
        last = int(index.word[span].max(initial=-1))
        if last >= len(values):
            raise TaskError(
                f"The cache holds word {last + 1} of sentence {sentence.id!r}, but the sentence has "
                f"{len(values)} words in corpus {corpus.name!r}. Encode this corpus again."
            )
        for row in range(span.start, span.stop):
            label = values[int(index.word[row])]
            if label != "_":
                examples.append((row, sentence.group or sentence.id, label))
    return examples
