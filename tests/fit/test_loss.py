"""Losses and tallies against torch and scikit-learn; probes of one shape against torch.nn."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, log_loss, r2_score
from torch import nn

from probes.config import FitConfig
from probes.errors import ConfigError
from probes.fit.family import ACTIVATIONS, Chain, keep_all, make_family
from probes.fit.loss import Tally, mean_loss, predict_class
from probes.fit.stack import SharedDropout

SIZE = (2, 3, 4, 50)  # layers, probes, outputs, rows


def draw_logits(seed=0):
    return torch.randn(SIZE, generator=torch.Generator().manual_seed(seed)).double()


def draw_wanted(answer, seed=1):
    stream = torch.Generator().manual_seed(seed)
    if answer == "class":
        return torch.randint(0, 4, (2, 3, 50), generator=stream)
    values = torch.randn(SIZE, generator=stream).double()
    return values if answer == "number" else (values > 0).to(torch.uint8)


EXPECTED = {
    "class": lambda logits, wanted: F.cross_entropy(logits.T, wanted),
    "labels": lambda logits, wanted: F.binary_cross_entropy_with_logits(logits.T, wanted.T.double()) * 4,
    "number": lambda logits, wanted: F.mse_loss(logits.T, wanted.T) * 4 / 2,
}


@pytest.mark.parametrize("answer", EXPECTED)
def test_losses_and_gradients_equal_those_of_torch(answer):
    logits, wanted = draw_logits().requires_grad_(), draw_wanted(answer)
    found = mean_loss(logits, wanted, answer)
    weight = torch.rand(2, 3, generator=torch.Generator().manual_seed(2)).double()
    (gradient,) = torch.autograd.grad((found * weight).sum(), logits)
    for place in np.ndindex(2, 3):
        one = logits.detach()[place].clone().requires_grad_()
        expected = EXPECTED[answer](one, wanted[place])
        assert found[place].item() == pytest.approx(expected.item(), rel=1e-12)
        expected.backward()
        assert torch.allclose(gradient[place], one.grad * weight[place], rtol=0, atol=1e-15)


def test_bfloat16_logits_have_a_float32_loss_and_a_bfloat16_gradient():
    logits, wanted = draw_logits().bfloat16().requires_grad_(), draw_wanted("class")
    loss = mean_loss(logits, wanted, "class")
    assert loss.dtype == torch.float32
    assert torch.autograd.grad(loss.sum(), logits)[0].dtype == torch.bfloat16


def test_the_first_of_the_most_likely_classes_is_predicted():
    logits = draw_logits().round()  # whole numbers: many ties
    assert np.array_equal(predict_class(logits), logits.numpy().argmax(axis=2))


@pytest.mark.parametrize("answer", EXPECTED)
def test_tallies_over_batches_equal_scikit_learn(answer):
    logits, wanted = draw_logits(), draw_wanted(answer)
    if answer == "number":
        wanted = (wanted - wanted.mean(dim=3, keepdim=True)) / wanted.std(dim=3, keepdim=True, correction=0)
    tally = Tally.empty(answer, (2, 3))
    for rows in (slice(0, 20), slice(20, 21), slice(21, 50)):
        tally.add(logits[..., rows], wanted[..., rows])
    for place in np.ndindex(2, 3):
        one, other = logits[place].numpy().T, wanted[place].numpy().T
        expected = {
            "class": lambda one=one, other=other: accuracy_score(other, one.argmax(axis=1)),
            "labels": lambda one=one, other=other: accuracy_score(other.ravel(), one.ravel() > 0),
            "number": lambda one=one, other=other: r2_score(other, one),
        }[answer]()
        assert tally.accuracy()[place].item() == pytest.approx(expected, abs=1e-12)
    if answer == "class":
        shares = logits[1, 2].softmax(dim=0).T.numpy()
        assert tally.mean_loss()[1, 2].item() == pytest.approx(log_loss(wanted[1, 2], shares, labels=range(4)))
    assert torch.allclose(tally.mean_loss(), mean_loss(logits, wanted, answer))


@pytest.mark.parametrize(
    ("hidden", "activation"), [((), None), ((2,), None), ((6,), "relu"), ((6,), "sigmoid"), ((6, 5), "tanh")]
)
def test_every_probe_of_a_stack_answers_as_torchs_layers_do(hidden, activation):
    chain, stream = Chain(hidden, activation), torch.Generator().manual_seed(0)
    shapes = chain.shapes(8, 3)
    parameters = {name: torch.randn(2, 3, *shape, generator=stream).double() for name, shape in shapes.items()}
    states = torch.randn(2, 10, 8, generator=stream).double()
    found = chain.logits(parameters, states, keep_all)
    for layer, probe in np.ndindex(2, 3):
        values = states[layer]
        for number in range(len(hidden) + 1):
            bias = parameters.get(f"bias_{number}")
            values = F.linear(
                values, parameters[f"weight_{number}"][layer, probe], None if bias is None else bias[layer, probe, :, 0]
            )
            if activation and number < len(hidden):
                values = ACTIVATIONS[activation](values)
        assert torch.allclose(found[layer, probe].T, values, rtol=0, atol=1e-12)


def test_starts_are_zero_where_the_problem_is_convex_and_small_elsewhere():
    stream = torch.Generator().manual_seed(0)
    assert (Chain().start("weight_0", (3, 8), stream) == 0).all()
    values = Chain((50,), "relu").start("weight_0", (50, 64), stream)
    bound = nn.Linear(64, 50).in_features ** -0.5
    assert values.abs().max() <= bound
    assert values.std() == pytest.approx(bound / 3**0.5, rel=0.05)
    assert (Chain((50,), "relu").start("bias_0", (50, 1), stream) == 0).all()


def test_dropout_keeps_the_mean_and_is_one_mask_for_all():
    values = torch.ones(2, 3, 40, 500)
    dropped = SharedDropout(seed=0)(values, 0.25)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(dropped, dropped[:1, :1].expand(2, 3, -1, -1))
    assert torch.equal(dropped[:1, :1], SharedDropout(seed=0)(values[:1, :1], 0.25))
    assert not torch.equal(dropped, SharedDropout(seed=1)(values, 0.25))
    assert torch.equal(SharedDropout(seed=0)(values, 0.0), values)


def test_an_unknown_probe_is_an_error_that_names_the_known():
    with pytest.raises(ConfigError) as caught:
        make_family(FitConfig(probe="linaer"))
    assert str(caught.value) == (
        "Unknown probe 'linaer'. Known probes are 'linear', 'mlp'. "
        "Choose one of these, or offer your own as an entry point 'probes.fits'."
    )


def test_of_minimal_pairs_dev_counts_the_pairs_whatever_the_batches():
    """Every sentence looks good, and the good one of each pair better: by sentence half are right, by pair all."""
    stream = torch.Generator().manual_seed(0)
    wanted = torch.tensor([1, 0] * 20)[torch.randperm(40, generator=stream)]
    goods, bads = (wanted == 1).nonzero()[:, 0], (wanted == 0).nonzero()[:, 0]
    partner = torch.empty(40, dtype=torch.long)
    partner[goods], partner[bads] = bads, goods
    logits = torch.stack([torch.zeros(40), 1.0 + wanted])[None, None]
    alone, paired = Tally.empty("class", (1, 1)), Tally.empty("class", (1, 1), partner)
    for start, stop in ((0, 7), (7, 40)):
        for tally in (alone, paired):
            tally.add(logits[..., start:stop], wanted[None, None, start:stop])
    assert alone.accuracy().item() == 0.5
    assert paired.accuracy().item() == 1.0
    assert paired.mean_loss() == alone.mean_loss()


def test_unknown_classes_count_nothing_and_the_others_as_if_they_were_all():
    logits, wanted = draw_logits().requires_grad_(), draw_wanted("class")
    is_known = torch.rand(wanted.shape, generator=torch.Generator().manual_seed(2)) < 0.4
    found = mean_loss(logits, wanted.where(is_known, -1), "class", known=is_known.double().mean(dim=2))
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    for layer in range(2):
        for probe in range(3):
            rows = is_known[layer, probe]
            alone = logits[layer : layer + 1, probe : probe + 1, :, rows].detach().requires_grad_()
            loss = mean_loss(alone, wanted[layer : layer + 1, probe : probe + 1, rows], "class")
            torch.testing.assert_close(found[layer, probe], loss[0, 0])
            torch.testing.assert_close(gradient[layer, probe][:, rows], torch.autograd.grad(loss.sum(), alone)[0][0, 0])
            assert not gradient[layer, probe][:, ~rows].any()
