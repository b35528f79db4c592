from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.parts.restoration import (
    Decoder,
    Restorer,
    draw_decoder,
    level_widths,
    require_maps,
    restoration_loss,
)

from ..tiny_encoder import STAGES, tiny_encoder


def maps(size: int = 32, n: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    sides = [size := -(-size // 2) for _ in STAGES]
    return [
        torch.randn(n, width, side, side, dtype=torch.float64, generator=generator).requires_grad_()
        for width, side in zip(STAGES, sides, strict=True)
    ]


def enlarged(x: np.ndarray, side: int) -> np.ndarray:
    rows = np.arange(side) * x.shape[-1] // side
    return x[:, :, rows][:, :, :, rows]


def convolved(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    side = x.shape[-1]
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    shifted = [
        np.einsum("oi,bihw->bohw", weight[:, :, row, column], padded[:, :, row : row + side, column : column + side])
        for row in range(3)
        for column in range(3)
    ]
    return np.sum(shifted, axis=0)


def layer(x: np.ndarray, weight: torch.Tensor) -> np.ndarray:
    x = convolved(x, weight.detach().numpy())
    mean, variance = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return np.maximum((x - mean) / np.sqrt(variance + 1e-5), 0)


@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("size", [32, 44])
def test_levels_are_those_of_the_equations(skips, size):
    decoder: Any = Decoder(STAGES, width=32, skips=skips).double()
    given = maps(size)
    found = decoder(given, (size, size))
    *finer, x = [each.detach().numpy() for each in given]
    for level, skip, value in zip(decoder.levels, [*reversed(finer), None], found, strict=True):
        x = enlarged(x, size if skip is None else skip.shape[-1])
        if skips and skip is not None:
            x = np.concatenate([x, skip], axis=1)
        for convolution in (each for each in level if isinstance(each, nn.Conv2d)):
            x = layer(x, convolution.weight)
        assert np.abs(value.detach().numpy() - x).max() < 1e-9


@pytest.mark.parametrize("size", [32, 50, 75, 97])
def test_image_has_the_size_of_the_input_whatever_it_is(size):
    encoder = tiny_encoder()
    restorer = Restorer(STAGES, width=16, channels=3)
    x = torch.rand(2, 1, size, size + 3)
    assert restorer(encoder.stages(x), x.shape[-2:]).shape == (2, 3, size, size + 3)


def test_finer_maps_do_not_matter_without_skips():
    given = maps()
    Decoder(STAGES, width=16, skips=False).double()(given, (32, 32))[-1].square().mean().backward()
    assert given[-1].grad is not None
    assert given[-1].grad.abs().max() > 0
    assert all(each.grad is None for each in given[:-1])


def test_widths_halve():
    assert level_widths(256) == (256, 128, 64, 32, 16)
    assert level_widths(16) == (16, 8, 4, 4, 4)


def test_weights_are_drawn_within_their_bounds():
    torch.manual_seed(0)
    drawn: Any = draw_decoder(nn.Sequential(nn.Conv2d(8, 64, 3), nn.Linear(40, 60)))
    convolution, linear = drawn[0].weight, drawn[1].weight
    assert np.sqrt(6 / 72) * 0.98 < convolution.abs().max().item() <= np.sqrt(6 / 72)
    assert np.sqrt(6 / 100) * 0.98 < linear.abs().max().item() <= np.sqrt(6 / 100)
    assert drawn[0].bias.abs().max() == 0
    assert drawn[1].bias.abs().max() == 0


def test_restoration_loss_and_its_gradient_are_those_of_the_mean_square():
    generator = np.random.default_rng(0)
    restored, clean = generator.random((2, 3, 1, 5, 7))
    x = torch.tensor(restored, requires_grad=True)
    loss = restoration_loss(x, torch.tensor(clean))
    loss.backward()
    assert loss.item() == pytest.approx(((restored - clean) ** 2).mean(), rel=1e-12)
    assert x.grad is not None
    assert np.abs(x.grad.numpy() - 2 * (restored - clean) / restored.size).max() < 1e-12


def test_restoration_loss_is_float32_for_bf16():
    half = torch.full((1, 1, 2, 2), 0.5, dtype=torch.bfloat16)
    loss = restoration_loss(half, torch.zeros(1, 1, 2, 2))
    assert loss.dtype == torch.float32
    assert loss.item() == 0.25


def test_restoration_loss_refuses_other_shapes():
    with pytest.raises(ValueError, match="differ in shape"):
        restoration_loss(torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4))


def test_decoder_takes_five_maps():
    with pytest.raises(ValueError, match="5 maps, not 3"):
        Decoder((4, 8, 8))


def test_encoder_without_maps_is_refused():
    encoder = SimpleNamespace(has_stages=False, meta=SimpleNamespace(arch="timm:vit_tiny"))
    with pytest.raises(UserError, match=r"caid restores images.*timm:vit_tiny"):
        require_maps(encoder, "caid")  # type: ignore[arg-type]
