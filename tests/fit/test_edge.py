"""The edge probe: its parts against torch's own, and what it may not depend on."""

from dataclasses import replace

import pytest
import torch

from probes.fit.edge import Edge, pool_spans
from probes.fit.family import keep_all
from tests.reference.edge import slow_edge

LENGTHS = torch.tensor([[1, 4], [3, 1], [2, 2], [5, 1], [1, 1]])
PROBES, DIM, OUTPUTS = 3, 4, 6
EDGE = Edge(num_slots=2, projection=5, hidden=7, dropout=0.3)


@pytest.fixture
def stream():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def parameters(stream):
    return {
        name: torch.randn(PROBES, 1, *shape, generator=stream, dtype=torch.float64)
        for name, shape in EDGE.shapes(DIM, OUTPUTS).items()
    }


@pytest.fixture
def states(stream):
    return torch.randn(PROBES, int(LENGTHS.sum()), DIM, generator=stream, dtype=torch.float64)


def cut(states):
    """The states [probe, word, dim] of every span: [example][slot]."""
    parts = list(states.split(LENGTHS.T.reshape(-1).tolist(), dim=1))
    return [[parts[example], parts[len(LENGTHS) + example]] for example in range(len(LENGTHS))]


def test_edge_probes_equal_torchs_modules_one_example_at_a_time(parameters, states):
    found = replace(EDGE, lengths=LENGTHS).logits(parameters, states, keep_all)
    for probe in range(PROBES):
        own = {name: value[probe, 0] for name, value in parameters.items()}
        spans = [[words[probe] for words in example] for example in cut(states)]
        torch.testing.assert_close(found[probe, 0].T, slow_edge(own, spans, projection=5), rtol=1e-9, atol=1e-9)


def test_an_answer_does_not_depend_on_the_other_examples_of_its_batch(parameters, states):
    together = replace(EDGE, lengths=LENGTHS).logits(parameters, states, keep_all)
    order = torch.tensor([3, 0, 4, 2, 1])
    spans = cut(states)
    turned = torch.cat([spans[example][slot] for slot in range(2) for example in order.tolist()], dim=1)
    permuted = replace(EDGE, lengths=LENGTHS[order]).logits(parameters, turned, keep_all)
    torch.testing.assert_close(permuted, together[..., order], rtol=1e-9, atol=1e-9)
    for example in range(len(LENGTHS)):
        alone = replace(EDGE, lengths=LENGTHS[example : example + 1])
        found = alone.logits(parameters, torch.cat(spans[example], dim=1), keep_all)
        torch.testing.assert_close(found[..., 0], together[..., example], rtol=1e-9, atol=1e-9)


def test_spans_of_one_word_need_no_lengths(parameters, states):
    words = states[:, :6]
    told = replace(EDGE, lengths=torch.ones(3, 2, dtype=torch.long))
    assert torch.equal(EDGE.logits(parameters, words, keep_all), told.logits(parameters, words, keep_all))


def test_a_span_of_one_word_is_that_word_and_equal_scores_give_the_mean(stream):
    words = torch.randn(1, 1, 5, 7, generator=stream, dtype=torch.float64)
    pooled = pool_spans(words, torch.zeros(1, 1, 1, 5, dtype=torch.float64), torch.tensor([1, 4, 2]))
    expected = [words[..., 0], words[..., 1:5].mean(dim=-1), words[..., 5:].mean(dim=-1)]
    torch.testing.assert_close(pooled, torch.stack(expected, dim=-1))


def test_attention_chooses_the_word_with_the_highest_score(stream):
    words = torch.randn(1, 1, 3, 4, generator=stream, dtype=torch.float64)
    words[0, 0, 0] = torch.tensor([0.0, 0.0, 100.0, 0.0])
    attention = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64).reshape(1, 1, 1, 3)
    torch.testing.assert_close(pool_spans(words, attention, torch.tensor([4]))[..., 0], words[..., 2])


def test_dropout_is_that_of_the_hidden_units(parameters, states):
    asked = []

    def drop(values, share):
        asked.append((tuple(values.shape), share))
        return values

    replace(EDGE, lengths=LENGTHS).logits(parameters, states, drop)
    assert asked == [((PROBES, 1, 7, 5), 0.3)]
