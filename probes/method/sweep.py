"""How accuracy, control accuracy and selectivity change with the complexity of the probe.

Hewitt and Liang (2019, section 4) vary one setting at a time; Pimentel et al. (2020) ask which probes are worth their
complexity, and call these the Pareto front.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from probes.config import FitConfig, Settings
from probes.errors import ConfigError, TaskError
from probes.fit.fit import fit_questions
from probes.fit.question import Question
from probes.method.build import Method
from probes.method.subject import Findings, Subject
from probes.method.sweep_front import complexity_rows, front_rows, measure_complexity
from probes.method.sweep_point import Axes, Point, count_steps, list_points
from probes.method.sweep_score import Fitted, Scorer, collect
from probes.result import Finding, Panel
from probes.task import CAPACITY, shares_rows
from probes.task.portion import choose_portion, units_of_portions, with_train
from probes.types import Task

Key = tuple[FitConfig, float]
"""What makes two points the same fit: its settings and the share of the examples."""


class SweepSettings(Settings):
    """Which settings of the probe are varied."""

    axes: Axes
    """The values that each setting takes, while the others stay as `fit` has them."""


def apply_sweep(subject: Subject, settings: SweepSettings) -> Findings:
    """Accuracy, control accuracy, selectivity and complexity at every value of every axis, and the Pareto fronts.

    Settings over the same rows are fitted in one stack, whatever their rank, dropout or hidden units; a setting that
    stands on several axes is fitted once. Raises ConfigError, and TaskError for a task or control without an accuracy.
    """
    task, controls = subject.task, subject.controls
    _check(task, controls)
    first = task.splits["train"].index
    num_features = (first.shape[1] + task.product) * subject.cache.layer(0, "train").shape[1]
    points = list_points(settings.axes, subject.run.fit, task, num_features)
    questions, left_out = _ask(points, subject)
    points = [point for point in points if _key(point) in questions]
    _check_axes(settings.axes, points, task)
    answers = fit_questions(subject.cache, list(questions.values()), seed=subject.seed)
    fitted = {
        key: collect(subject.cache, question, probes)
        for (key, question), probes in zip(questions.items(), answers, strict=True)
    }
    best_layer = int(np.stack([one.probes.dev_accuracy[:, 0] for one in fitted.values()]).max(axis=0).argmax())
    scorer = Scorer(task.splits["test"], subject.seed, best_layer)
    notes = {
        "best_layer": best_layer,
        "settings": [_describe(point, fitted[_key(point)]) for point in points],
        "left_out": left_out,
    }
    rows = tuple(_rows(points, fitted, scorer, task, controls))
    return Findings(rows, tuple(_panels(rows, points, controls)), notes)


def _check(task: Task, controls: Sequence[Task]) -> None:
    if task.answer != "class":
        raise TaskError(
            f"method 'sweep' counts right answers of a task with one label for each example, but task {task.name!r} "
            f"has {'numbers' if task.answer == 'number' else 'several labels'} as its answer. Choose another task."
        )
    for control in controls:
        if not shares_rows(control, task):
            raise TaskError(
                f"method 'sweep' compares a control on the examples of its task, but control {control.name!r} of task "
                f"{task.name!r} has examples of its own. Leave it out of task.controls."
            )


def _check_axes(axes: Axes, points: Sequence[Point], task: Task) -> None:
    if axes.examples and not any(point.axis == "examples" for point in points):
        raise ConfigError(
            f"method 'sweep', axis 'examples': a share of at least {len(task.labels)} examples, as many as task "
            f"{task.name!r} has labels, was expected, but {list(axes.examples)} of {len(task.splits['train'])} are "
            f"all fewer. Give larger shares."
        )


def _key(point: Point) -> Key:
    return point.config, point.share


def _ask(points: Sequence[Point], subject: Subject) -> tuple[dict[Key, Question], dict[str, int]]:
    """A question for every fit, and the portions with fewer examples than labels, which ask none."""
    task, controls = subject.task, subject.controls
    train = task.splits["train"]
    units = units_of_portions(train, subject.cache.index("train"))
    portions: dict[float, tuple[Task, tuple[Task, ...]]] = {1.0: (task, controls)}
    questions, left_out = {}, {}
    for point in points:
        if point.share not in portions:
            chosen = choose_portion(units, point.share, subject.seed)
            if len(chosen) < len(task.labels):
                left_out[f"examples={point.value}"] = len(chosen)
                continue
            # The very same tasks for all points of a portion: they share a stack.
            portions[point.share] = with_train(task, chosen), tuple(with_train(one, chosen) for one in controls)
        asked, controlled = portions[point.share]
        questions.setdefault(_key(point), Question(asked, controlled, point.config))
    return questions, left_out


def _rows(
    points: Sequence[Point], fitted: dict[Key, Fitted], scorer: Scorer, task: Task, controls: Sequence[Task]
) -> Iterator[Finding]:
    for axis in dict.fromkeys(point.axis for point in points):
        own = [point for point in points if point.axis == axis]
        chosen = [fitted[_key(point)] for point in own]
        yield from scorer.axis(axis, [point.value for point in own], chosen)
        yield from scorer.floors(axis, task, controls)
        places = [{"axis": axis, axis: point.value} for point in own]
        yield from complexity_rows(places, chosen, measure_complexity(chosen))
    labels = {_key(point): f"{point.axis}={point.value}" for point in reversed(points)}
    every = list(fitted.values())
    yield from front_rows([labels[key] for key in fitted], every, measure_complexity(every), scorer)


def _describe(point: Point, fitted: Fitted) -> dict[str, Any]:
    """How a point was fitted: what dev chose at each layer is in `l2`."""
    probes, train = fitted.probes, fitted.question.task.splits["train"]
    described = {"axis": point.axis, "value": point.value, "probe": point.config.probe, "examples": len(train)}
    if point.config.solver == "stack":
        described["steps"] = count_steps(len(train), point.config)
    chosen = [probes.grid.chosen(layer).l2 for layer in range(probes.num_layers)]
    return described | {"l2": chosen, "diverged": int(probes.has_diverged.sum())}


def _panels(rows: Sequence[Finding], points: Sequence[Point], controls: Sequence[Task]) -> Iterator[Panel]:
    names = [name for name in dict.fromkeys(control.name for control in controls) if name != CAPACITY]
    for axis in dict.fromkeys(point.axis for point in points):
        where = {"axis": axis, "split": "test"}
        show = Panel(metric="accuracy", title="", x=axis, is_share=True)
        best = {**where, "at_best_layer": True}
        yield show.model_copy(update={"title": f"Accuracy by {axis}, at the layer that dev chose", "where": best})
        variants = {"task": "Accuracy"}
        variants |= {"selectivity" if name == "word_type" else f"selectivity.{name}": "Selectivity" for name in names}
        for variant, title in variants.items():
            fields = {"title": f"{title} by {axis}", "lines": "layer", "where": {**where, "variant": variant}}
            yield show.model_copy(update=fields)
    measures = dict.fromkeys(str(row.at["complexity"]) for row in rows if row.metric == "front_accuracy")
    for measure in measures:
        title = f"Pareto front of dev, scored on test, by {measure}"
        show = Panel(metric="front_accuracy", title=title, x=measure, lines="layer", is_share=True)
        yield show.model_copy(update={"where": {"complexity": measure}})
    if measures:
        yield Panel(metric="hypervolume", title="Hypervolume of the Pareto front", lines="complexity")


METHOD = Method(SweepSettings, apply_sweep)
