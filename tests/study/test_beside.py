"""Runs that ask for several vectors of the same texts: one pass of the encoder, and what each gives alone."""

import pytest
import yaml

from probes.cache import list_caches
from probes.cache.home import remove_cache
from probes.config import Experiment, parse
from probes.encoder.load import load_encoder
from probes.errors import EncoderError
from probes.study.beside import encoders_beside
from probes.study.plan import plan
from probes.study.publish import run_steps
from tests.toy import call_probes
from tests.watch import watch_texts

pytestmark = pytest.mark.usefixtures("no_report")
TWIN = {"kind": "untrained", "seed": 0}


@pytest.fixture
def forwards(monkeypatch, tmp_path):
    """Texts in each forward pass of any encoder; caches in a home of the test."""
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    return watch_texts(monkeypatch)


def settings(encoder, grid, **base):
    return {
        "name": "vectors",
        "question": "?",
        "base": {
            "encoder": {"name": str(encoder), "num_layers": 1, "length": "truncate"},
            "corpus": {"reader": "grammar", "options": {"size": 200}},
            "task": {"name": "tree_depth"},
            "fit": {"epochs": 1, "min_steps": 4, "l2": 1e-3, "gap": "none"},
            **base,
        },
        "grid": grid,
    }


def experiment(*args, **base):
    return parse(Experiment, settings(*args, **base), where="test")


def run(one, results):
    """The curves of an experiment."""
    return run_steps(plan(one, results), results, refresh=False, notify=lambda message: None).found


def test_vectors_of_one_text_are_one_pass_and_the_numbers_of_passes_of_their_own(
    toy_bert, tmp_path, forwards, monkeypatch
):
    vectors = ["cls", "mean", "pooler"]
    grid = {"encoder.sentence": vectors, "encoder.twin": [None, TWIN]}
    together = run(experiment(toy_bert, grid), tmp_path / "together")
    num_texts = sum(forwards)
    assert len(list_caches()) == 6
    monkeypatch.setenv("PROBES_HOME", str(tmp_path / "other"))
    read = {}
    for position, vector in enumerate(vectors):
        forwards.clear()
        grid["encoder.sentence"] = [vector]
        alone = run(experiment(toy_bert, grid), tmp_path / "alone")
        read[vector] = sum(forwards)
        for one, other in zip(together[2 * position : 2 * position + 2], alone, strict=True):
            assert one.record.run_id == other.record.run_id
            assert one.record.fingerprints == other.record.fingerprints
            assert one.record.scores == other.record.scores
    assert read["cls"] == read["mean"] == read["pooler"]
    assert num_texts == read["cls"], "the encoder and its twin once"


def test_a_twin_whose_cache_is_not_kept_is_encoded_for_one_vector_at_a_time(toy_bert, tmp_path, forwards):
    grid = {"encoder.sentence": ["cls", "mean"], "encoder.twin": [None, TWIN]}
    run(experiment(toy_bert, grid, cache={"keep": "pretrained"}), tmp_path / "results")
    assert [("untrained" in path.name) for path in list_caches()] == [False, False]
    spared = sum(forwards)
    forwards.clear()
    run(experiment(toy_bert, {"encoder.sentence": ["cls"], "encoder.twin": [{**TWIN, "seed": 1}]}), tmp_path / "other")
    assert spared == 3 * sum(forwards), "one pass of the encoder and two of the twin"


def test_runs_that_are_done_are_not_encoded_for(toy_bert, tmp_path, forwards):
    both = experiment(toy_bert, {"encoder.sentence": ["cls", "mean"]})
    run(experiment(toy_bert, {"encoder.sentence": ["mean"]}), tmp_path / "results")
    for path in list_caches():
        remove_cache(path)
    run(both, tmp_path / "results")
    assert len(list_caches()) == 1


def test_a_vector_that_an_encoder_lacks_is_told_after_the_others_are_written(toy_bert, tmp_path, forwards, monkeypatch):
    def without_pooler(config):
        if config.sentence == "pooler":
            raise EncoderError("no pooler here")
        return load_encoder(config)

    monkeypatch.setattr("probes.encoder.load.load_encoder", without_pooler)
    grid = {"encoder.sentence": ["cls", "mean", "pooler"]}
    with pytest.raises(EncoderError, match="no pooler here"):
        run(experiment(toy_bert, grid), tmp_path / "results")
    assert len(list((tmp_path / "results" / "runs" / "vectors").glob("*.json"))) == 2


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ({"encoder.sentence": ["cls", "mean", "mean"]}, ["mean"]),
        ({"encoder.sentence": ["cls"], "task": [{"name": "tree_depth"}, {"name": "root_tense"}]}, []),
        ({"encoder.sentence": ["cls", "mean"], "seed": [0, 1]}, ["mean"]),
        ({"task": [{"name": "tree_depth"}, {"name": "bigram_shift"}], "encoder.sentence": ["cls", "mean"]}, ["mean"]),
        ({"encoder.num_layers": [1, 2]}, []),
        ({"encoder.batch_pieces": [64, 128]}, []),
        ({"encoder.twin": [None, TWIN]}, []),
        ({"encoder.sentence": ["cls"], "corpus.options.size": [9, 8]}, []),
    ],
)
def test_others_differ_in_the_vector_alone(toy_bert, grid, expected):
    first, *later = experiment(toy_bert, grid).expand()
    found = list(encoders_beside(load_encoder(first.encoder), first, later))
    assert [one.config.sentence for one in found] == expected


def test_probes_encode_fills_all_of_them_in_one_pass(toy_bert, tmp_path, forwards, capsys):
    path = tmp_path / "vectors.yaml"
    body = settings(toy_bert, {"encoder.sentence": ["cls", "mean"]})
    del body["name"]
    path.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    assert call_probes("encode", str(path)) == 0
    num_texts = sum(forwards)
    assert len(capsys.readouterr().out.splitlines()) == len(list_caches()) == 2
    forwards.clear()
    run(experiment(toy_bert, {"encoder.sentence": ["cls"], "encoder.twin": [TWIN]}), tmp_path / "other")
    assert sum(forwards) == num_texts
