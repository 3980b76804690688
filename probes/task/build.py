"""Tasks by name, and the checks that every task passes."""

from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from probes.errors import TaskError, list_names
from probes.task.sentence import label_sentences
from probes.task.word import label_words
from probes.types import Corpus, RowIndex, Task, Unit

Builder = Callable[[str, Corpus, Mapping[str, RowIndex]], Task]

# Name -> (unit of the cache it reads, builder, annotation of the corpus it reads).
TASKS: dict[str, tuple[Unit, Callable[..., Task], str]] = {
    "pos": ("word", label_words, "upos"),
    "label": ("sentence", label_sentences, "label"),
    "word_label": ("word", label_words, "label"),
}


def unit_of(name: str) -> Unit:
    """The unit whose vectors a task reads; raises TaskError for a name that nobody knows."""
    if name in TASKS:
        return TASKS[name][0]
    return _installed(name).unit  # type: ignore[attr-defined]


def build_task(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
    """The task `name` over the rows of a cache, labels joined by sentence id.

    Raises TaskError for an unknown name, a missing annotation, one class only, a label that training never
    shows, or a corpus and a cache that do not hold the same sentences.
    """
    unit_of(name)
    if name in TASKS:
        _, build, annotation = TASKS[name]
        task = build(name, annotation, corpus, indexes)
    else:
        task = _installed(name)(name, corpus, indexes)  # type: ignore[operator]
    _check_labels(task, corpus)
    return task


def _installed(name: str) -> object:
    found = {point.name: point for point in entry_points(group="probes.tasks")}
    if name not in found:
        raise TaskError(
            f"Unknown task {name!r}. Known tasks are {list_names(name, [*TASKS, *found])}. "
            f"Choose one of these, or offer your own as an entry point 'probes.tasks'."
        )
    return found[name].load()


def _check_labels(task: Task, corpus: Corpus) -> None:
    for split, rows in task.splits.items():
        if len(rows) == 0:
            raise TaskError(
                f"Task {task.name!r} needs examples in split {split!r} of corpus {corpus.name!r}, but there are "
                f"none. Check the annotation there."
            )
    train = task.splits["train"]
    known = set(train.labels.tolist())
    if len(known) < 2:
        raise TaskError(
            f"Task {task.name!r} needs at least two labels in the train split of corpus {corpus.name!r}, but "
            f"all {len(train)} examples have {task.labels[next(iter(known))]!r}. Check the annotation."
        )
    for split, rows in task.splits.items():
        counts = Counter(task.labels[label] for label in rows.labels.tolist() if label not in known)
        if counts:
            label, count = counts.most_common(1)[0]
            raise TaskError(
                f"Task {task.name!r} should meet every label in train, but {label!r} comes only in split "
                f"{split!r} of corpus {corpus.name!r} ({count} times; {len(counts)} such labels). "
                f"Merge these labels, or leave their sentences out."
            )
