from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from cxrbench.training.precise_batch_norm import settle_batch_norm


class Twice(nn.Module):
    """Two normalisations, the second of what the first gives, and one that no batch reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.beside = nn.BatchNorm2d(3), nn.BatchNorm1d(3, momentum=0.3), nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).mean(dim=(2, 3)))


def loss(network: nn.Module, batch: Tensor) -> Tensor:
    return network(batch).sum()


def batches(*sizes: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [5 + 2 * torch.randn(size, 3, 4, 4, generator=generator) for size in sizes]


def test_statistics_are_those_of_all_values_together_and_weights_stay() -> None:
    network, images = Twice(), batches(4, 7, 2)
    weights = [each.clone() for each in network.parameters()]
    assert settle_batch_norm(network, loss, images, "cpu", "float32", seed=0) == 3
    values = torch.cat(images).double().permute(1, 0, 2, 3).flatten(1)
    torch.testing.assert_close(network.first.running_mean, values.mean(1).float())
    torch.testing.assert_close(network.first.running_var, values.var(1, correction=0).float())
    # The second one gets what the first gives in training mode, batch by batch.
    inner = [nn.functional.batch_norm(each.double(), None, None, training=True).mean(dim=(2, 3)) for each in images]
    torch.testing.assert_close(network.second.running_var, torch.cat(inner).var(0, correction=0).float())
    assert all(torch.equal(*pair) for pair in zip(weights, network.parameters(), strict=True))
    assert (network.first.momentum, network.second.momentum) == (0.1, 0.3)
    assert network.beside.running_mean is not None
    assert network.beside.running_mean.tolist() == [0, 0]
    assert not network.training


def test_without_such_a_normalisation_no_batch_is_asked_for() -> None:
    def none() -> Iterator[Tensor]:
        raise AssertionError("a batch was asked for")
        yield

    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2, track_running_stats=False))
    assert settle_batch_norm(network, loss, none(), "cpu", "float32", seed=0) == 0


def test_a_batch_that_fails_leaves_the_statistics_as_they_were() -> None:
    network = Twice()
    with pytest.raises(RuntimeError):
        settle_batch_norm(network, loss, [torch.zeros(2, 9, 4, 4)], "cpu", "float32", seed=0)
    assert network.first.running_var is not None
    assert network.first.running_var.tolist() == [1, 1, 1]
    assert network.first.momentum == 0.1


def test_random_numbers_inside_are_the_seeds_and_outside_as_before() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    seen: list[float] = []
    for _ in range(2):
        settle_batch_norm(
            Twice(),
            lambda network, batch: seen.append(torch.rand(1).item()) or batch,
            batches(2, 2),
            "cpu",
            "float32",
            5,
        )
    assert seen[:2] == seen[2:]
    assert seen[0] != seen[1]
    assert torch.equal(torch.get_rng_state(), before)
