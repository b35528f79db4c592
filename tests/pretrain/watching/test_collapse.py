"""Spread of embeddings, against numpy and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cxrbench.pretrain.watching.collapse import MOST_ROWS, spread


@pytest.mark.parametrize("shape", [(64, 16), (16, 64), (40, 40)])
def test_sd_and_rank_are_those_of_the_papers_equations(shape: tuple[int, int]):
    z = np.random.default_rng(0).normal(0.3, 1.0, shape)
    unit = z / np.sqrt((z**2).sum(axis=1, keepdims=True))
    singular = np.linalg.svd(z, compute_uv=False)
    share = singular / singular.sum()
    found = spread(torch.from_numpy(z))
    assert found.sd == pytest.approx(unit.std(axis=0, ddof=1).mean() * math.sqrt(shape[1]), rel=1e-9)
    assert found.rank == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-6)
    assert found.highest == min(shape)


def test_embeddings_that_point_everywhere_alike_are_at_one():
    z = torch.randn(256, 128, generator=torch.Generator().manual_seed(0))
    assert spread(z).sd == pytest.approx(1.0, abs=0.01)
    assert spread(3e4 * z).rank == pytest.approx(spread(z).rank, rel=1e-6)


def test_one_point_has_no_spread_and_rank_one():
    found = spread(torch.tensor([[3.0, -4.0]]).repeat(8, 1))
    assert (found.sd, found.rank) == pytest.approx((0.0, 1.0), abs=1e-6)


def test_two_orthogonal_directions_alike_often_have_rank_two():
    # Singular values 2, 2: shares 1/2, entropy log 2. Unit vectors: each coordinate is 1 for half of the rows.
    z = torch.eye(2).repeat(4, 1)
    found = spread(z)
    assert found.rank == pytest.approx(2.0, rel=1e-9)
    assert found.sd == pytest.approx(math.sqrt(2) * math.sqrt(8 / 7 * 0.25), rel=1e-9)


def test_a_zero_embedding_gives_numbers():
    found = spread(torch.zeros(4, 3))
    assert found.sd == 0.0
    assert math.isfinite(found.rank)


@pytest.mark.parametrize("bad", [torch.full((4, 3), math.nan), torch.full((4, 3), math.inf), torch.ones(1, 3)])
def test_what_cannot_be_measured_is_nan(bad: torch.Tensor):
    assert math.isnan(spread(bad).sd)
    assert math.isnan(spread(bad).rank)


def test_of_a_large_batch_the_first_rows_are_taken():
    z = torch.randn(MOST_ROWS + 100, 8, generator=torch.Generator().manual_seed(0))
    assert spread(z) == spread(z[:MOST_ROWS])


def test_half_precision_with_gradient_is_taken_as_it_comes():
    z = torch.randn(16, 8, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    assert spread(z).sd == pytest.approx(spread(z.detach().float()).sd)


def test_words_are_for_the_progress_line():
    assert str(spread(torch.eye(2).repeat(4, 1))) == "sd 0.76, rank 2/2"
