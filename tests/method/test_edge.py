"""Edge probes: what stands inside a span is read, which its first and last word do not tell."""

from pathlib import Path

import numpy as np
import pytest

from probes.cache import adopt
from probes.config import Run, parse
from probes.method import Subject
from probes.method.edge import METHOD, EdgeSettings, span_rows
from probes.method.mix import METHOD as MIX
from probes.method.mix import MixSettings
from probes.types import Corpus, Sentence, Span, Tree

SIZES = {"train": 240, "dev": 80, "test": 160}
LAYERS, DIM, PLANTED = 3, 6, 1
FIT = {"l2": 1e-4, "precision": "float32", "step_size": 0.01, "epochs": 5, "min_steps": 160, "features": "standard"}


def make_spans(folder: Path, *, second: bool = False, layer: int | None = PLANTED, task="span_label", **fit) -> Subject:
    """Sentences of six words with a span of three to five, whose label one word inside it tells at one layer.

    That word, never the first or last of its span, is three units away in one direction or the other. With `second`
    the word is in the first of two spans of three words each. Without a layer nothing tells.
    """
    stream = np.random.default_rng(7)
    splits, arrays = {}, {}
    for split, size in SIZES.items():
        sentences, states = [], stream.normal(size=(LAYERS, size * 6, DIM)).astype(np.float32)
        for number in range(size):
            length = 3 if second else int(stream.integers(3, 6))
            start = 0 if second else int(stream.integers(0, 7 - length))
            teller, label = start + int(stream.integers(1, length - 1)), int(stream.integers(2))
            if layer is not None:
                states[layer, number * 6 + teller, 0] += 8.0
                states[layer, number * 6 + teller, 1] += 6.0 * (2 * label - 1)
            span = Span("ab"[label], (start, start + length), (3, 6) if second else None)
            sentences.append(
                Sentence(
                    f"{split}-{number}",
                    tuple(f"w{word}" for word in range(6)),
                    group=f"{split}-{number // 4}",
                    spans=(span,),
                    columns={"label": tuple("ab"[label] for _ in range(6))},
                    tree=Tree((0, 1, 1, 1, 1, 1), ("root", "a", "b", "a", "b", "a")),
                )
            )
        splits[split], arrays[split] = tuple(sentences), states
    corpus = Corpus("spans", splits)
    cache = adopt(arrays, corpus, name="toy", folder=folder)
    run = parse(Run, {"corpus": {"reader": "python"}, "task": {"name": task}, "fit": {**FIT, **fit}}, where="test")
    return Subject(run, corpus, given=cache)


def scores(findings, over, metric="accuracy"):
    return [
        one.value
        for one in findings.rows
        if (one.metric, one.split, one.variant) == (metric, "test", "task") and one.at == {"over": over}
    ]


SETTINGS = EdgeSettings(projection=8, hidden=8, dropout=0.1)


@pytest.fixture(scope="module")
def spans(tmp_path_factory):
    return make_spans(tmp_path_factory.mktemp("spans"))


@pytest.fixture(scope="module")
def found(spans):
    return METHOD.apply(spans, SETTINGS)


def test_a_word_inside_a_span_is_learnt_at_the_layer_that_has_it(found):
    alone, mixed = scores(found, "layer"), scores(found, "mix")
    assert alone[PLANTED] > 0.9
    assert mixed[PLANTED] > 0.9
    assert max(alone[0], alone[2], mixed[0]) < 0.63
    assert mixed[0] == alone[0]


def test_first_and_last_word_do_not_tell_it(spans):
    ends = MIX.apply(spans, MixSettings(refits=0))
    assert max(one.value for one in ends.rows if (one.metric, one.split) == ("accuracy", "test")) < 0.63


def test_what_no_layer_has_is_not_learnt(tmp_path):
    found = METHOD.apply(make_spans(tmp_path, layer=None), SETTINGS)
    assert max(scores(found, "layer") + scores(found, "mix")) < 0.63
    (expected,) = [one for one in found.rows if (one.metric, one.split) == ("expected_layer", "test")]
    assert expected.value is None
    assert found.notes["test_accuracy_expected_layer"].startswith("undefined: ")


def test_expected_layer_and_weights_are_those_of_the_mixes(found):
    (expected,) = [one for one in found.rows if (one.metric, one.split) == ("expected_layer", "test")]
    assert expected.at == {"over": "mix", "score": "accuracy"}
    assert expected.value == pytest.approx(PLANTED, abs=0.15)
    weights = [one.value for one in found.rows if one.metric == "mix_weight"]
    assert int(np.argmax(weights)) == PLANTED
    assert found.notes["train_longest_span"] == 5


@pytest.mark.parametrize("legacy", [None, "tenney2019"])
def test_two_spans_are_read_each_for_itself(tmp_path, legacy):
    settings = EdgeSettings(projection=8, hidden=8, dropout=0.1, over="layer", legacy=legacy)
    found = METHOD.apply(make_spans(tmp_path, second=True), settings)
    assert scores(found, "layer")[PLANTED] > 0.9
    assert max(scores(found, "layer")[0], scores(found, "layer")[2]) < 0.63
    assert found.notes["layers_are"] == ("raw" if legacy else "standardised on train")
    assert found.notes["loss"] == ("sigmoid" if legacy else "softmax")
    assert not [one for one in found.rows if one.metric in ("expected_layer", "mix_weight")]


def test_spans_have_the_rows_from_their_first_word_to_their_last(spans):
    rows = span_rows(spans, "test")
    for example, sentence in enumerate(spans.corpus["test"]):
        start, stop = sentence.spans[0].first
        (words,) = rows.words_of([(example, example + 1)])
        assert rows.words.index[slice(*words), 0].tolist() == [example * 6 + word for word in range(start, stop)]


@pytest.mark.parametrize(("task", "num_slots"), [("word_label", 1), ("dependency_arc_label", 2)])
def test_tasks_over_words_have_spans_of_one_word(tmp_path, task, num_slots):
    subject = make_spans(tmp_path, task=task, epochs=1, min_steps=5)
    rows = span_rows(subject, "train")
    assert rows.lengths.shape == (len(subject.task.splits["train"]), num_slots)
    assert (rows.lengths == 1).all()
    np.testing.assert_array_equal(rows.words.index[:, 0].reshape(num_slots, -1).T, subject.task.splits["train"].index)
    found = METHOD.apply(subject, EdgeSettings(projection=3, hidden=3, refits=2))
    assert len(scores(found, "mix")) == len(scores(found, "layer")) == LAYERS
    assert found.notes["refits"] == 2


def test_relations_have_their_official_score_with_an_expected_layer_of_its_own(tmp_path):
    subject = make_spans(tmp_path, second=True, task="relation")
    found = METHOD.apply(subject, SETTINGS)
    assert scores(found, "layer", "relation_f1")[PLANTED] > 0.9
    expected = [one for one in found.rows if (one.metric, one.split) == ("expected_layer", "test")]
    assert [one.at["score"] for one in expected] == ["accuracy", "relation_f1"]
    assert [panel.metric for panel in found.panels] == ["relation_f1", "relation_f1_gain", "mix_weight"]
