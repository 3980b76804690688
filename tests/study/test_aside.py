"""A control with rows of its own stands in the record beside its task, resampled by the same groups."""

import numpy as np
import pytest

import probes
from probes.errors import FitError


@pytest.fixture(scope="module")
def curve(toy_bert, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROBES_HOME", str(tmp_path_factory.mktemp("home")))
        corpus = probes.read_corpus(probes.config.CorpusConfig(reader="grammar", options={"size": 200}))
        cache = probes.encode(str(toy_bert), corpus, num_layers=2, length="truncate")
        yield probes.probe(cache, "dependency_edge", controls=["arc", "word_type"], draws=2, min_steps=40)


def rows(curve, variant):
    return [score for score in curve.record.scores if score.variant == variant and score.metric == "accuracy"]


def test_every_draw_and_their_mean_have_a_row_for_each_layer(curve):
    found = {(score.draw, score.layer): score for score in rows(curve, "arc")}
    assert set(found) == {(draw, layer) for draw in (0, 1, None) for layer in range(3)}
    for layer in range(3):
        values = [found[draw, layer].value for draw in (0, 1)]
        assert found[None, layer].value == pytest.approx(np.mean(values), abs=1e-6)
    assert all(score.low <= score.value <= score.high for score in found.values())


def test_its_examples_are_its_own(curve):
    (size,) = {score.n for score in rows(curve, "arc")}
    (of_task,) = {score.n for score in rows(curve, "task") if score.subset == "all" and score.split == "test"}
    assert size != of_task
    assert {score.groups for score in rows(curve, "arc")} == {
        score.groups for score in rows(curve, "task") if score.subset == "all" and score.split == "test"
    }


def test_there_is_no_selectivity_of_unlike_chances(curve):
    assert rows(curve, "selectivity.arc") == []
    assert len(rows(curve, "selectivity")) > 0


def test_its_majority_is_a_floor_without_layer(curve):
    (floor,) = rows(curve, "arc_majority")
    assert floor.layer is None
    assert 0.5 < floor.low <= floor.value <= floor.high < 0.8


def test_its_probes_are_in_the_record_as_draws(curve):
    found = {(row.variant, row.draw, row.layer) for row in curve.record.probes}
    controls = {(name, draw, layer) for name in ("arc", "word_type") for draw in (0, 1) for layer in range(3)}
    assert found == controls | {("task", None, layer) for layer in range(3)}


def test_the_table_shows_it(curve):
    header = str(curve).splitlines()[1].split()
    assert "arc" in header
    assert "selectivity" in header


def test_a_probe_of_pairs_says_that_it_cannot_label_a_text(curve):
    with pytest.raises(FitError) as caught:
        curve.predict(["the dog runs"], layer=1)
    assert str(caught.value) == (
        "A probe that reads one vector of 32 dims was expected, but that of task 'dependency_edge' reads 96: its "
        "examples are several words. Ask the fitted probe for rows of a cache instead."
    )
