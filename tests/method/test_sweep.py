"""A sweep over the complexity of the probe: known ranks, known memory, and numbers that ordinary fits give too."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from probes.cache import Cache
from probes.config import FitConfig, Run, parse
from probes.errors import ConfigError, ProbesError, TaskError
from probes.fit import fit as fit_module
from probes.fit.fit import fit_probes
from probes.method.build import check_method
from probes.method.subject import Findings, Subject
from probes.metric.interval import percentile_interval, resample_sums, sum_by_group
from probes.metric.pareto import hypervolume, pareto_front
from probes.result import Finding
from probes.task import control_task
from probes.task.portion import choose_portion, with_train
from probes.types import Corpus, Rows, Task
from tests.toy import make_cache

NUM_TYPES, NUM_LABELS, DIM = 60, 5, 16
SIZES = {"train": 900, "dev": 300, "test": 600}
LABELS = tuple("abcde")
FIT = {"l2": [1e-6], "min_steps": 120, "epochs": 1, "step_size": [0.05], "precision": "float32", "gap": "none"}
RANKS = (1, 2, 3, "full")
LAYER = 1  # the layer at which everything is planted; the other one is noise

Sweep = Callable[..., Findings]


def draw_words() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Words of every split, and states of which layer 1 is the word's own vector with a little noise."""
    stream = np.random.default_rng(0)
    vectors = stream.normal(size=(NUM_TYPES, DIM))
    words = {split: stream.integers(0, NUM_TYPES, size) for split, size in SIZES.items()}
    states = {}
    for split, types in words.items():
        noise = stream.normal(size=(2, len(types), DIM))
        states[split] = np.stack([noise[0], vectors[types] + 0.05 * noise[1]]).astype(np.float32)
    return words, states


WORDS, STATES = draw_words()


def planted(states: np.ndarray) -> np.ndarray:
    """Fifths of a plane: five directions in it answer without error, and no line does."""
    angle = np.arctan2(states[LAYER, :, 1], states[LAYER, :, 0])
    return np.floor((angle / (2 * np.pi) % 1) * NUM_LABELS).astype(np.int64) % NUM_LABELS


