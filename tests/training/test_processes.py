from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing.spawn import ProcessRaisedException

from cxrbench.training import BatchLoader, NotFiniteLossError, TrainingSettings, fit, loop
from cxrbench.training.device import build_fabric

TWO = TrainingSettings(
    optimiser="sgd",
    lr=0.1,
    momentum=0,
    weight_decay=0,
    epochs=3,
    batch_size=8,
    precision="float32",
    device="cpu",
    devices=2,
)


class Line:
    """Prepares (x, y) with y = 3 x; picklable."""

    def __init__(self, factor: float = 3.0):
        self.factor = factor

    def __call__(self, places: np.ndarray, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        x = torch.from_numpy(places).float()[:, None] / 16
        return x, self.factor * x


def squared(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return ((network(batch[0]) - batch[1]) ** 2).mean()


class SpreadOfWeights(nn.Module):
    """How far the weights of the processes lie apart."""

    def __call__(self, network: nn.Module) -> dict[str, float]:
        mine = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
        highest, lowest = mine.clone(), mine.clone()
        torch.distributed.all_reduce(highest, torch.distributed.ReduceOp.MAX)
        torch.distributed.all_reduce(lowest, torch.distributed.ReduceOp.MIN)
        return {"log_loss": float(torch.distributed.get_world_size()), "spread": float((highest - lowest).max())}


@pytest.mark.slow
def test_two_processes_learn_what_one_does(capfd: pytest.CaptureFixture[str]) -> None:
    loader = BatchLoader(Line(), 16, 8, seed=0)
    networks = [nn.Linear(1, 1) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    history = fit(networks[0], squared, loader, 2, TWO, seed=0, validate=SpreadOfWeights())
    # Fabric tells of ports and process groups otherwise.
    assert "distributed" not in capfd.readouterr().err
    alone = fit(networks[1], squared, loader, 2, TWO.model_copy(update={"devices": 1}), seed=0)
    assert [row["validation_spread"] for row in history.rows] == [0, 0, 0]
    assert [row["validation_log_loss"] for row in history.rows] == [2, 2, 2]
    assert history.rows[2]["loss"] < history.rows[0]["loss"]
    # Shares of a batch are equal, so the mean of their means is the batch's mean.
    assert [row["loss"] for row in history.rows] == pytest.approx([row["loss"] for row in alone.rows], rel=1e-5)


class InThisProcess:
    """Launches like a Fabric of several processes, of which this one is the first."""

    def launch(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            function(build_fabric("cpu", 1, "float32"), *arguments)
        except Exception as error:
            raise ProcessRaisedException(str(error), 0, 0) from error


@pytest.mark.parametrize(("factor", "words"), [(float("nan"), "epoch 1, step 1"), (3.0, None)])
def test_error_in_a_process_arrives_as_it_was(
    monkeypatch: pytest.MonkeyPatch, factor: float, words: str | None
) -> None:
    monkeypatch.setattr(loop, "build_fabric", lambda *arguments: InThisProcess())
    loader = BatchLoader(Line(factor), 16, 8, seed=0)
    network = nn.Linear(1, 1)
    if words is None:
        assert fit(network, squared, loader, 2, TWO, seed=0).best_epoch == 3
        return
    with pytest.raises(NotFiniteLossError, match=words):
        fit(network, squared, loader, 2, TWO, seed=0)


def test_batches_that_cannot_be_shared_are_refused() -> None:
    with pytest.raises(TypeError, match="share"):
        fit(nn.Linear(1, 1), squared, lambda epoch: [], 2, TWO, seed=0)
