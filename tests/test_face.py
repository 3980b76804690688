"""The ten lines of every user, and what they raise."""

import subprocess
import sys
import time

import numpy as np
import pytest

import probes
from probes.errors import ConfigError, ResultError, TaskError
from tests.toy import make_corpus, make_tiny_corpus, write_treebank

SHORT = {"epochs": 1, "min_steps": 4}


@pytest.fixture(scope="session")
def data():
    return make_tiny_corpus()


@pytest.fixture(scope="session")
def states(toy_bert, data):
    return probes.encode(str(toy_bert), data)


@pytest.fixture(scope="session")
def sentences():
    """Forty texts with one label each, of which every encoder state but that of [CLS] knows something."""
    texts = [f"the {'dog' if number % 3 else 'cat'} sees a x{number}" for number in range(60)]
    labels = ["many" if number % 3 else "few" for number in range(60)]
    return probes.from_lists(texts, labels, ["train"] * 40 + ["dev"] * 10 + ["test"] * 10)


@pytest.fixture(scope="session")
def sentence_curve(toy_bert, sentences):
    return probes.probe(probes.encode(str(toy_bert), sentences), "label", **SHORT)


@pytest.mark.slow
def test_ten_lines_run_as_written(toy_bert, tmp_path, monkeypatch):
    """The block of the README, on the toy encoder and a treebank in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WANDB_DIR", raising=False)
    treebank = write_treebank(make_tiny_corpus(), tmp_path)
    for path in treebank.glob("*.conllu"):
        path.rename(path.with_name(path.name.replace("tiny-ud", "en_ewt-ud")))
    lines = """