def rows_of(split: str) -> Rows:
    size = SIZES[split]
    return Rows(np.arange(size)[:, None], planted(STATES[split]), np.arange(size) // 30, WORDS[split])


TASK = Task("planted", "word", LABELS, {split: rows_of(split) for split in SIZES})
CONTROLS = tuple(control_task("word_type", TASK, seed=0, draw=draw) for draw in range(2))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return make_cache(tmp_path_factory.mktemp("sweep"), STATES)


@pytest.fixture(scope="module")
def sweep(cache: Cache) -> Sweep:
    """A sweep of the planted task over some axes; `task`, `controls` and keys of `fit` may be others."""

    def run(axes: Mapping[str, Any], task: Task = TASK, controls: tuple[Task, ...] = CONTROLS, **fit: Any) -> Findings:
        method = {"name": "sweep", "options": {"axes": axes}}
        settings = {"corpus": {"reader": "grammar"}, "task": {"name": "pos"}, "fit": FIT | fit, "method": method}
        config = parse(Run, settings, where="test")
        assert config.method is not None
        applied, options = check_method(config.method)
        subject = Subject(run=config, corpus=Corpus("none", {}), given=cache)
        # As a cached property keeps them: the rows here are of no corpus.
        subject.__dict__.update(task=task, controls=controls)
        return applied.apply(subject, options)

    return run


@pytest.fixture(scope="module")
def every(sweep: Sweep) -> Findings:
    """All axes at once."""
    axes = {"rank": [2, "full"], "hidden": [7], "dropout": [0.4], "l2": [0.1]}
    return sweep(axes | {"examples": [0.06, 0.2, 1], "steps": [60]})


@pytest.fixture(scope="module")
def ranks(sweep: Sweep) -> Findings:
    return sweep({"rank": RANKS})


def rows(found: Findings, **wanted: Any) -> list[Finding]:
    """Findings with these fields or coordinates."""
    fields = {"draw": None, "split": "test", "metric": "accuracy", "layer": LAYER} | wanted
    return [
        one
        for one in found.rows
        if all((getattr(one, key) if hasattr(one, key) else one.at.get(key)) == value for key, value in fields.items())
    ]


def value(found: Findings, **wanted: Any) -> float:
    (one,) = rows(found, **wanted)
    assert one.value is not None
    return one.value


# What a sweep finds


def test_a_task_of_two_dimensions_needs_rank_two(ranks: Findings) -> None:
    one, two, full = (value(ranks, variant="task", rank=rank) for rank in (1, 2, "full"))
    assert two > 0.9
    assert abs(two - full) < 0.05
    assert one < 0.7


def test_control_accuracy_grows_with_capacity_where_words_can_be_memorised(ranks: Findings) -> None:
    memory = [value(ranks, variant="word_type", rank=rank) for rank in RANKS]
    assert all(more > less + 0.02 for less, more in pairwise(memory))
    assert memory[-1] > 0.65


def test_control_accuracy_does_not_grow_where_nothing_recurs(sweep: Sweep) -> None:
    stream = np.random.default_rng(1)
    labels = {split: stream.integers(0, NUM_LABELS, size) for split, size in SIZES.items()}
    found = sweep({"rank": [1, "full"]}, controls=(TASK.with_labels("word_type", labels),), min_steps=60)
    # Chance is .2 with a standard error of .016.
    assert all(value(found, variant="word_type", rank=rank) < 0.25 for rank in (1, "full"))


def test_nothing_is_found_at_a_layer_of_noise(ranks: Findings) -> None:
    assert all(one.value < 0.3 for one in rows(ranks, variant="task", layer=0) if one.value is not None)


def test_selectivity_is_highest_where_the_task_needs_no_more(ranks: Findings) -> None:
    selectivity = [value(ranks, variant="selectivity", rank=rank) for rank in RANKS]
    assert int(np.argmax(selectivity)) == RANKS.index(2)


# Numbers


@pytest.mark.parametrize(
    ("axis", "setting", "changes"),
    [
        ("rank", 2, {"rank": 2}),
        ("rank", "full", {}),
        ("hidden", 7, {"probe": "mlp", "hidden": (7,)}),
        ("dropout", 0.4, {"input_dropout": 0.4, "dropout": 0.4}),
        ("l2", 0.1, {"l2": (0.1,)}),
        ("steps", 68, {"epochs": 1, "min_steps": 60}),
        ("examples", 0.2, {}),
    ],
)
def test_numbers_of_a_setting_are_those_of_an_ordinary_fit(
    axis: str, setting: Any, changes: dict, every: Findings, cache: Cache
) -> None:
    task, controls = TASK, CONTROLS
    if axis == "examples":
        chosen = choose_portion(np.arange(SIZES["train"]), 0.2, seed=0)
        task, controls = with_train(TASK, chosen), tuple(with_train(control, chosen) for control in CONTROLS)
    config = FitConfig.model_validate(FitConfig(**FIT).model_dump() | changes)
    probes = fit_probes(cache, [task, *controls], config, seed=0)
    answers = probes.predict(cache.layer(LAYER, "test"), TASK.splits["test"].index, LAYER)
    right = [answers[0] == TASK.splits["test"].labels]
    right += [answers[1 + draw] == control.splits["test"].labels for draw, control in enumerate(CONTROLS)]
    accuracy = [float(one.mean()) for one in right]
    place = {"axis": axis, axis: setting}
    assert value(every, variant="task", **place) == pytest.approx(accuracy[0], abs=1e-12)
    for draw in (0, 1):
        assert value(every, variant="word_type", draw=draw, **place) == pytest.approx(accuracy[1 + draw], abs=1e-12)
    assert value(every, variant="word_type", **place) == pytest.approx(np.mean(accuracy[1:]), abs=1e-12)
    selectivity = accuracy[0] - np.mean(accuracy[1:])
    assert value(every, variant="selectivity", **place) == pytest.approx(selectivity, abs=1e-12)
    dev = {"split": "dev", **place}
    assert value(every, variant="task", **dev) == pytest.approx(probes.dev_accuracy[LAYER, 0], abs=1e-12)
    assert value(every, variant="word_type", **dev) == pytest.approx(probes.dev_accuracy[LAYER, 1:].mean(), abs=1e-12)


def test_interval_of_selectivity_is_paired(ranks: Findings, cache: Cache) -> None:
    probes = fit_probes(cache, [TASK, *CONTROLS], FitConfig(**FIT, rank=2), seed=0)
    test = TASK.splits["test"]
    answers = probes.predict(cache.layer(LAYER, "test"), test.index, LAYER)
    controls = np.mean([answers[1 + draw] == one.splits["test"].labels for draw, one in enumerate(CONTROLS)], axis=0)
    difference = (answers[0] == test.labels) - controls
    # Groups are of one size, so a mean over resampled groups is a sum over them.
    expected = percentile_interval(
        float(difference.mean()), resample_sums(sum_by_group(difference, test.groups, 20), 0) / len(test)
    )
    (found,) = rows(ranks, variant="selectivity", rank=2)
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_a_control_that_is_the_task_leaves_no_selectivity_and_no_doubt(sweep: Sweep) -> None:
    found = sweep({"rank": [1, 2]}, controls=(replace(TASK, name="word_type"),), min_steps=40)
    for one in rows(found, variant="selectivity"):
        assert (one.value, one.low, one.high) == (0, 0, 0)
    for one in rows(found, variant="task", rank=1):
        assert one.low is not None
        assert one.high is not None
        assert one.high - one.low > 0.02


def test_every_number_of_test_has_an_interval_and_says_of_how_much(ranks: Findings) -> None:
    found = [one for one in ranks.rows if one.split == "test"]
    assert {(one.n, one.groups) for one in found} == {(600, 20)}
    for one in found:
        assert one.value is not None
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.value <= one.high
    curves = [one for one in found if one.metric == "accuracy" and one.layer is not None]
    assert all(one.detectable is not None and one.detectable >= 0 for one in curves)


def test_floors_stand_beside_every_axis(sweep: Sweep) -> None:
    found = sweep({"rank": [2], "l2": [0.1]}, min_steps=10)
    floors = {"layer": None, "at_best_layer": True}
    test, labels = TASK.splits["test"], TASK.splits["train"].labels
    majority = float((test.labels == np.bincount(labels).argmax()).mean())
    for axis in ("rank", "l2"):
        assert value(found, variant="majority", axis=axis, **floors) == pytest.approx(majority)
        # Every word of test is in train, where its label is nearly always the same.
        assert value(found, variant="word_majority", axis=axis, **floors) > 0.9
        assert value(found, variant="word_type_ceiling", axis=axis, **floors) == 1
        assert value(found, variant="word_type_majority", axis=axis, **floors) < 0.4


# Complexity and the front


def test_complexity_of_probes_of_limited_rank(ranks: Findings) -> None:
    for rank, size in ((1, DIM + NUM_LABELS), (2, 2 * (DIM + NUM_LABELS)), ("full", DIM * NUM_LABELS)):
        wanted = {"rank": rank, "split": "train", "variant": "task"}
        assert value(ranks, metric="num_parameters", **wanted) == size + NUM_LABELS
    for rank in (1, 2, 3):
        assert value(ranks, metric="weight_rank", rank=rank, split="train") == rank
    assert value(ranks, metric="weight_rank", rank="full", split="train") in (4, 5)


def test_strong_penalty_lowers_the_nuclear_norm_and_an_mlp_has_none(sweep: Sweep) -> None:
    found = sweep({"l2": [0.0, 0.1], "hidden": [4]}, controls=())
    weak, strong = (value(found, metric="nuclear_norm", split="train", l2=l2) for l2 in (0.0, 0.1))
    assert strong < weak / 2
    (mlp,) = rows(found, metric="nuclear_norm", split="train", axis="hidden")
    assert mlp.value is None
    fronts = {one.at["setting"] for one in rows(found, metric="front_accuracy", complexity="nuclear_norm")}
    assert "hidden=4" not in fronts


def test_front_is_that_of_dev_and_its_numbers_are_those_of_test(ranks: Findings) -> None:
    dev = np.array([value(ranks, variant="task", rank=rank, split="dev") for rank in RANKS])
    test = np.array([value(ranks, variant="task", rank=rank) for rank in RANKS])
    measured = {
        "num_parameters": [value(ranks, metric="num_parameters", rank=rank, split="train") for rank in RANKS],
        "word_type_accuracy": [value(ranks, variant="word_type", rank=rank, split="dev") for rank in RANKS],
    }
    for measure, numbers in measured.items():
        complexity = np.array(numbers)
        front = np.flatnonzero(pareto_front(complexity, dev))
        front = front[np.argsort(complexity[front])]
        found = rows(ranks, metric="front_accuracy", complexity=measure)
        assert [one.at["setting"] for one in found] == [f"rank={RANKS[number]}" for number in front]
        assert [one.at[measure] for one in found] == pytest.approx(complexity[front])
        assert [one.value for one in found] == pytest.approx(test[front])


def test_hypervolume_is_above_the_majority_in_shares_of_the_most_complex(ranks: Findings) -> None:
    found = rows(ranks, metric="front_accuracy", complexity="num_parameters")
    largest = DIM * NUM_LABELS + NUM_LABELS
    majority = value(ranks, variant="majority", layer=None, axis="rank")
    expected = hypervolume(
        np.array([one.at["num_parameters"] / largest for one in found]),
        np.array([one.value for one in found]),
        worst_complexity=1.0,
        worst_accuracy=majority,
    )
    area = value(ranks, metric="hypervolume", complexity="num_parameters")
    assert area == pytest.approx(float(expected), abs=1e-9)
    assert area > value(ranks, metric="hypervolume", complexity="num_parameters", layer=0) + 0.1


def test_test_chooses_nothing(ranks: Findings, sweep: Sweep) -> None:
    """Other labels in test change numbers of test, and nothing that is chosen."""

    def spoil(task: Task) -> Task:
        spoiled = replace(task.splits["test"], labels=(task.splits["test"].labels + 1) % NUM_LABELS)
        return replace(task, splits={**task.splits, "test": spoiled})

    spoiled = sweep({"rank": RANKS}, task=spoil(TASK), controls=tuple(spoil(one) for one in CONTROLS))
    assert spoiled.notes == ranks.notes
    for metric in ("front_accuracy", "nuclear_norm"):
        assert [one.at for one in spoiled.rows if one.metric == metric] == [
            one.at for one in ranks.rows if one.metric == metric
        ]
    unseen = [[one for one in part.rows if one.split != "test"] for part in (ranks, spoiled)]
    assert unseen[0] == unseen[1]
    assert value(spoiled, variant="task", rank="full") < 0.2


# How it is fitted


def test_settings_share_a_stack_and_the_same_setting_is_fitted_once(
    sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks: list[int] = []
    fit_stack = fit_module.fit_stack

    def count(banks: Any, *given: Any, **settings: Any) -> None:
        stacks.append(len(banks))
        fit_stack(banks, *given, **settings)

    monkeypatch.setattr(fit_module, "fit_stack", count)
    axes = {"rank": [2, "full"], "dropout": [0, 0.5], "l2": [1e-6, 0.1], "hidden": [3], "examples": [1]}
    found = sweep(axes, min_steps=10)
    # Rank 2, the run's own fit, dropout, another penalty, an mlp: once for the task, once for its controls.
    assert stacks == [5, 5]
    own = [
        value(found, variant="task", **{"axis": axis, axis: setting})
        for axis, setting in (("rank", "full"), ("dropout", 0), ("l2", 1e-6), ("examples", 1))
    ]
    assert len(set(own)) == 1
    stacks.clear()
    sweep({"rank": [2, 3], "examples": [0.2, 0.5], "steps": [10, 40]}, min_steps=10)
    # As many steps as the run takes are its own fit.
    assert stacks == [3, 3, *[1, 1] * 3]


def test_notes_say_how_every_setting_was_fitted(sweep: Sweep) -> None:
    found = sweep({"examples": [0.1, 1], "l2": [0.1], "hidden": [3]}, controls=(), min_steps=30)
    assert found.notes == {
        "best_layer": LAYER,
        "settings": [
            {"axis": "hidden", "value": 3, "probe": "mlp", "examples": 900, "steps": 34, "l2": [1e-6] * 2}
            | {"diverged": 0},
            {"axis": "l2", "value": 0.1, "probe": "linear", "examples": 900, "steps": 34, "l2": [0.1] * 2}
            | {"diverged": 0},
            {"axis": "examples", "value": 0.1, "probe": "linear", "examples": 90, "steps": 36, "l2": [1e-6] * 2}
            | {"diverged": 0},
            {"axis": "examples", "value": 1.0, "probe": "linear", "examples": 900, "steps": 34, "l2": [1e-6] * 2}
            | {"diverged": 0},
        ],
        "left_out": {},
    }


def test_fewer_examples_give_less(every: Findings) -> None:
    for variant in ("task", "word_type"):
        few, all_ = (value(every, variant=variant, examples=share) for share in (0.06, 1.0))
        assert few < all_ - 0.1
    few, all_ = (rows(every, metric="num_parameters", split="train", examples=share)[0] for share in (0.06, 1.0))
    assert (few.n, all_.n, all_.groups) == (54, 900, 30)
    assert few.groups < 30


def test_portions_with_fewer_examples_than_labels_are_left_out_and_counted(sweep: Sweep) -> None:
    found = sweep({"examples": [0.004, 0.1]}, min_steps=20)
    assert found.notes["left_out"] == {"examples=0.004": 4}
    assert {one.at.get("examples") for one in rows(found, variant="task", axis="examples")} == {0.1}


def test_permuted_labels_are_memory_of_train_and_no_selectivity(sweep: Sweep, cache: Cache) -> None:
    controls = tuple(control_task("permuted", TASK, seed=0, draw=draw) for draw in range(2))
    found = sweep({"hidden": [30]}, controls=controls, min_steps=40)
    assert not [one for one in found.rows if "selectivity" in one.variant]
    assert not [one for one in found.rows if one.variant == "permuted" and one.split != "train"]
    config = FitConfig.model_validate({**FIT, "probe": "mlp", "hidden": (30,), "min_steps": 40})
    probes = fit_probes(cache, [TASK, *controls], config, seed=0)
    answers = probes.predict(cache.layer(LAYER, "train"), TASK.splits["train"].index, LAYER)
    memory = [float((answers[1 + draw] == one.splits["train"].labels).mean()) for draw, one in enumerate(controls)]
    for draw, expected in enumerate(memory):
        assert value(found, variant="permuted", split="train", draw=draw) == pytest.approx(expected)
    assert value(found, variant="permuted", split="train") == pytest.approx(np.mean(memory))
    (front,) = rows(found, metric="front_accuracy", complexity="permuted_accuracy")
    assert front.at["permuted_accuracy"] == pytest.approx(np.mean(memory))


def test_pairs_are_told_apart(sweep: Sweep) -> None:
    """An example of a minimal pair is right if it looks more like the good one than its partner."""
    splits = {}
    for split, size in SIZES.items():
        stream = np.random.default_rng(size)
        good = np.where(np.arange(size) % 2 == 0, stream.integers(0, 2, size), 0)
        good[1::2] = 1 - good[::2]
        partner = np.arange(size) ^ 1
        splits[split] = Rows(np.arange(size)[:, None], good, np.arange(size) // 2, np.full(size, -1), partner=partner)
    found = sweep({"l2": [0.0]}, task=Task("pairs", "sentence", ("bad", "good"), splits), controls=(), min_steps=10)
    test = [one for one in found.rows if one.metric == "accuracy" and one.split == "test" and one.layer is not None]
    assert len(test) == 2
    # Both of a pair are right, or both are wrong: single examples are told apart by chance too.
    assert all((one.value * 300) == pytest.approx(round(one.value * 300)) for one in test if one.value is not None)


def test_panels_show_curves_by_layer_floors_and_fronts(ranks: Findings) -> None:
    names = [(panel.metric, panel.x, panel.lines, panel.where.get("variant")) for panel in ranks.panels]
    assert names == [
        ("accuracy", "rank", "variant", None),
        ("accuracy", "rank", "layer", "task"),
        ("accuracy", "rank", "layer", "selectivity"),
        ("front_accuracy", "num_parameters", "layer", None),
        ("front_accuracy", "nuclear_norm", "layer", None),
        ("front_accuracy", "weight_rank", "layer", None),
        ("front_accuracy", "word_type_accuracy", "layer", None),
        ("hypervolume", "layer", "complexity", None),
    ]
    first, task = (
        rows(ranks, layer=one.layer, metric=panel.metric, **panel.where)
        for panel, one in zip(ranks.panels, rows(ranks, rank=1, variant="task") * 2, strict=False)
    )
    assert {one.variant for one in first} == {"task", "word_type", "selectivity"}
    assert len(task) == len(RANKS)


# Mistakes


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (
            {},
            "method 'sweep': axes: values were expected for at least one of rank, hidden, dropout, l2, examples, "
            "steps, but there are none. Give some.",
        ),
        (
            {"rnk": [2]},
            "method 'sweep': Unknown key 'axes.rnk'. Known keys inside 'axes' are 'rank', 'hidden', 'dropout', "
            "'examples', 'l2', 'steps'. Rename or remove it.",
        ),
        (
            {"rank": [2, "all"]},
            "method 'sweep': axes.rank.1: a rank should be a whole number from 1 on, or full, but is 'all'. Change it.",
        ),
        (
            {"rank": [0]},
            "method 'sweep': axes.rank.0: a rank should be a whole number from 1 on, or full, but is 0. Change it.",
        ),
        (
            {"dropout": [0.2, 0.2]},
            "method 'sweep': axes: the values of dropout should differ, but are [0.2, 0.2]. Leave one of two out.",
        ),
        (
            {"examples": [1.5]},
            "method 'sweep': Key 'axes.examples.0' should be less than or equal to 1, but is 1.5. Change it.",
        ),
        (
            {"rank": [2, 6]},
            "method 'sweep', axis 'rank': ranks of at most 5 were expected, the smaller of the 5 labels of task "
            "'planted' and the 16 features of an example, but came 6, which limits nothing. Write full instead.",
        ),
        (
            {"steps": [100, 101]},
            "method 'sweep', axis 'steps': numbers of steps that differ in whole passes over the 900 training rows "
            "were expected, but 100 and 101 are both 102 steps. Leave one of them out.",
        ),
        (
            {"examples": [0.001, 0.002]},
            "method 'sweep', axis 'examples': a share of at least 5 examples, as many as task 'planted' has labels, "
            "was expected, but [0.001, 0.002] of 900 are all fewer. Give larger shares.",
        ),
    ],
)
def test_wrong_axis_is_one_message(axes: dict, message: str, sweep: Sweep) -> None:
    with pytest.raises(ConfigError) as caught:
        sweep(axes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (
            {"rank": [2]},
            "method 'sweep', axis 'rank': solver 'exact' expects a linear probe of full rank on standardised features "
            "without dropout, but came probe 'linear', rank 2, features 'white', input_dropout 0. Use solver 'stack' "
            "for these.",
        ),
        (
            {"steps": [100]},
            "method 'sweep', axis 'steps': solver 'stack' was expected, because it takes steps, but fit.solver is "
            "'exact'. Leave the axis out, or set fit.solver to stack.",
        ),
    ],
)
def test_what_the_exact_solver_cannot_do_is_one_message(axes: dict, message: str, sweep: Sweep) -> None:
    with pytest.raises(ConfigError) as caught:
        sweep(axes, solver="exact")
    assert str(caught.value) == message


