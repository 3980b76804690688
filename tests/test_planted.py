"""Each reading of planted encoders is decided by the numbers that it names."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from probes.planted import LABELS, NUM_BLOCKS, PLANTINGS
from tests.conftest import CHECKOUT
from tests.scripts import scripts
from tests.toy import call_probes

FOLDER = CHECKOUT / "experiments" / "planted"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture(scope="module")
def modules():
    with scripts(FOLDER, "methods", "readings", "score", "show") as loaded:
        yield loaded


class Found:
    """Numbers by variant and metric, the same at every layer."""

    def __init__(self, rows: dict[tuple[str, str], tuple[float, float, float]]) -> None:
        self.rows = rows

    def select(self, *, variant, metric="accuracy", layer=None, split="test"):
        low, value, high = self.rows[variant, metric]
        return [SimpleNamespace(low=low, value=value, high=high)]


def around(value: float) -> tuple[float, float, float]:
    return value - 0.05, value, value + 0.05


# What every reading takes for something that is there.
CURVE = {
    ("task", "accuracy"): around(0.9),
    ("majority", "accuracy"): around(0.5),
    ("word_majority", "accuracy"): around(0.6),
    ("selectivity", "accuracy"): around(0.3),
}
CODE = {
    ("task", "compression"): around(3.0),
    ("word_type", "compression"): around(2.0),
    ("task", "compression_of_entropy"): around(1.5),
}
INFORMATION = {
    ("task", "v_information_bits"): around(0.5),
    ("task", "conditional_v_information_bits"): around(0.2),
}
# The number that makes one reading say no, and no other.
SPOILS = {
    "accuracy above the majority": ("linear", ("majority", "accuracy"), 0.88),
    "accuracy above the majority of each word": ("linear", ("word_majority", "accuracy"), 0.88),
    "accuracy above untrained twins": ("twins", ("task", "accuracy"), 0.88),
    "perceptron above untrained twins": ("perceptron_twins", ("task", "accuracy"), 0.88),
    "selectivity above 0": ("linear", ("selectivity", "accuracy"), 0.04),
    "perceptron above the majority": ("perceptron", ("majority", "accuracy"), 0.88),
    "selectivity of the perceptron above 0": ("perceptron", ("selectivity", "accuracy"), 0.04),
    "code shorter than the entropy": ("online", ("task", "compression_of_entropy"), 1.04),
    "code shorter than the control's": ("online", ("word_type", "compression"), 2.95),
    "V-information above 0": ("information", ("task", "v_information_bits"), 0.04),
    "V-information beyond the embeddings, over .01 nats": (
        "information",
        ("task", "conditional_v_information_bits"),
        0.06,
    ),
}


def make_case(modules, encoder="middle", label="context"):
    twin = {("task", "accuracy"): around(0.55)}
    return modules["readings"].Case(
        encoder,
        label,
        linear=Found(CURVE),
        perceptron=Found(CURVE),
        twins=(Found(twin), Found(twin)),
        perceptron_twins=(Found(twin), Found(twin)),
        online=Found(CODE),
        information=Found(INFORMATION),
    )


def test_every_reading_has_a_number_that_spoils_it(modules):
    assert modules["readings"].READINGS.keys() == {*SPOILS, "V-information beyond the embeddings"}
    case = make_case(modules)
    assert all(reading(case, 3) for reading in modules["readings"].READINGS.values())


@pytest.mark.parametrize("name", SPOILS)
def test_a_reading_says_no_when_its_number_does_and_the_others_do_not(modules, name):
    field, key, value = SPOILS[name]
    case = make_case(modules)
    old = getattr(case, field)
    is_twin = isinstance(old, tuple)
    spoilt = Found({**(old[1] if is_twin else old).rows, key: around(value)})
    case = replace(case, **{field: (old[0], spoilt) if is_twin else spoilt})
    said = {one: reading(case, 3) for one, reading in modules["readings"].READINGS.items()}
    assert [one for one, yes in said.items() if not yes] == [name]


def test_without_a_tolerance_a_difference_of_nothing_is_beyond_the_embeddings(modules):
    key = ("task", "conditional_v_information_bits")
    for bits, wanted in ((-0.001, [False, False]), (0.001, [True, False]), (0.0145, [True, True])):
        case = replace(make_case(modules), information=Found({**INFORMATION, key: (bits, bits, bits)}))
        names = ("V-information beyond the embeddings", "V-information beyond the embeddings, over .01 nats")
        assert [modules["readings"].READINGS[name](case, 3) for name in names] == wanted


def test_nothing_is_beyond_the_embeddings_at_the_embeddings(modules):
    assert not modules["readings"].READINGS["V-information beyond the embeddings"](make_case(modules), 0)


def test_rates_count_layers_by_what_the_label_is_there(modules, monkeypatch):
    score = modules["score"]
    monkeypatch.setattr(score, "READINGS", {"always": lambda case, layer: True, "late": lambda case, layer: layer > 2})
    cases = [make_case(modules, encoder, label) for encoder in PLANTINGS if encoder != "tree" for label in LABELS]
    rows = {(row["reading"], row["kind"]): (row["found"], row["of"]) for row in score.rates(cases)}
    truths = [case.kind(layer) for case in cases for layer in range(NUM_BLOCKS + 1)]
    for kind in modules["show"].KINDS:
        assert rows["always", kind] == (truths.count(kind), truths.count(kind))
    assert rows["late", "word"][0] == rows["late", "word"][1] * 4 // 7
    assert sum(of for _, of in rows.values()) == 2 * len(truths)


def test_layer_errors_are_counted_from_the_block_that_writes(modules, monkeypatch):
    score = modules["score"]
    readings = {
        "right": lambda case, layer: case.kind(layer) == "linear",
        "early": lambda case, layer: True,
        "late": lambda case, layer: layer == NUM_BLOCKS,
        "never": lambda case, layer: False,
    }
    monkeypatch.setattr(score, "READINGS", readings)
    cases = [make_case(modules, encoder) for encoder in ("nothing", "early", "middle")]
    rows = list(score.layer_errors(cases))
    assert {row["encoder"] for row in rows} == {"early", "middle"}, "nothing is nowhere to be found"
    found = {(row["reading"], row["encoder"]): row["error"] for row in rows}
    for encoder in ("early", "middle"):
        there = PLANTINGS[encoder].written
        assert found["right", encoder] == 0
        assert found["early", encoder] == -there
        assert found["late", encoder] == NUM_BLOCKS - there
        assert found["never", encoder] is None


@pytest.mark.slow
def test_scores_are_made_of_runs(modules, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(modules["score"], "CURVES", ("middle",))
    monkeypatch.setattr(modules["score"], "LABELS", ("context",))
    monkeypatch.setattr("probes.study.publish.report", lambda curves, results: [])
    small = {"corpus.options.size": 600, "fit.min_steps": 200}
    task = "{name: column.context, controls: [word_type], draws: 2}"
    changes = {
        "planted_curves": {"encoder.name": "planted:middle", "task": task},
        "planted_perceptron": {"encoder.name": "planted:middle", "task": task},
        "planted_twins": {"task": task},
        "planted_twins_perceptron": {"task": task},
        "planted_methods": {"encoder.name": "planted:middle", "task": task},
        "planted_mix": {"encoder.name": "planted:middle", "method.options.refits": 2},
        "planted_tree": {"method.options.epochs": 8},
        "planted_erasure": {"encoder.name": "planted:middle"},
        "planted_use": {"encoder.name": "planted:used", "method.options.sentences": 60},
    }
    for path in FILES:
        settings = [f"{key}={value}" for key, value in {**small, **changes.get(path.stem, {})}.items()]
        assert call_probes("run", path, *(part for one in settings for part in ("--set", one))) == 0
    modules["score"].main([])
    found = json.loads((tmp_path / "results" / "planted" / "score.json").read_text())
    rates = {(row["reading"], row["kind"]): row["found"] / row["of"] for row in found["rates"] if row["of"]}
    assert rates["accuracy above the majority", "linear"] == 1.0
    assert rates["accuracy above the majority", "absent"] < 0.3
    assert rates["V-information beyond the embeddings", "linear"] == 1.0
    written = PLANTINGS["middle"].written
    errors = [row["error"] for row in found["layer_errors"] if row["reading"] == "accuracy above the majority"]
    assert errors == [0]
    (mix,) = found["expected_layer"]
    assert mix["value"] == pytest.approx(written, abs=0.3)
    tree = {(row["encoder"], row["layer"]): row for row in found["tree"]}
    assert len(tree) == len(found["tree"]) == 3 * (NUM_BLOCKS + 1)
    assert all(row["uuas"] > 0.9 for row in tree.values() if row["is_there"])
    assert all(row["uuas"] < 0.8 for row in tree.values() if not row["is_there"])
    erased = {row["layer"]: row for row in found["erasure"]}
    assert [layer for layer, row in erased.items() if row["is_there"]] == [2, 3, 4]
    assert all(row["before"] == 1.0 and row["left"] < 0.6 for row in erased.values() if row["is_there"])
    assert {row["edited"] for row in found["use"]} == {2, 3}
    assert min(row["effect"] for row in found["use"]) < -0.3
    assert "| middle | " in capsys.readouterr().out


def test_methods_are_right_where_the_planting_says_so(modules):
    """One place of each kind that is called rightly, and one that is not."""
    mix = [{"written": 1, "value": 1.3}, {"written": 4, "value": 3.2}, {"written": 2, "value": None}]
    mix += [{"written": None, "value": None}, {"written": None, "value": 0.0}]
    tree = [
        {"encoder": "untrained", "layer": 0, "is_there": False, "low": 0.6, "high": 0.7, "chain": 0.4},
        {"encoder": "untrained", "layer": 1, "is_there": False, "low": 0.6, "high": 0.9, "chain": 0.4},
        {"encoder": "tree", "layer": 0, "is_there": False, "low": 0.65, "high": 0.7, "chain": 0.4},
        {"encoder": "tree", "layer": 1, "is_there": True, "low": 0.95, "high": 1.0, "chain": 0.4},
        {"encoder": "nothing", "layer": 0, "is_there": False, "low": 0.3, "high": 0.5, "chain": 0.4},
        {"encoder": "nothing", "layer": 1, "is_there": False, "low": 0.91, "high": 0.95, "chain": 0.4},
    ]
    level = {"word": [0.0, 0.0], "position": [0.0, 0.0]}
    erased = [
        {"is_there": True, "low": 0.48, "majority_high": 0.52, "lost": {**level, "word": [0.01, 0.02]}},
        {"is_there": True, "low": 0.53, "majority_high": 0.52, "lost": {**level, "word": [-0.01, 0.1]}},
        {"is_there": False, "low": 0.9, "majority_high": 0.5, "lost": level},
    ]
    use = [{"is_used": True, "high": -0.1}, {"is_used": True, "high": 0.0}, {"is_used": False, "high": 0.01}]
    body = {"expected_layer": mix, "tree": tree, "erasure": erased, "use": use}
    found = {row["reading"]: tuple(row.values())[1:] for row in modules["methods"].method_rates(body)}
    assert found == {
        "expected layer rounds to the block that writes": (1, 3, 1, 2),
        "structural probe above the chain": (1, 1, 2, 3),
        "structural probe above an untrained twin": (1, 1, 1, 3),
        "erased, and read no better than the majority": (1, 2, 0, 0),
        "erased, and another label is read less well": (0, 0, 1, 6),
        "erasing it changes the answer": (1, 2, 0, 1),
    }


def test_table_and_figure_show_every_reading(modules, monkeypatch, tmp_path):
    readings = modules["readings"].READINGS
    kinds = modules["show"].KINDS
    rates = [{"reading": name, "kind": kind, "found": 3, "of": 4} for name in readings for kind in kinds]
    errors = [
        {"reading": name, "encoder": "early", "label": "context", "there": 1, "error": error}
        for name in readings
        for error in (0, 0, -1, 2, None)
    ]
    mix = [{"encoder": "nothing", "written": None, "value": None, "low": None, "high": None}]
    mix.append({"encoder": "early", "written": 1, "value": 1.004, "low": 0.99, "high": 1.02})
    tree = [{"encoder": "tree", "layer": 2, "is_there": True, "uuas": 1.0, "chain": 0.355}]
    use = [{"encoder": "used", "is_used": True, "edited": 2, "effect": -0.5, "low": -0.52, "high": -0.48}]
    lost = {"column.word": [-0.01, 0.0], "column.position": [0.0, 0.0123]}
    erased = [{"encoder": "early", "layer": 1, "before": 1.0, "left": 0.504, "lost": lost}]
    methods = [{"reading": "above the chain", "found": 3, "of": 3, "false": 0, "of_false": 0}]
    body = {"rates": rates, "layer_errors": errors, "expected_layer": mix, "tree": tree, "use": use}
    body |= {"erasure": erased, "methods": methods}
    lines = list(modules["show"].write_table(body))
    assert "| selectivity above 0 | 3/4 | 3/4 | 3/4 | 3/4 | 3/4 | 3/4 | 2 | 1 | 1 | 1 |" in lines
    assert "| nothing | - | undefined |" in lines
    assert "| early | 1 | 1.00 [0.99, 1.02] |" in lines
    assert "| tree | 2 | 1.00, 0.35 |" in lines or "| tree | 2 | 1.00, 0.36 |" in lines
    assert "| above the chain | 3/3 | - |" in lines
    assert "| early | 1.00 0.50 | 0.000, 0.012 |" in lines
    assert "| used | yes | 2 | -0.50 [-0.52, -0.48] |" in lines
    modules["show"].draw(rates, tmp_path / "planted.png")
    assert (tmp_path / "planted.png").stat().st_size > 10_000
