from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cxrbench.pretrain.parts.multi_level_embedding import MultiLevelEmbedding, resize_and_average

CHANNELS = (3, 5, 4)
SIZES = ((112, 112), (7, 9), (1, 2))


def embedding(aggregation: Literal["sum", "concatenation"]) -> MultiLevelEmbedding:
    torch.manual_seed(0)
    return MultiLevelEmbedding(CHANNELS, width=6, grid=64, cells=4, aggregation=aggregation).double()


def maps(memory_format: torch.memory_format = torch.contiguous_format) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(2, channels, *size, generator=generator, dtype=torch.float64)
        .contiguous(memory_format=memory_format)
        .requires_grad_()
        for channels, size in zip(CHANNELS, SIZES, strict=True)
    ]


def in_the_published_order(network: MultiLevelEmbedding, levels: list[torch.Tensor]) -> torch.Tensor:
    """Resize to 64 x 64, convolve there, aggregate, average to 4 x 4, flatten."""
    wide = [
        conv(F.interpolate(each, size=64, mode="bilinear", align_corners=False))
        for conv, each in zip(network.convolutions, levels, strict=True)
    ]
    together = wide[0] + wide[1] + wide[2] if network.aggregation == "sum" else torch.cat(wide, dim=1)
    return F.adaptive_avg_pool2d(together, 4).flatten(1)


@pytest.mark.parametrize("aggregation", ["sum", "concatenation"])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_cheaper_order_gives_the_published_result_and_gradients(aggregation, memory_format):
    network, levels = embedding(aggregation), maps(memory_format)
    found, expected = network(levels), in_the_published_order(network, levels)
    assert found.shape == (2, network.dim) == (2, 6 * 16 * (1 if aggregation == "sum" else 3))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    wanted = [*levels, *network.parameters()]
    ours, theirs = (torch.autograd.grad((each * weights).sum(), wanted) for each in (found, expected))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def test_matrix_by_hand():
    # Two values a, b on four places: a, 0.75 a + 0.25 b, 0.25 a + 0.75 b, b; averaged by twos.
    found = resize_and_average(2, 4, 2, torch.zeros(1))
    np.testing.assert_allclose(found, [[0.875, 0.125], [0.125, 0.875]])


def test_convolutions_are_parameters_from_the_start():
    named = dict(embedding("sum").named_parameters())
    assert sorted(named) == [f"convolutions.{i}.{what}" for i in range(3) for what in ("bias", "weight")]
