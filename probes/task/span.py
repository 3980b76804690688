"""Tasks over spans of words, one or two of them (edge probing, Tenney et al. 2019)."""

from collections.abc import Iterator, Mapping

from probes.errors import TaskError
from probes.task.example import Example, make_task
from probes.task.join import check_splits, join_words
from probes.types import Corpus, RowIndex, Sentence, Span, Task


def label_spans(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex], *, scorer: str | None = None) -> Task:
    """The label of one span, or of how two are related.

    A span stands for its first and its last word (Toshniwal et al. 2020, "endpoint"), so an example has two slots, or
    four. A span whose first or last word the cache lacks is left out and counted.
    """
    check_splits(name, corpus, indexes)
    examples: dict[str, list[Example]] = {}
    lost = {}
    for split, index in indexes.items():
        found = list(_find(name, corpus, split, index))
        examples[split] = [example for example in found if example is not None]
        lost[split] = len(found) - len(examples[split])
    _check_arity(name, corpus, examples)
    return make_task(name, "word", indexes, examples, scorer=scorer, left_out=lost if any(lost.values()) else {})


def _find(name: str, corpus: Corpus, split: str, index: RowIndex) -> Iterator[Example | None]:
    for sentence, rows in join_words(name, corpus, split, index):
        for span in sentence.spans:
            yield _example(sentence, span, rows)


def _example(sentence: Sentence, span: Span, rows: Mapping[int, int]) -> Example | None:
    ends = [word for part in (span.first, span.second) if part for word in (part[0], part[1] - 1)]
    if not all(word in rows for word in ends):
        return None
    surface = {"length": len(sentence.words)}
    if span.second is not None:
        surface["distance"] = span.second[0] - span.first[0]
    return Example(tuple(rows[word] for word in ends), sentence, span.label, surface=surface, text=sentence.plain)


def _check_arity(name: str, corpus: Corpus, examples: Mapping[str, list[Example]]) -> None:
    sizes = {len(example.rows): example.sentence.id for part in examples.values() for example in part}
    if len(sizes) > 1:
        one, two = sizes[2], sizes[4]
        raise TaskError(
            f"Task {name!r} needs one span for every label, or two for every label, but corpus {corpus.name!r} has one "
            f"in sentence {one!r} and two in sentence {two!r}. Read them as two corpora."
        )
