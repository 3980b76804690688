"""Structural probes: the loss by definition, planted trees, and probes that share nothing but their batches."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from probes.config import FitConfig
from probes.errors import ConfigError, FitError
from probes.fit.read import Scale
from probes.fit.sentence import SentenceBatches, SplitSentences
from probes.fit.structural import StructuralProbes, TreeProblem, fit_structural
from probes.fit.structural_bank import draw_start
from probes.fit.structural_error import Kind, mean_error, predict_trees, slope, squared_distances
from probes.metric.tree import tree_depths, tree_distances
from probes.seed import stream_seed
from probes.task.tree import read_trees
from tests.task.conftest import index_words
from tests.trees import LONGEST, plant, planted_states, random_corpus

CONFIG = FitConfig(
    epochs=40,
    step_size=0.02,
    betas=(0.9, 0.999),
    schedule="plateau",
    plateau_factor=0.1,
    patience=4,
    precision="float32",
)
KINDS: tuple[Kind, Kind] = ("distance", "depth")
DIM = LONGEST + 3


def make_problem(kind: Kind, states: Mapping[str, np.ndarray] | None = None, offset: float = 0.0) -> TreeProblem:
    corpus = random_corpus()
    states = states or planted_states(corpus, offset=offset)
    trees = read_trees("tree_distance", corpus, index_words(corpus))
    measure = tree_distances if kind == "distance" else tree_depths
    return TreeProblem(
        kind,
        {s: SplitSentences(list(states[s]), {b.num_words: b.start for b in trees[s].blocks}) for s in states},
        {s: {b.num_words: torch.from_numpy(measure(b.heads)).short() for b in trees[s].blocks} for s in states},
    )


def fit(problem: TreeProblem, ranks=(DIM,), config: FitConfig = CONFIG, width: float = 0.1, seed: int = 0):
    return fit_structural(problem, ranks, config=config, width=width, seed=seed)


def error_on(problem: TreeProblem, probes: StructuralProbes, split: str, rank: int) -> np.ndarray:
    """Mean over sentences of the mean absolute error, [layer]."""
    parts = []
    for states, chosen in SentenceBatches(problem.sentences[split], probes.scale, batch_words=64):
        sentences = states.unflatten(1, (len(chosen), -1))
        wanted = problem.wanted[split][sentences.shape[2]][chosen].numpy()
        parts.append(np.abs(probes.predict(sentences, rank) - wanted).reshape(*sentences.shape[:2], -1).mean(axis=2))
    return np.concatenate(parts, axis=1).mean(axis=1)


def naive_loss(kind: Kind, weights: torch.Tensor, words: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The loss of one sentence pair by pair, or word by word."""
    size, total = len(words), torch.zeros((), dtype=words.dtype)
    for i in range(size):
        if kind == "depth":
            total = total + (((weights @ words[i]) ** 2).sum() - wanted[i]).abs() / size
            continue
        for j in range(size):
            total = total + (((weights @ (words[i] - words[j])) ** 2).sum() - wanted[i, j]).abs() / size**2
    return total


def draw_batch(kind: Kind, num_words: int, *, layers: int = 2, sentences: int = 3, rank: int = 4):
    stream = torch.Generator().manual_seed(num_words)
    states = torch.randn((layers, sentences, num_words, 5), generator=stream, dtype=torch.float64)
    weights = torch.randn((layers, rank, 5), generator=stream, dtype=torch.float64) / 2
    shape = (sentences, num_words, num_words) if kind == "distance" else (sentences, num_words)
    wanted = torch.randint(0, 5, shape, generator=stream)
    return states, weights, wanted if kind == "depth" else torch.triu(wanted, 1) + torch.triu(wanted, 1).mT


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_words", [2, 3, 6])
def test_error_and_slope_are_those_of_the_loss_pair_by_pair(kind, num_words):
    states, weights, wanted = draw_batch(kind, num_words)
    weights.requires_grad_()
    losses = torch.stack(
        [
            torch.stack([naive_loss(kind, map_, words, gold) for words, gold in zip(layer, wanted, strict=True)])
            for map_, layer in zip(weights, states, strict=True)
        ]
    )
    (expected,) = torch.autograd.grad(losses.mean(dim=1).sum(), weights)
    projected = torch.einsum("lswd,lrd->lswr", states, weights.detach())
    torch.testing.assert_close(mean_error(kind, projected, wanted), losses.detach())
    found = torch.einsum("lswr,lswd->lrd", slope(kind, projected, wanted), states)
    torch.testing.assert_close(found, expected)


