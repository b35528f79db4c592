"""Several processes that are stopped, go on, and were started by torchrun."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.multiprocessing.spawn import start_processes

from cxrbench.foundation.errors import UserError
from cxrbench.training import BatchLoader, History, StoppedError, TrainingSettings, fit, loop, torchrun
from cxrbench.training.batch_norm import synchronise
from cxrbench.training.device import _Together, build_fabric

SETTINGS = TrainingSettings(
    optimiser="sgd", lr=0.1, epochs=2, batch_size=8, precision="float32", device="cpu", devices=2
)
BATCHES = 3


def prepare(places: np.ndarray, generator: np.random.Generator) -> Tensor:
    return torch.from_numpy(np.stack([places, places**2], 1)).float() / 24


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.3), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        error = (self.layers(x)[:, 0] - x[:, 0]).square().mean()
        return {"loss": error, "twice": 2 * error}


def loss(module: nn.Module, batch: Tensor) -> dict[str, Tensor]:
    return module(batch)


class AtStep:
    """Says stop after so many questions, in one process only."""

    def __init__(self, questions: int):
        self.left = questions

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0 and torch.distributed.get_rank() == 1


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are forked: nothing is imported again."""
    if torch.cuda.is_available():
        pytest.skip("a process that was at work on a GPU cannot be forked")

    def build(device: str, devices: int, precision: str) -> Fabric:
        return Fabric(accelerator=device, devices=devices, strategy=_Together(start_method="fork"))

    monkeypatch.setattr(loop, "build_fabric", build)


def trained(network: nn.Module | None = None, **arguments: Any) -> tuple[History, dict[str, Tensor]]:
    network = network or Net()
    loader = BatchLoader(prepare, 24, 8, seed=0, exact=True)
    history = fit(network, loss, loader, BATCHES, SETTINGS, seed=3, **arguments)
    return history, network.state_dict()


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize("synchronised", [False, True])
def test_stopped_by_one_all_stop_and_go_on_bit_for_bit(synchronised: bool, tmp_path: Path) -> None:
    def network() -> nn.Module:
        return synchronise(Net()) if synchronised else Net()

    file = tmp_path / "training.pt"
    whole = trained(network())
    # Asked for after the first step, known to all after the second.
    with pytest.raises(StoppedError, match="after 2 of 6 steps"):
        trained(network(), checkpoint=file, stop=AtStep(0))
    history, weights = trained(network(), checkpoint=file)
    assert all(torch.equal(weights[name], whole[1][name]) for name in weights)
    assert [(row["loss"], row["twice"]) for row in history.rows] == [
        (row["loss"], row["twice"]) for row in whole[0].rows
    ]


def as_torchrun_starts(rank: int, port: int, folder: str) -> None:
    """What torchrun leaves in the environment of a process, and a training that finds it there."""
    torch.set_num_threads(1)
    os.environ |= {"TORCHELASTIC_RUN_ID": "test", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": "2"}
    assert torchrun.process_count(1) == 2
    assert torchrun.is_first_process() == (rank == 0)
    network, loader = Net(), BatchLoader(prepare, 24, 8, seed=0, exact=True)
    loop.build_fabric = build_fabric  # this process's own: what the fixture put there spawns
    history = fit(network, loss, loader, BATCHES, SETTINGS.model_copy(update={"devices": 1}), seed=3)
    torch.save([network.state_dict(), history.rows], Path(folder) / str(rank))
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("forked")
def test_processes_of_torchrun_train_as_spawned_ones(tmp_path: Path, free_port: int) -> None:
    start_processes(as_torchrun_starts, (free_port, str(tmp_path)), nprocs=2, start_method="fork")
    (first, rows), (second, _) = (torch.load(tmp_path / str(rank), weights_only=True) for rank in range(2))
    history, weights = trained()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(first[name], weights[name]) for name in first)
    assert [row["loss"] for row in rows] == [row["loss"] for row in history.rows]


def started(monkeypatch: pytest.MonkeyPatch, here: int, everywhere: int) -> None:
    monkeypatch.setattr(torchrun, "started_by_torchrun", lambda: True)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(here))
    monkeypatch.setenv("WORLD_SIZE", str(everywhere))


def test_devices_and_machines_are_as_torchrun_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert torchrun.process_count(3) == 3
    started(monkeypatch, 4, 8)
    assert torchrun.devices_and_machines(1) == torchrun.devices_and_machines(4) == (4, 2)
    assert torchrun.process_count(1) == 8
    with pytest.raises(UserError, match=r"training\.devices = 2, but torchrun started 4 processes"):
        torchrun.devices_and_machines(2)


def test_unequal_machines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, 3, 8)
    with pytest.raises(UserError, match="equally many"):
        torchrun.devices_and_machines(1)
