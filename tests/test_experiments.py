"""Every experiment file runs from its YAML to its files, on a toy encoder and a small corpus."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from probes.config import read_experiment
from probes.fit.gap import CONVERGED_GAP
from probes.result import Record, load_outcomes, read_analysis, read_record
from tests.small import write_annotated_treebank, write_small_corpus
from tests.toy import CHECKOUT, SHORT_FIT, call_probes, make_tiny_corpus

SUBSETS = {"all", "seen", "unseen", "count:1-9", "count:10-99"}
# Settings that make a method small enough for a toy encoder on a small corpus.
SMALLER = {
    "edge": ("method.options.refits=2", "method.options.projection=8", "method.options.hidden=8"),
    "erasure": ("method.options.draws=1",),
    "mix": ("method.options.refits=2",),
    "online": ("method.options.orders=1", "method.options.shares=[0.2, 0.5, 1.0]", "method.options.min_steps=30"),
    "structure": ("method.options.rank=[2, full]", "method.options.epochs=2"),
    "sweep": ("method.options.axes={rank: [2, full], examples: [0.5, 1], hidden: [4], steps: [5]}",),
    "use": ("method.options.draws=1", "method.options.sentences=20", "method.options.refit_sentences=20"),
}
ANNOTATED = {"erasure", "legacy_hewitt2019", "legacy_jawahar2019", "legacy_jawahar2019_epochs", "mix", "structure"}
# Of encoders with a masked-word head.
MASKED = {"likelihood"}
EXPERIMENTS = sorted((CHECKOUT / "experiments").glob("*.yaml"))
BELOW = [path for path in sorted((CHECKOUT / "experiments").glob("*/*.yaml")) if path.parent.name != "own_task"]


@pytest.fixture(scope="session")
def record(study) -> Record:
    return study.curves["pretrained"].record


@pytest.fixture(scope="session")
def outcomes(study):
    return study.curves["pretrained"].outcomes


@pytest.mark.parametrize("path", [*EXPERIMENTS, *BELOW], ids=lambda path: path.stem)
def test_experiment_is_valid_asks_a_question_and_names_its_schema(path):
    schema = "../" * len(path.relative_to(CHECKOUT / "experiments").parent.parts) + "experiment.schema.json"
    assert path.read_text(encoding="utf-8").startswith(f"# yaml-language-server: $schema={schema}\n")
    assert read_experiment(path).question.endswith("?")


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_experiment_runs_and_writes_every_file(path, toy_bert, toy_masked_bert, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    experiment = read_experiment(path)
    asks_many = "task" in experiment.grid
    if asks_many:
        path = with_one_twin(path, tmp_path)
        experiment = read_experiment(path)
    runs = experiment.expand()
    encoder = toy_masked_bert if path.stem in MASKED else toy_bert
    overrides = [f"encoder.name={encoder}", "encoder.length=truncate", *SHORT_FIT]
    overrides = [one for one in overrides if one.partition(".")[0] not in experiment.grid]
    overrides += ["encoder.num_layers=2"] if asks_many else []
    if path.stem in ANNOTATED:
        overrides.append(f"corpus.path={write_annotated_treebank(tmp_path)}")
    else:
        overrides += write_small_corpus(runs[0].corpus, tmp_path / "small")
    is_analysis = runs[0].method is not None
    if is_analysis:
        overrides = [one for one in overrides if not one.startswith("task.")]
        overrides += [one for one in SMALLER.get(path.stem, ()) if one.partition("=")[0] not in experiment.grid]
    assert call_probes("run", path, *(part for one in overrides for part in ("--set", one))) == 0
    expected = read_experiment(path, overrides).expand()
    assert len(expected) == len(runs)
    name = path.stem
    files = {str(file.relative_to(tmp_path)) for file in (tmp_path / "results").rglob("*") if file.is_file()}
    assert files == {
        *(f"results/runs/{name}/{run.file_name}" for run in expected),
        *(f"results/outcomes/{run.run_id}.safetensors" for run in expected if not is_analysis),
        *(f"results/tables/{name}.{kind}" for kind in ("md", "csv")),
        *(f"results/figures/{name}.{kind}" for kind in ("pdf", "png")),
    }
    mirrored = {folder.name.rpartition("-")[2] for folder in (tmp_path / "wandb").glob("offline-run-*")}
    assert mirrored == {run.run_id for run in expected}
    for run in expected if is_analysis else ():
        analysis = read_analysis(Path("results", "runs", name, run.file_name))
        assert (analysis.experiment, analysis.run_id, analysis.method) == (name, run.run_id, run.method.name)
        shown = {panel.metric for panel in analysis.panels}
        assert shown <= {one.metric for one in analysis.findings}, "a panel shows nothing"
    for run in () if is_analysis else expected:
        record = read_record(Path("results", "runs", name, run.file_name))
        assert (record.experiment, record.run_id, record.question) == (name, run.run_id, read_experiment(path).question)
        assert {score.variant for score in record.scores} >= {"task", "majority"} | set(run.task.controls)
    assert len(capsys.readouterr().out.splitlines()) < 20 + (len(runs) if asks_many or is_analysis else 0)


def with_one_twin(path: Path, folder: Path) -> Path:
    """A copy of an experiment with the encoder and the first of its twins: what others do is what this one does."""
    settings = yaml.safe_load(path.read_text("utf-8"))
    if twins := settings["grid"].get("encoder.twin"):
        settings["grid"]["encoder.twin"] = twins[:2]
    (folder / path.name).write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return folder / path.name


def test_record_says_where_it_comes_from(record):
    assert record.experiment == "layer_pos"
    assert record.question.startswith("At which layer is part of speech")
    assert record.layers == ("emb", *map(str, range(1, 13)))
    assert record.post_norm_last is True
    assert set(record.environment) == {"commit", "versions", "device", "threads", "bf16_units"}
    assert set(record.environment["versions"]) >= {"torch", "transformers", "pytorch-lightning", "numpy"}
    assert record.environment["device"] == "cpu"
    assert set(record.wall_seconds) == {"read", "encode", "task", "fit", "predict", "score"}
    prints = record.fingerprints
    assert (len(prints.encoder), len(prints.corpus), len(prints.cache)) == (64, 64, 16)


@pytest.mark.parametrize(
    ("variant", "draws", "subsets"),
    [
        ("task", {None}, SUBSETS),
        ("word_type", {0, 1, None}, SUBSETS),
        ("selectivity", {None}, SUBSETS),
    ],
)
def test_every_layer_has_a_row_of_every_variant(record, variant, draws, subsets):
    rows = [score for score in record.scores if score.variant == variant and score.metric == "accuracy"]
    test = [score for score in rows if score.split == "test"]
    assert {score.layer for score in test} == set(range(13))
    assert {score.draw for score in test} == draws
    assert {score.subset for score in test if score.draw is None} == subsets
    assert all(score.low <= score.value <= score.high for score in test)
    assert all(score.detectable >= 0 for score in test)


@pytest.mark.parametrize("variant", ["majority", "word_majority"])
def test_floors_have_no_layer(record, variant):
    rows = [score for score in record.scores if score.variant == variant]
    assert {score.layer for score in rows} == {None}
    assert {(score.metric, score.subset) for score in rows} == {
        *(("accuracy", subset) for subset in SUBSETS),
        ("macro_f1", "all"),
    }


def test_numbers_of_examples_and_groups_are_those_of_the_corpus(record, outcomes):
    words = [word for one in make_tiny_corpus()["test"] for word in one.words]
    train = {word for one in make_tiny_corpus()["train"] for word in one.words}
    sizes = {"all": len(words), "seen": sum(w in train for w in words), "unseen": sum(w not in train for w in words)}
    assert sizes["unseen"] > 0
    for subset, size in sizes.items():
        assert {score.n for score in record.scores if score.split == "test" and score.subset == subset} == {size}
    assert {score.groups for score in record.scores if score.subset == "all"} == {4}
    assert len(outcomes.label) == sizes["all"]


def test_mean_over_draws_and_selectivity_follow_from_the_draws(record):
    for layer in range(13):
        draws = [record.select(variant="word_type", layer=layer, draw=draw)[0].value for draw in (0, 1)]
        mean = record.select(variant="word_type", layer=layer)[0].value
        task = record.select(variant="task", layer=layer)[0].value
        assert mean == pytest.approx(np.mean(draws), abs=1e-6)
        assert record.select(variant="selectivity", layer=layer)[0].value == pytest.approx(task - mean, abs=1e-6)


def test_every_probe_has_a_row_with_gap_and_convergence(record):
    rows = {(row.layer, row.variant, row.draw) for row in record.probes}
    wanted = {("task", None), ("word_type", 0), ("word_type", 1)}
    assert rows == {(layer, variant, draw) for layer in range(13) for variant, draw in wanted}
    assert len(record.probes) == len(rows)
    for row in record.probes:
        assert row.gap_kind == "estimate"
        assert row.gap >= 0
        assert row.l2 in (1e-6, 1e-5, 1e-4)
        assert row.epochs >= 1
    converged = [row.converged for row in record.probes]
    assert converged == [row.gap <= CONVERGED_GAP for row in record.probes]


def test_confusion_and_supports_count_every_example(record, outcomes):
    size = record.select(variant="majority")[0].n
    assert record.confusion.labels == ("ADJ", "ADV", "CCONJ", "DET", "NOUN", "VERB")
    supports = [record.supports["test"][label] for label in record.confusion.labels]
    assert sum(supports) == size
    for layer in range(13):
        counts = np.asarray(record.confusion.layers[layer])
        assert counts.sum(axis=1).tolist() == supports
        assert counts.trace() / size == pytest.approx(record.select(variant="task", layer=layer)[0].value, abs=1e-6)
    assert set(record.supports) == {"train", "dev", "test"}


def test_outcomes_of_every_run_belong_to_the_same_examples(study):
    first, *others = [load_outcomes(path) for path in sorted((study.results / "outcomes").iterdir())]
    assert len(others) == 3
    for other in others:
        np.testing.assert_array_equal(other.label, first.label)
        np.testing.assert_array_equal(other.group, first.group)
        np.testing.assert_array_equal(other.control_label["word_type"], first.control_label["word_type"])