import probes
data   = probes.read_corpus("en_ewt-ud-*.conllu")        # or probes.from_lists(sentences, labels, splits)
states = probes.encode("bert-base-uncased", data)        # cache + corpus; the next call only opens it
curve  = probes.probe(states, "pos", controls=["word_type"])   # every layer x setting x draw, one fit
print(curve)                          # layer, accuracy [low, high], floors, control, selectivity, gap to the optimum
print(curve.best_layer())             # chosen on dev, with the layers it cannot be told from
curve.plot("pos.pdf"); curve.log_wandb()
twin   = probes.probe(probes.encode("bert-base-uncased", data, twin="untrained", seed=0), "pos")
print(curve - twin)                   # paired difference with interval
X = states.layer(7, "train")          # a read-only NumPy memmap [row, dim]: scikit-learn code goes on here
"""
    names: dict = {}
    exec(lines.replace("bert-base-uncased", str(toy_bert)), names)
    assert isinstance(names["X"], np.memmap)
    assert not names["X"].flags.writeable
    assert names["X"].shape == (sum(len(one.words) for one in names["data"]["train"]), 32)
    assert (tmp_path / "pos.pdf").is_file()
    assert len(list((tmp_path / "wandb").glob("offline-run-*"))) == 1
    assert names["curve"].predict(["the dog runs"], layer=7)[0][0] in {"DET", "NOUN", "VERB", "ADJ", "ADV", "CCONJ"}
    assert not (tmp_path / "results").exists(), "results are files of experiments"


def test_same_call_opens_the_same_cache(toy_bert, data, states):
    before = {path.name: path.stat().st_mtime_ns for path in states.folder.iterdir()}
    again = probes.encode(str(toy_bert), data)
    assert again.folder == states.folder
    assert {path.name: path.stat().st_mtime_ns for path in again.folder.iterdir()} == before


def test_twins_of_two_seeds_have_caches_of_their_own(toy_bert, data, states):
    twins = [probes.encode(str(toy_bert), data, twin="untrained", seed=seed) for seed in (0, 1)]
    assert len({cache.folder for cache in (states, *twins)}) == 3
    assert [cache.manifest.encoder["twin"] for cache in twins] == [{"kind": "untrained", "seed": n} for n in (0, 1)]


def test_curve_in_memory_has_the_scores_of_the_same_experiment(states):
    one = probes.probe(states, "pos", controls=["word_type"], draws=2, **SHORT)
    other = probes.probe(states, "pos", controls=["word_type"], draws=2, **SHORT)
    assert one.record.scores == other.record.scores
    assert one.record.run_id == other.record.run_id
    assert one.record.config["corpus"]["reader"] == "python"


def test_probe_within_the_gap_has_converged(states, monkeypatch):
    gaps = [row.gap for row in probes.probe(states, "pos", **SHORT).record.probes]
    limit = sorted(gaps)[6]
    monkeypatch.setattr("probes.fit.distance.CONVERGED_GAP", limit)
    rows = probes.probe(states, "pos", **SHORT).record.probes
    assert [row.converged for row in rows] == [gap <= limit for gap in gaps]
    assert {row.converged for row in rows} == {False, True}


def test_another_draw_changes_no_other_number(states):
    few = probes.probe(states, "pos", controls=["word_type"], draws=1, **SHORT).record
    many = probes.probe(states, "pos", controls=["word_type"], draws=2, **SHORT).record
    assert few.select(variant="task") == many.select(variant="task")
    assert few.select(variant="word_type", draw=0) == many.select(variant="word_type", draw=0)


def test_cache_that_is_opened_takes_the_corpus_as_argument(states, data):
    opened = probes.open_cache(states.folder)
    with pytest.raises(TaskError) as caught:
        probes.probe(opened, "pos")
    assert str(caught.value) == (
        f"Task 'pos' needs the annotation of a corpus, but {opened.folder.name} was opened without one. "
        f"Give it: probes.probe(cache, 'pos', corpus=...)."
    )
    curve = probes.probe(opened, "pos", corpus=data, **SHORT)
    assert curve.record.scores == probes.probe(states, "pos", **SHORT).record.scores


def test_word_lists_are_probed_for_their_own_labels(toy_bert):
    corpus = make_corpus()
    rows = [(one, split) for split in corpus.splits for one in corpus[split]]
    words, labels = [one.words for one, _ in rows], [one.columns["upos"] for one, _ in rows]
    lists = probes.from_lists(words, labels, [split for _, split in rows])
    curve = probes.probe(probes.encode(str(toy_bert), lists), "word_label", **SHORT)
    assert curve.record.confusion.labels == ("ADJ", "ADV", "CCONJ", "DET", "NOUN", "VERB")


def test_share_of_nothing_is_shown_as_a_dash(toy_bert):
    curve = probes.probe(probes.encode(str(toy_bert), make_corpus(size=16)), "pos", **SHORT)
    unseen = curve.record.select(variant="task", subset="unseen")
    assert {(score.n, score.value, score.low) for score in unseen} == {(0, None, None)}
    assert "nan" not in str(curve)


def test_sentence_task_reads_cls_and_knows_the_majority_only_at_emb(sentence_curve):
    """The embedding of [CLS] is the same for every text: one answer is all that any probe can give."""
    record = sentence_curve.record
    majority = record.select(variant="majority")[0].value
    assert sentence_curve.accuracy[0] == majority
    assert len(set(sentence_curve.outcomes.predicted["task"][0].tolist())) == 1
    assert {score.subset for score in record.scores} == {"all"}, "no word recurs"
    floors = f"floors: majority {majority * 100:.1f}, length {majority * 100:.1f}, bag_of_words 100.0"
    assert floors in str(sentence_curve).splitlines()


def test_sentence_task_predicts_a_label_for_each_text(sentence_curve, sentences):
    texts = [one.text for one in sentences["test"]]
    labels = sentence_curve.record.confusion.labels
    for layer in (0, 12):
        kept = [labels[code] for code in sentence_curve.outcomes.predicted["task"][layer]]
        assert sentence_curve.predict(texts, layer=layer) == kept


def adopt(corpus, *, knows_labels):
    """Random vectors of three layers; the last one knows the label of its word, or nothing."""
    stream = np.random.default_rng(0)
    states = {}
    for split, rows in corpus.splits.items():
        labels = [tag for sentence in rows for tag in sentence.columns["upos"]]
        states[split] = stream.normal(size=(3, len(labels), 8)).astype(np.float32)
        if knows_labels:
            states[split][2, :, 0] += [5.0 * (tag == "NOUN") for tag in labels]
            states[split][2, :, 1] += [5.0 * (tag == "DET") for tag in labels]
    return probes.adopt(states, corpus, name="vectors")


@pytest.mark.parametrize("knows_labels", [True, False])
def test_adopted_vectors_are_probed_like_any_other(data, knows_labels):
    curve = probes.probe(adopt(data, knows_labels=knows_labels), "pos", controls=["word_type"], draws=1, epochs=3)
    assert curve.layers == ("emb", "1", "2")
    floor = curve.record.select(variant="majority")[0].value
    assert (curve.accuracy[2] > floor + 0.2) == knows_labels
    assert curve.accuracy[0] < floor + 0.2
    assert len(curve.record.select(variant="word_type")) == 3


def test_other_vectors_of_one_name_are_another_run(data):
    curves = [probes.probe(adopt(data, knows_labels=knows), "pos", **SHORT) for knows in (True, False, True)]
    assert curves[0].record.run_id == curves[2].record.run_id != curves[1].record.run_id
    assert curves[0].record.fingerprints.encoder != curves[1].record.fingerprints.encoder


def test_adopted_vectors_cannot_be_made_of_new_text(data):
    curve = probes.probe(adopt(data, knows_labels=True), "pos", **SHORT)
    with pytest.raises(ResultError, match=r"^Prediction needs the fitted probes"):
        curve.predict(["the dog"], layer=1)


WITHOUT_TRANSFORMERS = """
import importlib.metadata, sys
real = importlib.metadata.distribution
def hidden(name):
    if name in ("transformers", "tokenizers"):
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)
importlib.metadata.distribution = hidden
importlib.metadata.version = lambda name: hidden(name).version
sys.modules["transformers"] = sys.modules["tokenizers"] = None
import numpy as np
import probes
words = [["the", "dog", "runs"], ["a", "cat"]] * 30
labels = [["D", "N", "V"], ["D", "N"]] * 30
data = probes.from_lists(words, labels, ["train"] * 40 + ["dev"] * 10 + ["test"] * 10)
rows = {split: sum(len(sentence.words) for sentence in part) for split, part in data.splits.items()}
states = {split: np.random.default_rng(0).normal(size=(2, number, 4)) for split, number in rows.items()}
print(probes.probe(probes.adopt(states, data, name="mine"), "word_label", epochs=1, min_steps=4))
"""


@pytest.mark.slow
def test_adopted_vectors_are_probed_without_transformers(tmp_path):
    ran = subprocess.run([sys.executable, "-c", WITHOUT_TRANSFORMERS], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "majority" in ran.stdout


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"epoch": 3},
            "probe: Unknown key 'fit.epoch'. Known keys inside 'fit' are 'epochs', 'select', 'dropout', 'patience', "
            "'schedule', 'min_steps', 'plateau_patience', 'precision', 'step_size', 'batch_rows', 'gap', "
            "'weight_decay', 'input_dropout', 'plateau_factor', 'betas', 'probe', 'hidden', 'solver', 'features', "
            "'optimizer', 'activation', 'init', 'l2', 'rank'. Rename or remove it.",
        ),
        ({"draws": 0}, "probe: Key 'task.draws' should be greater than or equal to 1, but is 0. Change it."),
        ({"seed": -1}, "probe: Key 'seed' should be greater than or equal to 0, but is -1. Change it."),
        (
            {"controls": "word_type"},
            "probe: Key 'task.controls' should be a valid tuple, but is 'word_type'. Change it.",
        ),
    ],
)
def test_wrong_setting_of_a_probe_is_one_message(states, settings, message):
    with pytest.raises(ConfigError) as caught:
        probes.probe(states, "pos", **settings)
    assert str(caught.value) == message


def test_wrong_setting_of_an_encoder_is_one_message(toy_bert, data):
    with pytest.raises(ConfigError) as caught:
        probes.encode(str(toy_bert), data, wrd="mean")
    message = str(caught.value)
    assert message.startswith("encode: Unknown key 'wrd'. Known keys at the top are 'word', ")
    assert message.endswith(". Rename or remove it.")


def test_unknown_control_is_one_message(states):
    with pytest.raises(TaskError) as caught:
        probes.probe(states, "pos", controls=["word_tpe"])
    known = "'word_type', 'root_lemma', 'permuted', 'arc'"
    expected = f"Unknown control 'word_tpe'. Known controls are {known}. Choose one of these."
    assert str(caught.value) == expected


def test_every_public_name_is_there():
    for name in probes.__all__:
        assert getattr(probes, name).__name__ == name


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError) as caught:
        _ = probes.prob
    assert str(caught.value) == "module 'probes' has no attribute 'prob'"


def test_import_is_light():
    """Under a second beyond the interpreter, which a slow machine may need several of."""
    command = [
        sys.executable,
        "-c",
        "import probes, sys; assert 'torch' not in sys.modules and 'numpy' not in sys.modules",
    ]
    start = time.perf_counter()
    subprocess.run(command, check=True)
    assert time.perf_counter() - start < 5