def test_squared_distances_are_those_between_vectors():
    words = torch.randn((2, 3, 4, 5), dtype=torch.float64)
    expected = (words[..., :, None, :] - words[..., None, :, :]).square().sum(dim=-1)
    torch.testing.assert_close(squared_distances(words), expected)


def test_a_word_is_at_no_distance_from_itself_and_no_distance_is_negative():
    stream = torch.Generator().manual_seed(0)
    states = 1e3 + 1e-3 * torch.randn((1, 5, 7, 40), generator=stream)
    maps = torch.randn((1, 33, 40), generator=stream)
    rounded = squared_distances(torch.einsum("lswd,lrd->lswr", states, maps))
    assert (rounded < 0).any()
    assert (rounded.diagonal(dim1=2, dim2=3) > 0).any()
    found = predict_trees("distance", maps, states)
    assert (found >= 0).all()
    assert not found.diagonal(dim1=2, dim2=3).any()


@pytest.fixture(scope="module")
def fitted() -> dict[str, StructuralProbes]:
    return {kind: fit(make_problem(kind), ranks=(2, DIM)) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_planted_trees_are_found_in_sentences_that_were_not_read_and_none_in_noise(kind, fitted):
    noise, planted = error_on(make_problem(kind), fitted[kind], "test", DIM)
    assert planted < 0.1
    assert noise > 0.5
    assert error_on(make_problem(kind), fitted[kind], "test", 2)[1] > 0.3


@pytest.mark.parametrize("kind", KINDS)
def test_loss_on_dev_is_that_of_the_weights_that_are_kept(kind, fitted):
    for rank in (2, DIM):
        expected = error_on(make_problem(kind), fitted[kind], "dev", rank)
        np.testing.assert_allclose(fitted[kind].dev_loss[rank], expected, atol=1e-4)
    # Some probe was better before the last epoch, so that kept and last weights differ.
    assert len(np.unique(np.concatenate(list(fitted[kind].epochs.values())))) > 1


def test_distances_do_not_change_when_all_states_move(fitted):
    # float64: in float32 other roundings lead a fit elsewhere.
    config = CONFIG.model_copy(update={"precision": "float64", "epochs": 3})
    here, there = (fit(make_problem("distance", offset=offset), config=config) for offset in (0.0, 8.0))
    np.testing.assert_allclose(here.maps[DIM][1], there.maps[DIM][1], atol=1e-4)
    assert float((there.scale.mean[1] - here.scale.mean[1] - 8).abs().max()) < 1e-4


def test_depths_are_those_of_states_as_they_are(fitted):
    assert not fitted["depth"].scale.mean.any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fit_of_many_layers_and_ranks_equals_separate_fits(kind):
    config = CONFIG.model_copy(update={"precision": "float64", "epochs": 12})
    problem = make_problem(kind)
    together = fit(problem, ranks=(2, 5), config=config)
    for layer, rank in ((0, 5), (1, 2)):
        alone = {s: replace(part, layers=[part.layers[layer]]) for s, part in problem.sentences.items()}
        one = fit(replace(problem, sentences=alone), ranks=(rank,), config=config)
        np.testing.assert_allclose(one.maps[rank][0], together.maps[rank][layer], atol=1e-7)
        assert one.epochs[rank][0] == together.epochs[rank][layer]
        assert one.dev_loss[rank][0] == pytest.approx(together.dev_loss[rank][layer], abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_takes_the_steps_that_torchs_adam_takes_for_it_alone(kind):
    config = CONFIG.model_copy(update={"precision": "float64", "epochs": 1})
    problem = make_problem(kind)
    found = fit(problem, ranks=(3,), config=config, seed=4)
    words = problem.sentences["train"].num_words // 64
    batches = SentenceBatches(
        problem.sentences["train"],
        found.scale,
        batch_words=words,
        dtype=torch.float64,
        seed=stream_seed(4, "fit.structural"),
    )
    weights = draw_start((2, 3, DIM), 0.1, 4)[1].double().requires_grad_()
    adam = torch.optim.Adam([weights], lr=config.step_size[0])
    for states, chosen in batches:
        sentences = states[1].unflatten(0, (len(chosen), -1))
        wanted = problem.wanted["train"][sentences.shape[1]][chosen]
        losses = [naive_loss(kind, weights, one, gold) for one, gold in zip(sentences, wanted, strict=True)]
        adam.zero_grad()
        torch.stack(losses).mean().backward()
        adam.step()
    torch.testing.assert_close(found.maps[3][1], weights.detach().float(), atol=1e-6, rtol=0)


def test_seeds_and_ranks_have_first_weights_of_their_own():
    starts = [draw_start((1, rank, 6), 0.5, seed) for rank, seed in ((3, 0), (3, 1), (4, 0))]
    assert all(0.4 < float(start.abs().max()) <= 0.5 for start in starts)
    assert not torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0][0], starts[2][0, :3])


