"""The method `structure`: planted trees, equality with slow scores, floors, counts and refusals."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from probes.config import Run, parse, read_experiment
from probes.corpus import read_corpus
from probes.errors import ConfigError, ProbesError, TaskError
from probes.method import Subject, check_method
from probes.method.structure import METHOD, METRICS, find_chain
from probes.method.structure_fit import StructureSettings, fit_trees
from probes.result import Panel
from probes.task.tree import read_trees
from probes.types import Corpus, Sentence
from tests.reference.tree import find_edges, mean_by_length, row_correlations, walk_distances
from tests.task.conftest import index_words
from tests.toy import CHECKOUT
from tests.trees import LONGEST, planted_cache, random_corpus

DIM = LONGEST + 3
SETTINGS = StructureSettings(rank=(2, "full"), step_size=0.02, width=0.1)
QUICK = SETTINGS.model_copy(update={"epochs": 2})
TASKS = tuple(METRICS)


def make_subject(cache, corpus, task, **settings):
    given = {"corpus": {"reader": "python"}, "fit": {"precision": "float32"}, "task": {"name": task, **settings}}
    return Subject(parse(Run, given, where="test"), corpus, given=cache)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Random trees; in test a sentence of one word and one of two, of which one is a punctuation mark."""
    made = random_corpus()
    *others, last = made["test"]
    one = replace(last, words=("w0",), columns={"upos": ("X",)}, tree=replace(last.tree, heads=(0,), relations=("r",)))
    two = Sentence(
        "two",
        ("w0", "w1"),
        group=last.group,
        columns={"upos": ("X", "PUNCT")},
        tree=replace(last.tree, heads=(0, 1), relations=("root", "punct")),
    )
    return Corpus(made.name, {**made.splits, "test": (*others, one, two)})


@pytest.fixture(scope="module")
def cache(corpus, tmp_path_factory):
    return planted_cache(tmp_path_factory.mktemp("planted"), corpus)


@pytest.fixture(scope="module")
def found(cache, corpus):
    return {task: METHOD.apply(make_subject(cache, corpus, task), SETTINGS) for task in TASKS}


def select(findings, metric, *, layer=None, rank=None, variant="task"):
    (row,) = [
        row
        for row in findings.rows
        if (row.metric, row.layer, row.variant, row.at.get("rank")) == (metric, layer, variant, rank)
    ]
    return row


@pytest.mark.parametrize("task", TASKS)
def test_planted_trees_are_found_and_none_in_noise(task, found):
    share, order = METRICS[task]
    assert select(found[task], share, layer=1, rank=DIM).value == 1
    # Distances that are almost equal have an order, those of a tree share one rank: 1 is out of reach.
    assert select(found[task], order, layer=1, rank=DIM).value > 0.9
    assert select(found[task], share, layer=0, rank=DIM).value < 0.5
    # The zero of the diagonal is right whatever a probe says of other words.
    assert abs(select(found[task], order, layer=0, rank=DIM).value) < (0.5 if task == "tree_distance" else 0.35)


def test_distances_need_as_many_dimensions_as_there_are_directions_and_depths_need_one(found):
    assert select(found["tree_distance"], "uuas", layer=1, rank=2).value < 0.9
    assert select(found["word_depth"], "root_accuracy", layer=1, rank=2).value == 1


def test_every_layer_and_rank_has_both_scores_and_the_floor_has_no_layer(found):
    for task, findings in found.items():
        keys = [(row.variant, row.metric, row.layer, row.at.get("rank")) for row in findings.rows]
        expected = {("task", metric, layer, rank) for metric in METRICS[task] for layer in (0, 1) for rank in (2, DIM)}
        assert set(keys) == expected | {("chain", metric, None, None) for metric in METRICS[task]}
        assert len(keys) == len(set(keys))
        assert all(row.low <= row.high and row.detectable >= 0 and row.split == "test" for row in findings.rows)


