"""Gradients of a method's loss beside those of an expression written from the paper's equations."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gradients(network: nn.Module, loss: Tensor) -> dict[str, Tensor]:
    """Gradient of each trained parameter by name; zeros where the loss does not reach it."""
    named = {name: each for name, each in network.named_parameters() if each.requires_grad}
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True, retain_graph=True)
    zeros = (torch.zeros_like(each) for each in named.values())
    return {name: z if g is None else g for name, g, z in zip(named, found, zeros, strict=True)}


def assert_same_gradients(network: nn.Module, found: Tensor, expected: Tensor, tolerance: float = 1e-6) -> None:
    """Each parameter's gradient to `tolerance` of the largest entry of all."""
    ours, theirs = gradients(network, found), gradients(network, expected)
    scale = max(float(each.abs().max()) for each in theirs.values())
    assert scale > 0
    for name, each in theirs.items():
        assert float((ours[name] - each).abs().max()) <= tolerance * scale, name
