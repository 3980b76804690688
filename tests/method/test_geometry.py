"""The method over layers whose geometry is known, against all pairs of rows of its sample."""

import numpy as np
import pytest

from probes.config import MethodConfig, Run, parse
from probes.errors import ConfigError
from probes.method import Subject, check_method, geometry
from probes.method.geometry import METHOD, GeometrySettings
from probes.types import Corpus, Sentence
from tests.reference.geometry import all_cosines, kernel_cka
from tests.toy import make_cache

SIZES = {"train": 150, "dev": 6, "test": 6}
DIMS = 6


def make_layers() -> dict[str, np.ndarray]:
    """Layer 1 is emb turned and scaled, 2 shares nothing with them, 3 is a line, 4 rounding noise around one state."""
    made = {}
    for number, (split, size) in enumerate(SIZES.items()):
        stream = np.random.default_rng(number)
        drawn = stream.normal(size=(size, 2 * DIMS))
        basis = np.linalg.qr(drawn - drawn.mean(axis=0)).Q if size > 2 * DIMS else drawn
        first = basis[:, :DIMS] * [9, 5, 3, 2, 1, 1] + 2
        turned = first @ np.linalg.qr(stream.normal(size=(DIMS, DIMS))).Q * 4
        other = np.resize(basis[:, DIMS:], (size, DIMS))
        line = np.outer(np.abs(drawn[:, 0]) + 1, np.arange(1, DIMS + 1))
        noise = 0.3 * (1 + 1e-7 * drawn[:, :DIMS])  # the last bits of float32
        layers = [first, turned, other, line, noise]
        made[split] = np.stack(layers).astype(np.float32)
    return made


def make_corpus(label: str = "a b") -> Corpus:
    """Five sentences a document; labels by turns."""
    names = label.split()
    return Corpus(
        "toy",
        {
            split: tuple(
                Sentence(f"{split}-{n}", ("x",), group=f"{split}-{n // 5}", attributes={"label": names[n % len(names)]})
                for n in range(size)
            )
            for split, size in SIZES.items()
        },
    )


@pytest.fixture(scope="module")
def layers() -> dict[str, np.ndarray]:
    return make_layers()


@pytest.fixture(scope="module")
def cache(layers, tmp_path_factory):
    return make_cache(tmp_path_factory.mktemp("geometry"), layers)


def measure(cache, corpus=None, **settings):
    run = parse(Run, {"corpus": {"reader": "conllu", "path": "x"}, "task": {"name": "label"}}, where="test")
    subject = Subject(run=run, corpus=corpus or make_corpus(), given=cache)
    return METHOD.apply(subject, GeometrySettings(**settings))


@pytest.fixture(scope="module")
def findings(cache):
    return measure(cache)


def value(findings, metric: str, layer: int, *, variant: str = "states", other: str | None = None):
    (found,) = [
        one
        for one in findings.rows
        if (one.metric, one.layer, one.variant, one.at.get("other")) == (metric, layer, variant, other)
    ]
    return found


def test_cka_of_every_pair_is_that_of_kernels(findings, layers, cache):
    for first in range(4):
        for second in range(4):
            found = value(findings, "cka", first, other=cache.layers[second]).value
            assert found == pytest.approx(kernel_cka(*layers["train"][[first, second]].astype(np.float64)), abs=1e-9)
    assert value(findings, "cka", 0, other="1").value == pytest.approx(1, abs=1e-9)
    assert value(findings, "cka", 0, other="2").value == pytest.approx(0, abs=1e-9)


def test_cka_with_states_that_are_all_the_same_is_unknown(findings):
    assert value(findings, "cka", 4, other="4").value is None
    assert value(findings, "cka", 4, other="emb").value is None
    assert value(findings, "cka", 0, other="4").value is None


@pytest.mark.parametrize(("layer", "expected"), [(2, DIMS), (3, 1)])
@pytest.mark.parametrize("metric", ["effective_rank", "participation_ratio"])
def test_ranks_of_known_layers(findings, metric, layer, expected):
    assert value(findings, metric, layer).value == pytest.approx(expected, rel=1e-5)


def test_rank_of_a_layer_that_does_not_vary_is_unknown(findings):
    assert value(findings, "effective_rank", 4).value is None
    assert value(findings, "mean_cosine", 4, variant="centred").value is None
    assert value(findings, "mean_cosine", 4).value == pytest.approx(1)


@pytest.mark.parametrize("layer", range(4))
def test_cosines_are_those_of_all_pairs(findings, layers, layer):
    states = layers["train"][layer].astype(np.float64)
    is_pair = ~np.eye(len(states), dtype=bool)
    for variant, moved in (("states", states), ("centred", states - states.mean(axis=0))):
        found = value(findings, "mean_cosine", layer, variant=variant)
        assert found.value == pytest.approx(all_cosines(moved)[is_pair].mean(), abs=1e-9)
        assert found.low <= found.value <= found.high
    assert value(findings, "mean_norm", layer).value == pytest.approx(np.linalg.norm(states, axis=1).mean())


def test_every_row_says_where_it_was_measured(findings):
    assert {(one.split, one.n, one.groups, one.draw) for one in findings.rows} == {("train", 150, 30, None)}
    assert len(findings.rows) == 5 * 5 + 5 * 5
    with_interval = {one.metric for one in findings.rows if one.low is not None}
    assert with_interval == {"mean_cosine", "mean_norm"}
    assert {panel.metric for panel in findings.panels} == {one.metric for one in findings.rows}


def test_a_sample_is_of_its_size_and_seeded(cache, layers):
    found, again = measure(cache, rows=40), measure(cache, rows=40)
    assert found.rows == again.rows
    assert found.notes["rows"] == 40
    assert found.notes["rows_of_train"] == 150
    lengths = np.linalg.norm(layers["train"][0].astype(np.float64), axis=1)
    mean = value(found, "mean_norm", 0)
    assert (mean.n, mean.value != pytest.approx(lengths.mean(), abs=1e-6)) == (40, True)
    assert lengths.min() < mean.value < lengths.max()


def test_size_of_chunks_does_not_matter(cache, findings, monkeypatch):
    monkeypatch.setattr(geometry, "CHUNK_ROWS", 17)
    for one, other in zip(findings.rows, measure(cache).rows, strict=True):
        assert one.value is None or one.value == pytest.approx(other.value, rel=1e-9, abs=1e-9)
        assert (one.low is None) == (other.low is None)
        assert one.low is None or one.low == pytest.approx(other.low, rel=1e-9, abs=1e-9)


def test_labels_change_nothing(cache, findings):
    assert measure(cache, make_corpus("a a b c")).rows == findings.rows
    assert findings.notes["labels"] == "none is read; task 'label' only says that the unit is 'sentence'"


def test_one_row_is_no_sample():
    config = parse(MethodConfig, {"name": "geometry", "options": {"rows": 1}}, where="test")
    with pytest.raises(ConfigError) as caught:
        check_method(config)
    assert str(caught.value) == (
        "method 'geometry': Key 'rows' should be greater than or equal to 2, but is 1. Change it."
    )
