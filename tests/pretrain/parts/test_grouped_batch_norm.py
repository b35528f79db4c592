"""Batch normalisation in groups is that of torch on every chunk of the batch."""

from __future__ import annotations

import pickle
from copy import deepcopy

import pytest
import torch
from torch import nn

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.parts.grouped_batch_norm import GroupedBatchNorm2d, group_size_of, normalise_in_groups


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def randomised(norm: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    for each in norm.parameters():
        nn.init.normal_(each)
    return norm.double().train()


@pytest.mark.parametrize(("plain", "shape"), [(nn.BatchNorm2d(3), (12, 3, 5, 4)), (nn.BatchNorm1d(3), (12, 3))])
def test_each_chunk_is_normalised_by_itself(plain: nn.Module, shape: tuple[int, ...]):
    plain = randomised(plain)
    grouped = normalise_in_groups(deepcopy(plain), 4)
    x, other = drawn(*shape).requires_grad_(), drawn(*shape).requires_grad_()
    weights = drawn(*shape, seed=2)
    y = grouped(x)
    expected = torch.cat([deepcopy(plain)(chunk) for chunk in other.split(4)])
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    (y * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(x.grad, other.grad, rtol=1e-10, atol=1e-12)


def test_parameters_get_the_sum_of_the_chunks_gradients():
    plain = randomised(nn.BatchNorm2d(3))
    grouped = normalise_in_groups(deepcopy(plain), 4)
    x, weights = drawn(12, 3, 5, 4), drawn(12, 3, 5, 4, seed=2)
    (grouped(x) * weights).sum().backward()
    for chunk, weight in zip(x.split(4), weights.split(4), strict=True):
        (plain(chunk) * weight).sum().backward()
    for a, b in zip(grouped.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.1, 0.5, None])
def test_running_statistics_move_by_the_mean_over_groups(momentum: float | None):
    grouped = normalise_in_groups(nn.BatchNorm2d(3, momentum=momentum).double().train(), 4)
    mean, var = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    for step in range(3):
        x = drawn(12, 3, 5, 4, seed=step) + step
        grouped(x)
        chunks = x.split(4)
        means = torch.stack([chunk.mean((0, 2, 3)) for chunk in chunks]).mean(0)
        variances = torch.stack([chunk.var((0, 2, 3)) for chunk in chunks]).mean(0)
        share = 1 / (step + 1) if momentum is None else momentum
        mean, var = (1 - share) * mean + share * means, (1 - share) * var + share * variances
    assert isinstance(grouped, GroupedBatchNorm2d)
    torch.testing.assert_close(grouped.running_mean, mean, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(grouped.running_var, var, rtol=1e-12, atol=1e-12)
    assert int(grouped.num_batches_tracked or 0) == 3
    assert grouped.momentum == momentum


def test_one_group_is_plain_batch_normalisation():
    plain = randomised(nn.BatchNorm2d(3))
    grouped = normalise_in_groups(deepcopy(plain), 8)
    x = drawn(6, 3, 5, 4)
    assert torch.equal(grouped(x), plain(x))
    assert all(torch.equal(a, b) for a, b in zip(grouped.buffers(), plain.buffers(), strict=True))


def test_evaluation_takes_the_running_statistics():
    plain = randomised(nn.BatchNorm2d(3))
    plain(drawn(8, 3, 5, 4))
    grouped = normalise_in_groups(deepcopy(plain), 4).eval()
    x = drawn(8, 3, 5, 4, seed=1)
    assert torch.equal(grouped(x), plain.eval()(x))


def test_channels_last_stays_channels_last():
    grouped = normalise_in_groups(nn.BatchNorm2d(3).train(), 4)
    y = grouped(drawn(8, 3, 5, 4).float().contiguous(memory_format=torch.channels_last))
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_names_objects_and_copies_stay():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3))
    names, norm = list(network.state_dict()), network[1]
    normalise_in_groups(network, 4)
    assert list(network.state_dict()) == names
    assert network[1] is norm
    for copy in (deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert isinstance(copy[1], GroupedBatchNorm2d)
        assert copy[1].group_size == 4
    normalise_in_groups(network, 2)
    assert norm.group_size == 2  # type: ignore[union-attr]


def test_batches_without_running_statistics_work_too():
    plain = nn.BatchNorm2d(3, track_running_stats=False).double().train()
    grouped = normalise_in_groups(deepcopy(plain), 2)
    x = drawn(4, 3, 5, 4)
    torch.testing.assert_close(grouped(x), torch.cat([plain(chunk) for chunk in x.split(2)]))


def test_timms_normalisation_with_activation_is_grouped_too():
    from timm.layers.norm_act import BatchNormAct2d

    plain = randomised(BatchNormAct2d(3))
    grouped = normalise_in_groups(deepcopy(plain), 4)
    x = drawn(8, 3, 5, 4)
    expected = torch.cat([deepcopy(plain)(chunk) for chunk in x.split(4)])
    torch.testing.assert_close(grouped(x), expected)
    assert (expected == 0).any()
    assert isinstance(pickle.loads(pickle.dumps(grouped)), BatchNormAct2d)


def test_unknown_kinds_are_refused():
    with pytest.raises(UserError, match=r"SyncBatchNorm cannot normalise groups of images"):
        normalise_in_groups(nn.Sequential(nn.SyncBatchNorm(3)), 4)


def test_groups_are_as_wanted_or_the_share_of_a_process():
    assert group_size_of(32, 256, 1) == 32
    assert group_size_of(32, 256, 8) == 32
    assert group_size_of(32, 16, 1) == 16
    assert group_size_of(32, 32, 2) == 16


@pytest.mark.parametrize(
    ("wanted", "batch", "processes", "advice"),
    [(32, 48, 1, r"group_size=24"), (4, 12, 2, r"group_size=3"), (4, 14, 2, r"batch_size=8")],
)
def test_groups_that_cut_a_share_are_refused(wanted: int, batch: int, processes: int, advice: str):
    with pytest.raises(UserError, match=f"group_size = {wanted} does not divide the .*{advice}"):
        group_size_of(wanted, batch, processes)


@pytest.mark.parametrize(("batch", "processes"), [(1, 1), (2, 2)])
def test_a_single_image_cannot_be_normalised(batch: int, processes: int):
    with pytest.raises(UserError, match="needs at least 2 images"):
        group_size_of(32, batch, processes)
