from __future__ import annotations

import pytest
import torch
from torch import nn

from cxrbench.training import TrainingSettings, fit
from cxrbench.training.optimiser import build_optimiser, norms_without_decay


def test_lars_takes_two_steps_as_worked_by_hand() -> None:
    network = nn.Linear(2, 1)
    nn.init.constant_(network.weight, 3.0)
    nn.init.constant_(network.bias, 1.0)
    settings = TrainingSettings(optimiser="lars", lr=0.5, momentum=0.9, weight_decay=0.1)
    optimiser = build_optimiser(network, settings)
    weight, bias = torch.full((1, 2), 3.0, dtype=torch.float64), 1.0
    slow_weight, slow_bias = torch.zeros(1, 2, dtype=torch.float64), 0.0
    for gradient in (torch.tensor([[4.0, -3.0]]), torch.tensor([[0.0, 2.0]])):
        network.weight.grad, network.bias.grad = gradient.clone(), torch.tensor([2.0])
        optimiser.step()
        # You 2017, arXiv:1708.03888, equation 6, with trust coefficient 0.001.
        local = 0.001 * weight.norm() / (gradient.double().norm() + 0.1 * weight.norm())
        slow_weight = 0.9 * slow_weight + local * (gradient + 0.1 * weight)
        weight = weight - 0.5 * slow_weight
        # One dimension: plain momentum.
        slow_bias = 0.9 * slow_bias + 2.0
        bias = bias - 0.5 * slow_bias
    assert network.weight.tolist()[0] == pytest.approx(weight.tolist()[0], rel=1e-6)
    assert network.bias.item() == pytest.approx(bias, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_other_names_are_torchs(name: str, kind: type) -> None:
    settings = TrainingSettings(optimiser=name, momentum=0.8)  # type: ignore[arg-type]
    optimiser = build_optimiser(nn.Linear(2, 1), settings)
    assert type(optimiser) is kind
    assert optimiser.param_groups[0].get("momentum", 0.8) == 0.8


def test_network_of_vectors_only_has_a_lars_too() -> None:
    optimiser = build_optimiser(nn.BatchNorm1d(3), TrainingSettings(optimiser="lars"))
    assert [len(group["params"]) for group in optimiser.param_groups] == [2]


def test_norms_are_left_out_of_decay_and_frozen_parameters_of_training() -> None:
    conv, norm, group, frozen = nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.GroupNorm(1, 2), nn.Conv2d(2, 2, 1)
    frozen.requires_grad_(False)
    network = nn.Sequential(conv, norm, group, frozen)
    settings = TrainingSettings(optimiser="sgd", lr=0.5, momentum=0, weight_decay=0.1)
    optimiser = build_optimiser(network, settings, norms_without_decay)
    nn.init.constant_(conv.weight, 2.0)
    assert conv.bias is not None
    nn.init.constant_(conv.bias, 1.0)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    # w - lr (0 + decay w)
    assert conv.weight.flatten().tolist() == pytest.approx([1.9, 1.9])
    assert conv.bias.tolist() == pytest.approx([0.95, 0.95])
    assert norm.weight.tolist() == group.weight.tolist() == [1, 1]
    assert [len(group["params"]) for group in optimiser.param_groups] == [2, 4]


def test_groups_reach_the_optimiser_of_a_training() -> None:
    line, norm = nn.Linear(1, 2, bias=False), nn.LayerNorm(2)
    nn.init.constant_(line.weight, 2.0)
    settings = TrainingSettings(
        optimiser="sgd", lr=0.5, momentum=0, weight_decay=0.1, epochs=1, precision="float32", device="cpu"
    )
    batches = [(torch.ones(1, 1),)]
    fit(
        nn.Sequential(line, norm),
        lambda model, batch: 0 * model(batch[0]).sum(),
        lambda epoch: batches,
        1,
        settings,
        seed=0,
        parameter_groups=norms_without_decay,
    )
    assert line.weight.flatten().tolist() == pytest.approx([1.9, 1.9])
    assert norm.weight.tolist() == [1, 1]