def test_exact_solver_can_be_swept_over_penalties(sweep: Sweep) -> None:
    found = sweep({"l2": [1e-3, 10.0]}, solver="exact", controls=())
    weak, strong = (value(found, variant="task", l2=l2) for l2 in (1e-3, 10.0))
    assert weak > strong + 0.02
    assert "steps" not in found.notes["settings"][0]


@pytest.mark.parametrize(("answer", "words"), [("number", "numbers"), ("labels", "several labels")])
def test_a_task_without_one_label_is_refused(answer: Any, words: str, sweep: Sweep) -> None:
    with pytest.raises(TaskError) as caught:
        sweep({"rank": [2]}, task=replace(TASK, answer=answer), controls=())
    assert str(caught.value) == (
        f"method 'sweep' counts right answers of a task with one label for each example, but task 'planted' has "
        f"{words} as its answer. Choose another task."
    )


def test_a_control_with_examples_of_its_own_is_refused(sweep: Sweep) -> None:
    own = replace(TASK, name="arc", splits={**TASK.splits, "test": TASK.splits["dev"]})
    with pytest.raises(ProbesError) as caught:
        sweep({"rank": [2]}, controls=(own,))
    assert str(caught.value) == (
        "method 'sweep' compares a control on the examples of its task, but control 'arc' of task 'planted' has "
        "examples of its own. Leave it out of task.controls."
    )