def read_slowly(corpus, cache, task):
    """Each test sentence that is a tree with its distances as predicted by every layer of the full rank."""
    subject = make_subject(cache, corpus, task)
    index = {split: cache.index(split) for split in cache.splits}
    probes = fit_trees(subject, QUICK, read_trees(task, corpus, index))
    maps, mean = probes.maps[DIM].numpy().astype(float), probes.scale.mean.numpy().astype(float)
    ids = list(index["test"].ids)
    for sentence in corpus["test"]:
        number = ids.index(sentence.id)
        rows = slice(index["test"].offsets[number], index["test"].offsets[number + 1])
        if len(sentence.words) < 2:
            continue
        words = [(cache.layer(layer, "test")[rows] - mean[layer]) @ maps[layer].T for layer in (0, 1)]
        yield sentence, words


def places_of(sentence):
    return [head - 1 for head in sentence.tree.heads], [tag != "PUNCT" for tag in sentence.columns["upos"]]


def test_distances_are_scored_as_by_hand(corpus, cache):
    findings = METHOD.apply(make_subject(cache, corpus, "tree_distance"), QUICK)
    found_edges, total, rows = np.zeros(2), 0, ([], [])
    for sentence, words in read_slowly(corpus, cache, "tree_distance"):
        heads, scored = places_of(sentence)
        for layer, vectors in enumerate(words):
            predicted = ((vectors[:, None] - vectors) ** 2).sum(axis=2)
            edges, there = find_edges(predicted, heads, scored)
            found_edges[layer] += edges
            rows[layer].append((len(heads), row_correlations(predicted, walk_distances(heads))))
        total += there
    for layer in (0, 1):
        uuas = select(findings, "uuas", layer=layer, rank=DIM)
        assert (uuas.value, uuas.n) == (pytest.approx(found_edges[layer] / total), total)
        dspr = select(findings, "dspr", layer=layer, rank=DIM)
        # float32 may tell apart what float64 calls equal.
        assert dspr.value == pytest.approx(mean_by_length(rows[layer]), abs=1e-4)
        assert dspr.n == sum(length >= 5 for length, _ in rows[layer])


def test_depths_are_scored_as_by_hand(corpus, cache):
    findings = METHOD.apply(make_subject(cache, corpus, "word_depth"), QUICK)
    hits, total, orders = np.zeros(2), 0, ([], [])
    for sentence, words in read_slowly(corpus, cache, "word_depth"):
        heads, scored = places_of(sentence)
        root = heads.index(-1)
        has_choice = scored[root] and sum(scored) > 1
        total += has_choice
        for layer, vectors in enumerate(words):
            depths = (vectors**2).sum(axis=1)
            lowest = (
                min((depth, place) for place, depth in enumerate(depths) if scored[place])[1] if any(scored) else -1
            )
            hits[layer] += has_choice and lowest == root
            correlations = row_correlations(depths[None], walk_distances(heads)[[root]])
            orders[layer].append((len(heads), correlations))
    for layer in (0, 1):
        accuracy = select(findings, "root_accuracy", layer=layer, rank=DIM)
        assert (accuracy.value, accuracy.n) == (pytest.approx(hits[layer] / total), total)
        nspr = select(findings, "nspr", layer=layer, rank=DIM)
        assert nspr.value == pytest.approx(mean_by_length(orders[layer]), abs=1e-4)


