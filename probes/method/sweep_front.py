"""How complex the probes of a sweep are, and what accuracy complexity buys: the front is taken on dev."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from probes.fit.complexity import count_parameters, linear_weights, nuclear_norm, weight_rank
from probes.fit.floor import predict_majority
from probes.method.sweep_score import Fitted, Scorer
from probes.metric.interval import Interval, percentile_interval
from probes.metric.pareto import hypervolume, pareto_front
from probes.result import Finding

Complexities = Mapping[str, Float[np.ndarray, "setting layer"]]


def measure_complexity(fitted: Sequence[Fitted]) -> dict[str, Float[np.ndarray, "setting layer"]]:
    """Complexity of the task's probes by its name: how many numbers, the nuclear norm and the rank of their weights
    (undefined for an mlp), and how much they memorise of each control.

    What is memorised is told on dev, for `permuted` on train: nothing here has seen test.
    """
    numbers = [np.full(one.probes.num_layers, float(count_parameters(one.probes))) for one in fitted]
    norms, ranks = zip(*(_of_weights(one) for one in fitted), strict=True)
    found = {"num_parameters": numbers, "nuclear_norm": norms, "weight_rank": ranks}
    for name in dict.fromkeys(fitted[0].names):
        found[f"{name}_accuracy"] = [one.control_accuracy(name) for one in fitted]
    return {name: np.stack(values) for name, values in found.items()}


def _of_weights(one: Fitted) -> tuple[Float[np.ndarray, " layer"], Float[np.ndarray, " layer"]]:
    if one.probes.config.probe != "linear":
        undefined = np.full(one.probes.num_layers, np.nan)
        return undefined, undefined
    weights = linear_weights(one.probes)
    return nuclear_norm(weights), weight_rank(weights).astype(np.float64)


def complexity_rows(names: Sequence[dict], fitted: Sequence[Fitted], measured: Complexities) -> Iterator[Finding]:
    """One row for each measure, setting and layer; `names` are the coordinates of the settings."""
    for number, (place, one) in enumerate(zip(names, fitted, strict=True)):
        train = one.question.task.splits["train"]
        count = {"n": len(train), "groups": len(np.unique(train.groups)), "split": "train"}
        for metric in ("num_parameters", "nuclear_norm", "weight_rank"):
            for layer, value in enumerate(measured[metric][number].tolist()):
                yield Finding(variant="task", metric=metric, layer=layer, at=place, value=value, **count)


def front_rows(
    labels: Sequence[str], fitted: Sequence[Fitted], measured: Complexities, scorer: Scorer
) -> Iterator[Finding]:
    """The front of each layer and measure, taken on dev and scored on test, and its hypervolume.

    Of settings that are equally complex and equally good on dev the first stands for all.

    Hypervolume: complexity in shares of the largest of all settings and layers, accuracy above that of the majority
    label of train, so that a layer is at most 1 - majority.
    """
    splits = fitted[0].question.task.splits
    is_right = predict_majority(splits["train"], splits["test"]) == splits["test"].labels
    dev = np.stack([one.probes.dev_accuracy[:, 0] for one in fitted])
    right = np.stack([one.right[0] for one in fitted])
    test, resampled = right.sum(axis=-1) / scorer.sizes.sum(), scorer.resample(right)
    for measure, values in measured.items():
        largest = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
        for layer in range(values.shape[1]):
            front = np.flatnonzero(pareto_front(values[:, layer], dev[:, layer]))
            # By complexity; of settings that dev cannot tell apart the first.
            front = front[np.unique(values[front, layer], return_index=True)[1]]
            for number in front.tolist():
                place = {"complexity": measure, measure: float(values[number, layer]), "setting": labels[number]}
                interval = percentile_interval(float(test[number, layer]), resampled[number, layer])
                yield _row("front_accuracy", layer, place, interval, scorer)
            if not len(front) or largest <= 0:
                continue
            shares = values[front, layer] / largest
            worst = {"worst_complexity": 1.0, "worst_accuracy": float(is_right.mean())}
            area = float(hypervolume(shares, test[front, layer], **worst))
            areas = hypervolume(shares, resampled[front, layer].T, **worst)
            yield _row("hypervolume", layer, {"complexity": measure}, percentile_interval(area, areas), scorer)


def _row(metric: str, layer: int, place: dict, interval: Interval, scorer: Scorer) -> Finding:
    return Finding(variant="task", metric=metric, layer=layer, at=place, **interval.fields, **scorer.count)
