"""Tasks with one label for each sentence."""

from collections.abc import Mapping

from probes.errors import TaskError, list_names
from probes.task.join import Example, check_splits, join_sentences, make_task
from probes.types import Corpus, RowIndex, Task


def label_sentences(name: str, attribute: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
    """A task whose labels stand in an attribute of the sentence; a sentence without it is no example."""
    check_splits(name, corpus, indexes)
    examples = {split: _collect(name, attribute, corpus, split, index) for split, index in indexes.items()}
    return make_task(name, "sentence", indexes, examples)


def _collect(name: str, attribute: str, corpus: Corpus, split: str, index: RowIndex) -> list[Example]:
    if index.unit != "sentence":
        raise TaskError(
            f"Task {name!r} reads sentence vectors, but the cache holds word vectors. Encode with unit='sentence'."
        )
    examples: list[Example] = []
    known: set[str] = set()
    for sentence, span in join_sentences(corpus, split, index):
        known.update(sentence.attributes)
        if attribute in sentence.attributes:
            examples.append((span.start, sentence.group or sentence.id, sentence.attributes[attribute]))
    if not examples:
        raise TaskError(
            f"Task {name!r} needs sentences with the attribute {attribute!r}, but split {split!r} of corpus "
            f"{corpus.name!r} has {list_names(attribute, known)}. Use a corpus that is annotated so."
        )
    return examples
