"""Tasks with one label for each sentence."""

from collections.abc import Callable, Mapping, Sequence

from probes.errors import TaskError, list_names
from probes.task.example import Example, make_task
from probes.task.join import check_splits, check_unit, join_sentences
from probes.types import Corpus, RowIndex, Sentence, Task

Labels = Mapping[str, Sequence[str | None]]
"""For each split a label for every sentence; None where a sentence is no example."""


def label_sentences(name: str, attribute: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
    """A task whose labels stand in an attribute of the sentence; a sentence without it is no example."""
    check_splits(name, corpus, indexes)
    labels = {split: [one.attributes.get(attribute) for one in part] for split, part in corpus.splits.items()}
    task = join_labels(name, labels, corpus, indexes)
    for split, index in indexes.items():
        if len(index.ids) and not any(labels[split]):
            known = dict.fromkeys(key for one in corpus[split] for key in one.attributes)
            raise TaskError(
                f"Task {name!r} needs sentences with the attribute {attribute!r}, but split {split!r} of corpus "
                f"{corpus.name!r} has {list_names(attribute, known)}. Use a corpus that is annotated so."
            )
    return task


def derive_labels(
    name: str,
    find: Callable[[Corpus, int], Labels],
    corpus: Corpus,
    indexes: Mapping[str, RowIndex],
    *,
    seed: int,
) -> Task:
    """A task whose labels are found in words and trees; balancing is drawn from `seed`."""
    check_splits(name, corpus, indexes)
    return join_labels(name, find(corpus, seed), corpus, indexes)


def join_labels(name: str, labels: Labels, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
    """A task over sentences from one label for each sentence of the corpus."""
    examples = {}
    for split, index in indexes.items():
        check_unit(name, "sentence", index)
        by_id = {one.id: label for one, label in zip(corpus[split], labels[split], strict=True)}
        examples[split] = [
            _example(sentence, span.start, label)
            for sentence, span in join_sentences(corpus, split, index)
            if (label := by_id[sentence.id]) is not None
        ]
    return make_task(name, "sentence", indexes, examples)


def _example(sentence: Sentence, row: int, label: str) -> Example:
    text = sentence.plain
    return Example((row,), sentence, label, word=root_lemma(sentence), surface={"length": len(text.split())}, text=text)


def root_lemma(sentence: Sentence) -> str | int:
    """The lemma of the root: a unit of sentences that recurs; -1 where there is no tree or no lemma."""
    if sentence.tree is None or "lemma" not in sentence.columns:
        return -1
    return sentence.columns["lemma"][sentence.tree.root].lower()
