"""Planted encoders hold at every layer what is said of them, and nothing else."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import AutoModel

import probes
from probes.encoder.planted import (
    CONTEXT,
    COPY,
    HEAD_PLACE,
    NUM_PLACES,
    OWN,
    PARITY,
    PLACE,
    planted_folder,
)
from probes.errors import ConfigError
from probes.planted import NUM_BLOCKS, PLANTINGS

SENTENCES = tuple(probes.read_corpus("planted")["test"][:60])
# States are about 1.3 in size; what is left after taking away is rounding.
THERE, GONE = 0.5, 1e-5


@pytest.fixture(scope="module")
def states():
    """[layer, word, dim] of each encoder; the first word of a sentence has no word before it and is left out."""
    made = {}
    for name in PLANTINGS:
        read = probes.load_encoder(f"planted:{name}")([one.words for one in SENTENCES])
        parts = [
            torch.stack([state[number, 2 : 1 + len(one.words)] for state in read.hidden_states])
            for number, one in enumerate(SENTENCES)
        ]
        made[name] = torch.cat(parts, dim=1).numpy()
    return made


def signs(label: str) -> np.ndarray:
    return np.array([2 * int(value) - 1 for one in SENTENCES for value in one.columns[label][1:]])


def pair(state: np.ndarray, place: int) -> np.ndarray:
    assert np.allclose(state[..., 2 * place], -state[..., 2 * place + 1], atol=1e-5)
    return state[..., 2 * place]


@pytest.mark.parametrize("name", PLANTINGS)
@pytest.mark.parametrize("layer", range(NUM_BLOCKS + 1))
def test_labels_are_in_dims_of_their_own_where_they_are_linear_and_in_none_where_not(name, layer, states):
    planting, state = PLANTINGS[name], states[name][layer]
    context, copy, parity = (pair(state, place) for place in (CONTEXT, COPY, PARITY))
    held = [one for one in (context, copy) if np.abs(one).min() > THERE]
    assert (planting.truth("context", layer) == "linear") == bool(held)
    for one in held:
        assert (np.sign(one) == signs("context")).all()
    if planting.truth("parity", layer) == "linear":
        assert (np.sign(parity) == signs("parity")).all()
        assert np.abs(parity).min() > THERE
    else:
        assert np.abs(parity).max() < GONE
    for one in (context, copy):
        assert np.abs(one).min() > THERE or np.abs(one).max() < GONE


def test_the_kind_of_a_word_stands_in_no_dim(states):
    kinds = signs("word")
    likeness = np.abs(np.sign(states["nothing"][0]).T @ kinds) / len(kinds)
    assert likeness.max() < 0.5


@pytest.mark.parametrize("layer", range(NUM_BLOCKS + 1))
def test_parity_is_the_product_of_two_dims_where_it_is_not_linear(layer, states):
    if PLANTINGS["parity"].truth("parity", layer) == "nonlinear":
        state = states["parity"][layer]
        product = pair(state, CONTEXT) * pair(state, OWN)
        assert (np.sign(product) == signs("parity")).all()


@pytest.mark.parametrize("layer", range(NUM_BLOCKS + 1))
def test_distances_of_two_maps_are_those_of_the_tree(layer, states):
    """Own place and head's place in one space, the root's place left out: the path from the root."""
    first = 0
    for one in SENTENCES:
        state = states["tree"][layer][first : first + len(one.words) - 1]
        first += len(one.words) - 1
        places = np.stack([pair(state, PLACE + number) for number in range(2, NUM_PLACES)], axis=1)
        heads = np.stack([pair(state, HEAD_PLACE + number) for number in range(2, NUM_PLACES)], axis=1)
        path = places / places.max() + (heads / max(heads.max(), THERE) if np.abs(heads).max() > GONE else 0)
        found = ((path[:, None] - path[None]) ** 2).sum(axis=2)
        depths = np.asarray(one.tree.depths()[1:])
        if PLANTINGS["tree"].has_tree(layer):
            assert np.allclose((path**2).sum(axis=1), depths, atol=1e-3)
            assert np.allclose(found, distances(one.tree.heads), atol=1e-3)
        else:
            assert np.abs(heads).max() < GONE


def distances(heads: tuple[int, ...]) -> np.ndarray:
    """Edges between all words but the root, by their paths."""
    paths = []
    for word in range(2, len(heads) + 1):
        path = set()
        while heads[word - 1]:
            path.add(word)
            word = heads[word - 1]
        paths.append(path)
    return np.array([[len(one ^ other) for other in paths] for one in paths])


def test_plain_transformers_reads_the_folder_and_it_is_made_once():
    folder = planted_folder("used")
    before = (folder / "model.safetensors").stat().st_mtime_ns
    assert planted_folder("used") == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    assert AutoModel.from_pretrained(folder).config.num_hidden_layers == NUM_BLOCKS


@pytest.mark.slow
def test_two_processes_that_ask_at_once_have_one_whole_encoder(tmp_path):
    code = "import probes; print(len(probes.load_encoder('planted:late')(['w1 w2']).hidden_states))"
    environment = {**os.environ, "PROBES_HOME": str(tmp_path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    children = [subprocess.Popen([sys.executable, "-c", code], env=environment, **pipes) for _ in range(2)]
    assert [(child.communicate()[0], child.returncode) for child in children] == [("7\n", 0)] * 2
    assert sorted(path.name for path in (tmp_path / "planted").iterdir()) == ["late-1", "late-1.lock"]


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError) as error:
        probes.load_encoder("planted:midle")
    assert str(error.value) == (
        "Unknown planted encoder 'midle'. Known ones are 'middle', 'late', 'tree', 'used', 'early', 'parity', "
        "'unused', 'nothing'. Choose one of these."
    )