def test_a_probe_that_is_no_better_ends_before_the_last_epoch():
    config = CONFIG.model_copy(update={"step_size": (1e-12,), "epochs": 30})
    watched = Watched.of(make_problem("distance"))
    found = fit(watched, config=config)
    # The first epoch is the best; four more, and nothing is read any more.
    assert found.epochs[DIM].tolist() == [1, 1]
    assert watched.sentences["train"].num_reads == 5 * len(batches_of(watched))


class Watched(SplitSentences):
    """Sentences that count how often they are read as a batch."""

    num_reads = 0

    def rows(self, part):
        object.__setattr__(self, "num_reads", self.num_reads + 1)
        return super().rows(part)

    @property
    def every_row(self):
        before = self.num_reads
        found = super().every_row
        object.__setattr__(self, "num_reads", before)
        return found

    @classmethod
    def of(cls, problem: TreeProblem) -> TreeProblem:
        watched = {s: cls(part.layers, part.starts) for s, part in problem.sentences.items()}
        return replace(problem, sentences=watched)


def batches_of(problem: TreeProblem) -> SentenceBatches:
    train, scale = problem.sentences["train"], Scale(torch.zeros((2, DIM)), torch.ones((2, DIM)))
    return SentenceBatches(train, scale, batch_words=train.num_words // 64)


@pytest.mark.parametrize("rank", [0, DIM + 1, 768])
def test_a_rank_beyond_the_size_of_the_states_is_an_error(rank):
    with pytest.raises(ConfigError) as caught:
        fit(make_problem("distance"), ranks=(2, rank))
    assert str(caught.value) == (
        f"The rank of a structural probe should be from 1 to 12, the size of the states, but {rank} was asked for in "
        f"method.options.rank. Lower it; 'full' is 12."
    )


def test_a_step_size_at_which_a_probe_diverges_is_an_error():
    with pytest.raises(FitError) as caught:
        fit(make_problem("depth"), ranks=(3,), config=CONFIG.model_copy(update={"step_size": (1e30,)}))
    assert str(caught.value) == (
        "Every structural probe should have finite answers, but that of rank 3 at layer 0 had none. "
        "Lower the step size (now 1e+30)."
    )


@pytest.mark.parametrize(("split", "name"), [("train", "Training"), ("dev", "Dev")])
def test_a_state_that_is_not_finite_is_an_error(split, name):
    states = planted_states(random_corpus())
    states[split][1, 7, 2] = np.nan
    with pytest.raises(FitError) as caught:
        fit(make_problem("distance", states))
    assert str(caught.value) == (
        f"{name} states should be finite numbers, but layer 1 has NaN or infinity. Check the cache, or encode again."
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_fit_is_repeated_to_the_bit(precision):
    config = CONFIG.model_copy(update={"precision": precision, "epochs": 2})
    problem = make_problem("distance")
    torch.manual_seed(1)
    one = fit(problem, config=config)
    torch.manual_seed(2)
    assert torch.equal(one.maps[DIM], fit(problem, config=config).maps[DIM])


def test_bfloat16_products_find_the_planted_trees_too():
    problem = make_problem("distance")
    probes = fit(problem, config=CONFIG.model_copy(update={"precision": "bfloat16"}))
    assert error_on(problem, probes, "test", DIM)[1] < 0.1


def test_planted_vectors_are_as_far_apart_as_their_words_are_in_the_tree():
    for sentence in random_corpus()["dev"]:
        vectors = plant(sentence)
        squared = ((vectors[:, None] - vectors) ** 2).sum(axis=2)
        heads = np.array([sentence.tree.heads]) - 1
        np.testing.assert_array_equal(squared, tree_distances(heads)[0])
        np.testing.assert_array_equal((vectors**2).sum(axis=1), tree_depths(heads)[0])
