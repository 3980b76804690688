"""Labels for new text by the probe of one layer."""

import numpy as np
import pytest

from probes.errors import CacheError, FitError
from probes.study.curves import read_results
from probes.study.face import run
from probes.study.predict import probes_folder
from tests.toy import CHECKOUT, make_tiny_corpus

TEST = make_tiny_corpus()["test"]


@pytest.mark.parametrize("origin", ["run", "read"])
def test_prediction_equals_the_outcomes_of_the_test_sentences(study, tmp_path, monkeypatch, origin):
    """States are kept as float32 here, as prediction computes them."""
    monkeypatch.setattr("probes.study.publish.report", lambda curves, results: [])
    monkeypatch.setenv("WANDB_MODE", "disabled")
    overrides = (*study.overrides, "encoder.twin=null", "encoder.store_dtype=float32")
    run(CHECKOUT / "experiments" / "layer_pos.yaml", overrides=overrides, results=tmp_path)
    curve = read_results("layer_pos", tmp_path)["pretrained"]
    curves = run(CHECKOUT / "experiments" / "layer_pos.yaml", overrides=overrides, results=tmp_path)
    curve = curves["pretrained"] if origin == "run" else curve
    labels = curve.record.confusion.labels
    for layer in (0, 5, 12):
        kept = [labels[code] for code in curve.outcomes.predicted["task"][layer]]
        found = curve.predict([one.words for one in TEST], layer=layer)
        assert [label for labels_of_one in found for label in labels_of_one] == kept


def test_words_and_their_running_text_get_the_same_labels(curve):
    words = ["the", "dog", "sees", "a", "cat"]
    assert curve.predict([words, "the dog sees a cat"], layer=3) == curve.predict(
        ["the dog sees a cat", words], layer=3
    )
    (labels,) = curve.predict([words], layer=0)
    assert labels == ["DET", "NOUN", "VERB", "DET", "NOUN"]


def test_running_text_is_split_at_spaces_and_punctuation(curve):
    (labels,) = curve.predict(["the dog's, cat"], layer=0)
    assert len(labels) == 4


def test_prediction_does_not_depend_on_what_stands_beside(curve):
    texts = [list(one.words) for one in TEST]
    together = curve.predict(texts, layer=7)
    assert together == [curve.predict([text], layer=7)[0] for text in texts]


@pytest.mark.parametrize("layer", [99, 13, -1])
def test_unknown_layer_is_an_error(curve, layer):
    with pytest.raises(CacheError) as caught:
        curve.predict(["the dog"], layer=layer)
    expected = f"A layer from 0 (the embeddings) to 12 was expected, but came {layer}. Ask for one of these."
    assert str(caught.value) == expected


def test_probes_that_are_gone_are_told(study, tmp_path, monkeypatch):
    monkeypatch.setenv("PROBES_HOME", str(tmp_path))
    curve = read_results("layer_pos", study.results)["pretrained"]
    with pytest.raises(FitError) as caught:
        curve.predict(["the dog"], layer=0)
    folder = probes_folder(curve.record.run_id)
    assert str(caught.value) == (
        f"Fitted probes were expected in {folder}, but there are none. Run the experiment again with --refresh."
    )


def test_labels_are_the_names_of_the_task(curve):
    found = {label for labels in curve.predict([one.words for one in TEST], layer=0) for label in labels}
    assert found <= set(curve.record.confusion.labels)
    assert np.unique(curve.outcomes.label).size == len(curve.record.confusion.labels)
