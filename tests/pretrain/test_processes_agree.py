"""Two processes with half a batch each train as one process with the whole batch, for every method."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.multiprocessing.spawn import start_processes
from torch.nn.parallel import DistributedDataParallel

from cxrbench.pretrain.method_card import methods
from cxrbench.training.batch_norm import RunningStatistics, synchronise
from cxrbench.training.gathering import gathered, gathered_constant, rank, world_size

from .method_cases import batch, build

BATCH = 8
STEPS = 2
RATE = 0.05
TOLERANCE = 1e-5

# Method -> its settings; IFA, and the branches of a method that gather other things than its defaults do.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in methods.names()},
    "moco_v2 with IFA": ("moco_v2", {"ifa": "1:0.3:1,3"}),
    "simclr with IFA": ("simclr", {"ifa": "3"}),
    "dira from its first step": ("dira", {"warm_up": 0.0}),
    "inter_moco by Barlow Twins": ("inter_moco", {"intermediate": "barlow_twins"}),
}
"""What is compared, by name."""


class BarlowToy(nn.Module):
    """A cross-correlation over the whole batch behind a batch normalisation, as one writes it from the equation.

    L = sum_i (1 - C_ii)^2 + 0.005 sum_{i != j} C_ij^2,  C = Z1^T Z2 / B, Z standardised over the batch.
    """

    own_batch_norm = False

    def __init__(self, gather: Any):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 16), nn.BatchNorm1d(16), nn.ReLU())
        self.head = nn.Linear(16, 4)
        self.gather = gather

    def forward(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        one, two = (self.gather(self.head(self.encoder(views[key].double() / 255))) for key in ("one", "two"))
        one, two = ((z - z.mean(0)) / z.std(0, correction=0) for z in (one, two))
        correlation = one.T @ two / len(one)
        on = (1 - correlation.diagonal()).square().sum()
        return {"loss": on + 0.005 * (correlation.square().sum() - correlation.diagonal().square().sum())}


def own_share_only(x: Tensor) -> Tensor:
    """The gather whose loss is right and whose gradients are too small."""
    everything = gathered_constant(x)
    own = slice(rank() * len(x), (rank() + 1) * len(x))
    return torch.cat([everything[: own.start], x, everything[own.stop :]])


TOYS = {"toy": gathered, "toy without the others' gradient": own_share_only}


def network_of(case: str, processes: int) -> nn.Module:
    if case in TOYS:
        torch.manual_seed(0)
        return BarlowToy(TOYS[case]).double()
    name, settings = CASES[case]
    return build(name, BATCH, processes=processes, **settings).double()


def share_of(values: Tensor) -> Tensor:
    """This process's part of a batch's tensor, in float64 where it is no image."""
    mine = values.tensor_split(world_size())[rank()]
    return mine.double() if mine.is_floating_point() else mine


def trained(case: str) -> dict[str, Tensor]:
    """Losses, gradients and final state of a few plain steps, this process doing its share; equal on all."""
    processes = world_size()
    network = network_of(case, processes)
    if processes > 1 and not network.own_batch_norm:
        synchronise(network)
    module = DistributedDataParallel(network, broadcast_buffers=False) if processes > 1 else network
    statistics = RunningStatistics(network)
    trained = [(name, each) for name, each in network.named_parameters() if each.requires_grad]
    found: dict[str, Tensor] = {}
    for step in range(STEPS):
        views = {key: share_of(value) for key, value in batch(BATCH, seed=step).items()}
        # As the loop does: each process has random numbers of its own.
        torch.manual_seed(100 * step + rank())
        loss = module(views)["loss"]
        loss.backward()
        found[f"loss of step {step}"] = gathered_constant(loss.detach()[None]).mean()
        with torch.no_grad():
            for name, parameter in trained:
                gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                found[f"gradient of {name} in step {step}"] = gradient.clone()
                parameter -= RATE * gradient
                parameter.grad = None
        if hasattr(network, "after_step"):
            network.after_step(step, STEPS)  # type: ignore[operator]
        statistics.average()
    return found | {f"final {name}": tensor.clone() for name, tensor in network.state_dict().items()}


def difference(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> tuple[float, str]:
    """The largest difference, relative to the tensor's largest entry (at least 1 % of the largest of its kind)."""
    assert list(ours) == list(theirs)
    largest: dict[str, float] = {}
    for name, tensor in theirs.items():
        kind = name.split()[0]
        largest[kind] = max(largest.get(kind, 0.0), float(tensor.abs().max()) if tensor.is_floating_point() else 0.0)
    worst = (0.0, "")
    for name, tensor in theirs.items():
        scale = max(float(tensor.double().abs().max()), 1e-2 * largest[name.split()[0]], 1e-12)
        worst = max(worst, (float((ours[name].double() - tensor.double()).abs().max()) / scale, name))
    return worst


def _process(index: int, port: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=index, world_size=2)
    for number, case in enumerate([*TOYS, *CASES]):
        try:
            found: Any = trained(case)
        except Exception as error:  # told in the test of that method; the others go on
            found = f"{type(error).__name__}: {error}"
        if index == 0 or isinstance(found, str):
            torch.save(found, Path(folder) / f"{number}-{index}")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two processes found, by case: one start for all, because it takes seconds."""
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in methods.names():
        methods.get(name).load()
    # A fork has all that is imported by now; it must not have been at work on a GPU, though.
    how = "spawn" if torch.cuda.is_available() else "fork"
    start_processes(_process, (port, str(folder)), nprocs=2, start_method=how)
    found = {}
    for number, case in enumerate([*TOYS, *CASES]):
        errors = [file for file in (folder / f"{number}-1", folder / f"{number}-0") if file.exists()]
        found[case] = torch.load(errors[0], weights_only=True)
    return found


@pytest.mark.parametrize("case", ["toy", *CASES])
def test_two_processes_train_as_one_with_the_whole_batch(case: str, together: dict[str, Any]) -> None:
    found = together[case]
    assert not isinstance(found, str), found
    worst, where = difference(found, trained(case))
    assert worst < TOLERANCE, f"{where} differs by {worst:.2g}"


def test_gather_without_the_others_gradient_is_noticed(together: dict[str, Any]) -> None:
    wrong, right = together["toy without the others' gradient"], trained("toy")
    # The loss is the same, which is why it must not be looked at alone.
    assert float(wrong["loss of step 0"]) == pytest.approx(float(right["loss of step 0"]), rel=1e-9)
    gradient = "gradient of head.weight in step 0"
    assert wrong[gradient].norm() < 0.7 * right[gradient].norm()
    assert difference(wrong, right)[0] > 100 * TOLERANCE
