"""The paragraph on methods says what the results say, cites what it uses, and its list can be unfulfilled."""

import pytest

from probes.report.methods import CITED, _references, checklist, write_methods
from tests.report.test_listing import make
from tests.report.test_listing import row as find


@pytest.fixture
def records(study):
    return [curve.record for curve in study.curves]


def test_paragraph_names_encoder_corpus_task_probe_twins_and_control(records):
    text = write_methods(records)
    paragraph = text.splitlines()[1]
    assert paragraph.startswith("We read all hidden states of ")
    assert "from the output of the embeddings (layer 0) to block 12" in paragraph
    assert "ask of each layer pos." in paragraph
    twins = {record.config["encoder"]["twin"]["seed"] for record in records if record.config["encoder"]["twin"]}
    number = "stands 1 copy" if len(twins) == 1 else f"stand {len(twins)} copies"
    assert f"Beside the encoder {number} of it (untrained)" in paragraph
    draws = records[0].config["task"]["draws"]
    assert f"on {draws} drawn control tasks (word type; \\citealp{{hewitt-liang-2019}})" in paragraph
    score = records[0].select(variant="task")[0]
    assert f"over {score.groups:,} groups of the {score.n:,} test examples (2,000 resamples)" in paragraph
    assert "@inproceedings{hewitt-liang-2019," in text
    assert "voita" not in text


def test_latex_specials_are_escaped(records):
    config = records[0].config | {"corpus": {"path": "a_b&c/*.conllu", "reader": "conllu"}}
    assert "a\\_b\\&c/*.conllu" in write_methods([records[0].model_copy(update={"config": config})])


def test_analysis_cites_its_method():
    fit = {"probe": "linear", "solver": "exact", "hidden": [], "epochs": 4, "l2": [0.001, 0.1]}
    fit |= {"features": "white", "min_steps": 1}
    made = make([], [find("task", 0.5, layer=0)])
    made = made.model_copy(update={"config": made.config | {"fit": fit}, "method": "online"})
    text = write_methods([made])
    assert "The analysis is \\emph{online} \\citep{voita-titov-2020}." in text
    assert "@inproceedings{voita-titov-2020," in text
    told = "linear probes on states standardised on train, solved to their optimum, with an L2 penalty chosen on dev "
    assert told + "for each layer among 0.001 and 0.1; test" in text
    raw = made.config | {"fit": fit | {"features": "raw", "solver": "stack", "l2": [0.1], "min_steps": 500}}
    text = write_methods([made.model_copy(update={"config": raw})])
    told = (
        "on states as they are, fitted for up to 4 epochs or 500 steps, whichever is more, with an L2 penalty of 0.1;"
    )
    assert told in text
    assert "probes on" not in write_methods([made.model_copy(update={"method": "heads"})])


def test_every_citation_has_an_entry():
    known = _references()
    assert {key for keys in CITED.values() for key in keys} <= known.keys()
    assert all(entry.startswith("@") and entry.endswith("}") for entry in known.values())


def test_list_holds_where_it_should_and_not_where_not(records):
    found = dict(checklist(records))
    assert not found["a control task, at least 5 draws"]  # the study of the tests has two
    draws = [
        record.model_copy(update={"config": record.config | {"task": record.config["task"] | {"draws": 5}}})
        for record in records
    ]
    assert dict(checklist(draws))["a control task, at least 5 draws"]
    for overlaps, holds in (({}, True), ({"test in train": 3}, False)):
        changed = [record.model_copy(update={"overlaps": overlaps}) for record in records]
        assert dict(checklist(changed))["no sentence of test stands in train"] is holds
    near = "probes of the task have an optimum, and every one is near it"
    for gap, converged, holds in ((0.001, True, True), (0.5, False, False), (None, False, False)):
        row = {"gap": gap, "converged": converged}
        changed = [
            record.model_copy(update={"probes": tuple(one.model_copy(update=row) for one in record.probes)})
            for record in records
        ]
        assert dict(checklist(changed))[near] is holds
    other = [records[0], records[1].model_copy(update={"environment": {"commit": "another"}})]
    assert not dict(checklist(other))["one state of the code made all runs, and its commit is recorded"]


def test_a_share_of_train_is_told(records):
    assert "of the training sentences" not in write_methods(records)
    task = records[0].config["task"] | {"train_share": 0.1}
    part = records[0].model_copy(update={"config": records[0].config | {"task": task}})
    assert "Probes are fitted to 10 \\% of the training sentences." in write_methods([part])
    assert "Probes are fitted to 10 \\% and 100 \\% of the training" in write_methods([records[0], part])