def test_chain_attaches_each_word_to_the_next(found, corpus):
    edges, total, orders, roots, depths = 0, 0, [], [], []
    for sentence in corpus["test"]:
        heads, scored = places_of(sentence)
        if len(heads) > 1:
            places = [place for place, one in enumerate(scored) if one]
            gold = {frozenset((w, h)) for w, h in enumerate(heads) if h >= 0 and scored[w] and scored[h]}
            edges += len(gold & {frozenset(pair) for pair in pairwise(places)})
            total += len(gold)
            line = np.abs(np.subtract.outer(np.arange(len(heads)), np.arange(len(heads))))
            orders.append((len(heads), row_correlations(line, walk_distances(heads))))
            depths.append((len(heads), row_correlations(line[:1], walk_distances(heads)[[heads.index(-1)]])))
            roots += [places[0] == heads.index(-1)] if scored[heads.index(-1)] and len(places) > 1 else []
    assert select(found["tree_distance"], "uuas", variant="chain").value == pytest.approx(edges / total)
    assert select(found["tree_distance"], "dspr", variant="chain").value == pytest.approx(mean_by_length(orders))
    assert select(found["word_depth"], "root_accuracy", variant="chain").value == pytest.approx(np.mean(roots))
    assert select(found["word_depth"], "nspr", variant="chain").value == pytest.approx(mean_by_length(depths))


def test_notes_count_what_was_left_out_and_say_what_dev_chose(found, corpus):
    notes = found["tree_distance"].notes
    assert notes["trees"] == {"train": 240, "dev": 60, "test": 60}
    assert notes["left_out"] == {"train": {}, "dev": {}, "test": {"one_word": 1}}
    places = [places_of(sentence) for sentence in corpus["test"] if len(sentence.words) > 1]
    has_choice = [scored[heads.index(-1)] and sum(scored) > 1 for heads, scored in places]
    assert found["word_depth"].notes["unscored_in_test"] == has_choice.count(False) > 1
    assert notes["best_rank_on_dev"] == DIM
    assert list(notes["ranks"]) == [2, DIM]
    assert notes["ranks"][DIM]["best_layer_on_dev"] == "1"
    assert notes["ranks"][DIM]["may_be_best"] == ["1"]
    assert len(notes["ranks"][2]["epochs"]) == len(notes["ranks"][2]["dev_loss"]) == 2
    assert "hidden_states[8]" in notes["layers"]
    assert "content words" in notes["formalism"]


def test_intervals_resample_documents(found, corpus):
    row = select(found["tree_distance"], "uuas", layer=0, rank=DIM)
    assert row.groups == len({sentence.group for sentence in corpus["test"]}) == 20
    assert row.low < row.value < row.high


def test_punctuation_marks_count_where_they_are_asked_for(cache, corpus, found):
    settings = QUICK.model_copy(update={"punctuation": True})
    findings = METHOD.apply(make_subject(cache, corpus, "tree_distance"), settings)
    num_edges = sum(len(sentence.words) - 1 for sentence in corpus["test"])
    assert select(findings, "uuas", layer=1, rank=DIM).n == num_edges
    assert select(found["tree_distance"], "uuas", layer=1, rank=DIM).n < num_edges
    for metric, same in (("uuas", False), ("dspr", True)):
        values = [select(one, metric, variant="chain").value for one in (findings, found["tree_distance"])]
        assert (values[0] == values[1]) is same


@pytest.mark.parametrize("rank", [3, (3,), (3, 3), "full"])
def test_panels_show_layers_and_several_ranks(cache, corpus, rank):
    settings = parse(StructureSettings, {"rank": rank, "epochs": 1}, where="test")
    panels = METHOD.apply(make_subject(cache, corpus, "word_depth"), settings).panels
    assert panels == (
        Panel(metric="root_accuracy", title="Roots found", lines="rank", is_share=True),
        Panel(metric="nspr", title="Rank correlation of depths (NSpr.)", lines="rank"),
    )


def test_several_ranks_have_a_panel_of_their_own(found):
    assert found["tree_distance"].panels[2:] == (
        Panel(metric="uuas", title="Edges found (UUAS) by rank", x="rank", lines="layer", is_share=True),
    )


