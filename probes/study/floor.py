"""The floors below a task, and the official score of its data set."""

from collections.abc import Callable, Sequence

import numpy as np

from probes.fit.bag import predict_bag
from probes.fit.floor import predict_by_labels, predict_by_surface, predict_majority, predict_word_majority, recurs
from probes.metric.chunk import chunk_counts, f1
from probes.metric.relation import relation_counts, relation_f1
from probes.study.score import CountScore, Floor
from probes.task import CAPACITY
from probes.types import Rows, Task


def find_floors(task: Task, controls: Sequence[Task]) -> list[Floor]:
    """What can be answered for test without any vector (METHODS: floors under every curve).

    The majority label; for units that recur the majority of each; by length, by distance, by the words of a sentence
    where the task has them, and by pairs of words too for minimal pairs. Each control has its own majority and, as its
    ceiling, what a perfect memory of train would answer.
    """
    splits = task.splits
    train, test = splits["train"], splits["test"]
    floors = [Floor(name, answers, test.labels) for name, answers in predict_by_labels(train, test).items()]
    if test.partner is None:
        floors += [Floor(what, predict_by_surface(train, test, what), test.labels) for what in test.surface]
    if test.texts is not None:
        floors.append(Floor("bag_of_words", predict_bag(splits), test.labels))
    if test.partner is not None and test.texts is not None:
        floors.append(Floor("bigrams", predict_bag(splits, longest=2), test.labels))
    return floors + (_control_floors(controls) if recurs(train, test) else [])


def _control_floors(controls: Sequence[Task]) -> list[Floor]:
    floors = []
    for name in dict.fromkeys(control.name for control in controls if control.name != CAPACITY):
        draws = [control for control in controls if control.name == name]
        floors += [control_majority(name, draws), _control_floor(f"{name}_ceiling", predict_word_majority, draws)]
    return floors


def control_majority(name: str, draws: Sequence[Task]) -> Floor:
    """The most frequent label of each draw of a control."""
    return _control_floor(f"{name}_majority", predict_majority, draws)


def _control_floor(variant: str, predict: Callable[[Rows, Rows], np.ndarray], draws: Sequence[Task]) -> Floor:
    """A floor of the control itself: the ceiling is what a perfect memory of train would answer."""
    predicted = np.stack([predict(draw.splits["train"], draw.splits["test"]) for draw in draws])
    return Floor(variant, predicted, np.stack([draw.splits["test"].labels for draw in draws]))


def official_score(task: Task) -> CountScore | None:
    """The scorer that a data set came with, beside accuracy."""
    rows, names = task.splits["test"], task.labels
    num_groups = int(rows.groups.max(initial=0)) + 1
    if task.scorer == "relation_f1":
        return CountScore(
            "relation_f1",
            lambda predicted: relation_counts(rows.labels, predicted, rows.groups, names, num_groups),
            relation_f1,
        )
    if task.scorer == "chunk_f1":
        assert rows.sequence is not None
        sequence, tags = rows.sequence, [names[code] for code in rows.labels]
        return CountScore(
            "chunk_f1",
            lambda predicted: chunk_counts(
                tags, [names[code] for code in predicted], sequence, rows.groups, num_groups
            ),
            f1,
        )
    return None
