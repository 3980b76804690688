"""Tasks by name, and the checks that every task passes."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from probes.errors import TaskError, list_names
from probes.task.arc import find_edges, label_arcs
from probes.task.chunk import label_chunks
from probes.task.pair import label_pairs
from probes.task.sentence import derive_labels, label_sentences
from probes.task.span import label_spans
from probes.task.tree import DEPTH, DISTANCE, refuse_curve
from probes.task.treebank import SENTENCE_LABELS
from probes.task.word import label_words, read_feature, read_head_direction, read_relation
from probes.types import Corpus, RowIndex, Task, Unit

# Labels that train shows less often are no examples of tasks with open label sets.
MIN_SUPPORT = 10


@dataclass(frozen=True, slots=True)
class TaskKind:
    """How the task of some name is made: the unit of the cache it reads, its builder, what the builder draws from."""

    unit: Unit
    build: Callable[..., Task]
    is_drawn: bool = False
    """Whether the builder takes a seed."""
    derived: str | None = None
    """The derivation of a corpus that the task is asked of, because it changes the text."""
    may_lack: bool = False
    """Whether train may lack a label: what the data set scores officially is not left out, it counts as missed."""


def _words(labels: Any, **settings: Any) -> TaskKind:
    def build(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
        return label_words(name, labels, corpus, indexes, **settings)

    return TaskKind("word", build)


def _sentences(attribute: str, **settings: Any) -> TaskKind:
    def build(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex]) -> Task:
        return label_sentences(name, attribute, corpus, indexes)

    return TaskKind("sentence", build, **settings)


def _derived_labels(name: str) -> TaskKind:
    def build(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex], *, seed: int) -> Task:
        return derive_labels(name, SENTENCE_LABELS[name], corpus, indexes, seed=seed)

    return TaskKind("sentence", build, is_drawn=True)


TASKS: dict[str, TaskKind] = {
    "pos": _words("upos"),
    "xpos": _words("xpos", min_support=MIN_SUPPORT),
    "dependency_label": _words(read_relation, min_support=MIN_SUPPORT),
    "head_direction": _words(read_head_direction),
    "word_label": _words("label"),
    "chunk": TaskKind("word", label_chunks, may_lack=True),
    "dependency_edge": TaskKind("word", find_edges, is_drawn=True),
    "dependency_arc_label": TaskKind("word", partial(label_arcs, min_support=MIN_SUPPORT)),
    DISTANCE: TaskKind("word", refuse_curve),
    DEPTH: TaskKind("word", refuse_curve),
    "span_label": TaskKind("word", label_spans),
    "relation": TaskKind("word", partial(label_spans, scorer="relation_f1"), may_lack=True),
    "label": _sentences("label"),
    "minimal_pair": TaskKind("sentence", label_pairs),
    **{name: _derived_labels(name) for name in SENTENCE_LABELS},
    **{name: _sentences("label", derived=name) for name in ("bigram_shift", "odd_man_out", "coordination_inversion")},
}

# What follows the dot is the name of a feature, a column or an attribute of the corpus.
OPEN_TASKS: dict[str, Callable[[str], TaskKind]] = {
    "feats.": lambda feature: _words(read_feature(feature), min_support=MIN_SUPPORT),
    "column.": lambda column: _words(column, min_support=MIN_SUPPORT),
    "attribute.": lambda attribute: _sentences(attribute, may_lack=True),
}


def unit_of(name: str) -> Unit:
    """The unit whose vectors a task reads; raises TaskError for a name that nobody knows."""
    return _find(name).unit


def derivation_of(name: str) -> str | None:
    """The derived corpus that a task is asked of, if it needs one."""
    return _find(name).derived


def build_task(name: str, corpus: Corpus, indexes: Mapping[str, RowIndex], *, seed: int = 0) -> Task:
    """The task `name` over the rows of a cache, labels joined by sentence id; what is drawn is drawn from `seed`.

    Raises TaskError for an unknown name, a missing annotation, one class only, a label that training never
    shows, or a corpus and a cache that do not hold the same sentences.
    """
    kind = _find(name)
    if kind.derived and not corpus.name.endswith(f"+{kind.derived}"):
        raise TaskError(
            f"Task {name!r} is asked of sentences that are changed for it, but corpus {corpus.name!r} has them as they "
            f"are. Encode probes.derive(corpus, {kind.derived!r})."
        )
    task = kind.build(name, corpus, indexes, **({"seed": seed} if kind.is_drawn else {}))
    _check_labels(task, corpus, may_lack=kind.may_lack)
    return task


def _find(name: str) -> TaskKind:
    """The kind of a task, ours or one that an installed package offers."""
    if name in TASKS:
        return TASKS[name]
    for prefix, make in OPEN_TASKS.items():
        if name.startswith(prefix) and name != prefix:
            return make(name.removeprefix(prefix))
    found = {point.name: point for point in entry_points(group="probes.tasks")}
    if name not in found:
        known = [*TASKS, *(f"{prefix}NAME" for prefix in OPEN_TASKS), *found]
        raise TaskError(
            f"Unknown task {name!r}. Known tasks are {list_names(name, known)}. "
            f"Choose one of these, or offer your own as an entry point 'probes.tasks'."
        )
    offered = found[name].load()
    return TaskKind(offered.unit, offered)


def _check_labels(task: Task, corpus: Corpus, *, may_lack: bool) -> None:
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
    for split, rows in task.splits.items() if not may_lack else ():
        counts = Counter(task.labels[label] for label in rows.labels.tolist() if label not in known)
        if counts:
            label, count = counts.most_common(1)[0]
            raise TaskError(
                f"Task {task.name!r} should meet every label in train, but {label!r} comes only in split "
                f"{split!r} of corpus {corpus.name!r} ({count} times; {len(counts)} such labels). "
                f"Merge these labels, or leave their sentences out."
            )