SETTING_ERRORS = [
    ({"rank": 0}, "rank: a rank should be a whole number from 1 or 'full', but is 0. Correct it."),
    ({"rank": [4, "half"]}, "rank: a rank should be a whole number from 1 or 'full', but is 'half'. Correct it."),
    ({"rank": 2.5}, "rank: a rank should be a whole number from 1 or 'full', but is 2.5. Correct it."),
    ({"rank": True}, "rank: a rank should be a whole number from 1 or 'full', but is True. Correct it."),
    ({"rank": []}, "Key 'rank' should have at least 1 item after validation, not 0, but is (). Change it."),
    ({"epochs": 0}, "Key 'epochs' should be greater than or equal to 1, but is 0. Change it."),
    ({"step_size": 0}, "Key 'step_size' should be greater than 0, but is 0. Change it."),
    ({"width": -1}, "Key 'width' should be greater than 0, but is -1. Change it."),
    (
        {"ranks": 3},
        "Unknown key 'ranks'. Known keys at the top are 'rank', 'punctuation', 'epochs', 'step_size', 'width'. "
        "Rename or remove it.",
    ),
]


@pytest.mark.parametrize(("options", "message"), SETTING_ERRORS)
def test_a_wrong_setting_is_an_error(options, message):
    run = parse(
        Run,
        {
            "corpus": {"reader": "python"},
            "task": {"name": "word_depth"},
            "method": {"name": "structure", "options": options},
        },
        where="test",
    )
    with pytest.raises(ConfigError) as caught:
        check_method(run.method)
    assert str(caught.value) == f"method 'structure': {message}"


ASKED_WRONGLY = [
    (
        {"task": "pos"},
        TaskError,
        "Method 'structure' fits the tasks 'tree_distance' and 'word_depth', but task.name is 'pos'. "
        "Set it to one of these.",
    ),
    (
        {"task": "word_depth", "controls": ["word_type"]},
        ConfigError,
        "Method 'structure' knows no control of task 'word_depth', but task.controls has word_type. Leave it out; an "
        "untrained encoder (encoder.twin) and the floor 'chain' stand beside the probe.",
    ),
]


@pytest.mark.parametrize(("given", "error", "message"), ASKED_WRONGLY)
def test_another_task_or_a_control_is_an_error(cache, corpus, given, error, message):
    with pytest.raises(ProbesError) as caught:
        METHOD.apply(make_subject(cache, corpus, **given), SETTINGS)
    assert type(caught.value) is error
    assert str(caught.value) == message


def test_a_rank_beyond_the_states_is_an_error(cache, corpus):
    with pytest.raises(ConfigError) as caught:
        METHOD.apply(make_subject(cache, corpus, "word_depth"), StructureSettings())
    assert str(caught.value) == (
        "The rank of a structural probe should be from 1 to 12, the size of the states, but 64 was asked for in "
        "method.options.rank. Lower it; 'full' is 12."
    )


def test_the_experiment_asks_both_tasks_of_ranks_that_every_encoder_has():
    runs = read_experiment(CHECKOUT / "experiments" / "structure.yaml").expand()
    assert {run.task.name for run in runs} == set(TASKS)
    assert {run.encoder.twin is None for run in runs} == {True, False}
    for run in runs:
        method, settings = check_method(run.method)
        assert method is METHOD
        assert all(rank == "full" or rank <= 64 for rank in settings.rank)


@pytest.mark.corpus
def test_chain_finds_two_edges_of_five_in_a_treebank(corpus_data):
    corpus = read_corpus(str(corpus_data / "ud-english-ewt" / "en_ewt-ud-*.conllu"))
    trees = read_trees("tree_distance", corpus, index_words(corpus))
    assert {split: part.left_out["one_word"] for split, part in trees.items()} == ONE_WORD
    for split, part in trees.items():
        assert sum(part.left_out.values()) == ONE_WORD[split]
        shares = [find_chain("tree_distance", part, has_punctuation=marks).shares()[0] for marks in (True, False)]
        np.testing.assert_allclose(shares, CHAIN_UUAS[split], atol=5e-5)


ONE_WORD = {"train": 521, "dev": 100, "test": 151}
CHAIN_UUAS = {"train": (0.3902, 0.4175), "dev": (0.4044, 0.4309), "test": (0.4051, 0.4305)}
