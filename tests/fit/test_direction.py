"""Newton directions against the whole Hessian, and the sample of rows that stands for it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from probes.fit import block
from probes.fit.curvature import measure_curvature
from probes.fit.direction import find_direction
from probes.fit.sample import draw_rows


@pytest.mark.parametrize("has_blocks", [False, True])
def test_direction_is_that_of_the_whole_hessian(has_blocks):
    stream = torch.Generator().manual_seed(0)
    features = torch.randn(300, 4, generator=stream)
    point = torch.randn(1, 3, 5, generator=stream).double()
    gradient = torch.randn(1, 3, 5, generator=stream).double()
    gradient -= gradient.mean(dim=1, keepdim=True)
    ridge = torch.tensor([[[0.1, 0.2, 0.3, 0.4, 0.0]]]).double()
    curvature = measure_curvature(features, torch.full((300,), 1 / 300), point, ridge)
    if has_blocks:
        weight = curvature.shares[0] * (1 - curvature.shares[0]) * curvature.share
        blocks = block.measure_blocks(features, weight, curvature.diagonal[0])
        assert blocks is not None
        curvature = replace(curvature, inverses=(block.invert_blocks(blocks, ridge[0]),))
    wide = torch.cat([features, torch.ones(300, 1)], dim=1).double()
    shares = torch.softmax(point[0] @ wide.T, dim=0)
    bend = torch.diag_embed(shares.T) - shares.T[:, :, None] * shares.T[:, None]
    hessian = torch.einsum("nab,ni,nj->aibj", bend, wide, wide).reshape(15, 15) / 300 + torch.diag(
        ridge[0, 0].repeat(3)
    )
    expected = -torch.linalg.pinv(hessian, hermitian=True) @ gradient.flatten()
    direction = find_direction(curvature, gradient, torch.tensor([1e9]).double())
    assert float(direction.gap) == pytest.approx(float(-gradient.flatten() @ expected / 2), rel=1e-2)
    assert int(direction.num_products) <= 20


def test_share_of_sampled_rows_is_the_number_they_stand_for():
    doubt = torch.from_numpy(np.random.default_rng(0).pareto(1.5, size=(2, 5_000)).astype(np.float32))
    chosen, _ = draw_rows(doubt, 500, 0, 0)
    assert len(chosen.unique()) == 500
    assert (chosen.diff() > 0).all()
    sums = [float((doubt[0, rows] * part).sum()) for rows, part in (draw_rows(doubt, 500, 0, i) for i in range(200))]
    assert np.mean(sums) == pytest.approx(float(doubt[0].mean()), rel=0.01)
    assert torch.isin(doubt.sum(dim=0).topk(50).indices, chosen).all()
