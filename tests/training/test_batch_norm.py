from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cxrbench.foundation.errors import UserError
from cxrbench.training.batch_norm import RunningStatistics, synchronise
from cxrbench.training.gathering import gathered, gathered_constant, rank, world_size

from .processes import in_two_processes


def images(n: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    # Far from 0, where a variance as a difference of squares would be wrong.
    return 50 + torch.randn(n, 3, 4, 4, generator=generator)


def network(momentum: float | None) -> nn.Sequential:
    torch.manual_seed(0)
    found = nn.Sequential(nn.BatchNorm2d(3, momentum=momentum), nn.Conv2d(3, 2, 4), nn.Flatten(), nn.BatchNorm1d(2))
    nn.init.uniform_(found[0].weight)  # type: ignore[arg-type]
    return found


def passed(momentum: float | None, norm: nn.Sequential, x: Tensor) -> dict[str, Tensor]:
    """Output, gradient of the input, and state after two batches; the loss is the mean over processes."""
    x = x.clone().requires_grad_()
    norm(x + 1)
    y = norm(x)
    weights = torch.linspace(0, 1, y.shape[1])
    (y.square() * weights).mean().div(world_size()).backward()
    assert x.grad is not None
    return {"output": y.detach(), "gradient": x.grad, **norm.state_dict()}


def in_each() -> dict[str, Any]:
    x = images()
    # Unequal shares of 4 and 2 images, which make the mean of means wrong.
    mine = x[:4] if rank() == 0 else x[4:]
    found: dict[str, Any] = {}
    for name, momentum in (("moving", 0.1), ("cumulative", None)):
        norm = synchronise(network(momentum))
        output = passed(momentum, norm, mine)
        norm.eval()
        found[name] = output | {"evaluated": norm(mine).detach()}
    own = nn.BatchNorm1d(3)
    own(x[rank() * 3 : rank() * 3 + 3, :, 0, 0])
    RunningStatistics(own).average()
    found["averaged"] = own.running_mean
    return found | gathering()


def gathering() -> dict[str, Any]:
    x = torch.arange(4.0).reshape(2, 2).add(10 * rank()).requires_grad_()
    whole = gathered(x)
    # Every process weighs the whole differently, so that a gradient of one's own loss alone is wrong.
    (whole * (1 + rank()) * torch.arange(4.0)[:, None]).sum().backward()
    constant = gathered_constant(x)
    return {"whole": whole.detach(), "gradient": x.grad, "constant": constant, "tied": constant.requires_grad}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return in_two_processes(in_each, tmp_path_factory.mktemp("two"))


@pytest.mark.parametrize(("name", "momentum"), [("moving", 0.1), ("cumulative", None)])
def test_statistics_are_those_of_torch_over_the_whole_batch(
    name: str, momentum: float | None, found: list[dict[str, Any]]
) -> None:
    whole = network(momentum)
    expected = passed(momentum, whole, images())
    # The loss here is a mean over 6 images, there a mean of means over 4 and 2: gradients differ.
    ours = torch.cat([found[0][name]["output"], found[1][name]["output"]])
    assert torch.allclose(ours, expected["output"], atol=1e-5)
    for key in whole.state_dict():
        assert torch.allclose(found[0][name][key], expected[key], rtol=1e-5, atol=1e-6), key
        assert torch.equal(found[0][name][key], found[1][name][key])
    whole.eval()
    evaluated = torch.cat([found[0][name]["evaluated"], found[1][name]["evaluated"]])
    assert torch.allclose(evaluated, whole(images()), atol=1e-4)


def test_gradients_reach_the_other_processes_images(found: list[dict[str, Any]]) -> None:
    x = images().requires_grad_()
    norm = network(0.1)
    norm(x + 1)
    y = norm(x)
    weights = torch.linspace(0, 1, 2)
    sum((part.square() * weights).mean() / 2 for part in (y[:4], y[4:])).backward()  # type: ignore[union-attr]
    ours = torch.cat([each["moving"]["gradient"] for each in found])
    assert x.grad is not None
    assert torch.allclose(ours, x.grad, atol=1e-6)


def test_own_statistics_are_averaged(found: list[dict[str, Any]]) -> None:
    expected = 0.1 * images()[:, :, 0, 0].mean(0)
    assert torch.allclose(found[0]["averaged"], expected, atol=1e-5)
    assert torch.equal(found[0]["averaged"], found[1]["averaged"])


def test_gathered_is_in_the_order_of_ranks_with_the_sum_of_all_gradients(found: list[dict[str, Any]]) -> None:
    for index, each in enumerate(found):
        assert each["whole"].tolist() == [[0, 1], [2, 3], [10, 11], [12, 13]]
        # Losses 1 and 2 times the rows' places: 3 times in all.
        first = 3.0 * 2 * index
        assert each["gradient"].tolist() == [[first, first], [first + 3, first + 3]]
        assert torch.equal(each["constant"], each["whole"])
        assert each["tied"] is False


def test_one_process_gathers_nothing_and_normalises_as_torch() -> None:
    x = torch.randn(2, 3, requires_grad=True)
    assert gathered(x) is x
    assert not gathered_constant(x).requires_grad
    assert (world_size(), rank()) == (1, 0)
    plain, ours = network(0.1), synchronise(network(0.1))
    assert torch.equal(plain(images()), ours(images()))
    assert list(plain.state_dict()) == list(ours.state_dict())


def test_parameters_stay_the_very_same_and_single_layers_work_too() -> None:
    norm = nn.BatchNorm1d(4)
    weight = norm.weight
    assert synchronise(norm) is norm
    assert norm.weight is weight
    assert synchronise(synchronise(norm)) is norm


def test_activation_of_timms_normalisation_stays() -> None:
    from timm.layers.norm_act import BatchNormAct2d

    plain, ours = BatchNormAct2d(3), synchronise(BatchNormAct2d(3))
    assert torch.equal(plain(images()), ours(images()))
    assert ours(images()).min() == 0


def test_unknown_normalisation_is_refused() -> None:
    class Odd(nn.BatchNorm2d):
        pass

    with pytest.raises(UserError, match=r"Odd cannot normalise over several processes"):
        synchronise(nn.Sequential(Odd(3)))
