from __future__ import annotations

import torch
from torchvision.models.detection.image_list import ImageList

from cxrbench.tasks.detection.model.anchors import ExactAnchors


def anchors_of(generator: ExactAnchors, map_side: int, size: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    images = ImageList(torch.zeros(1, 1, size, size), [(size, size)])
    return generator(images, [torch.zeros(1, 3, map_side, map_side, dtype=dtype)])[0]


def test_sides_are_exact_and_the_ratios_of_a_size_stand_together() -> None:
    # Area 32^2 and height / width 0.5: width 32 sqrt(2), height 32 / sqrt(2).
    wide, narrow = 32 * 2**0.5 / 2, 32 / 2**0.5 / 2
    cell = ExactAnchors((32.0, 64.0), (0.5, 1.0, 2.0)).cell_anchors[0]
    expected = [[-wide, -narrow, wide, narrow], [-16, -16, 16, 16], [-narrow, -wide, narrow, wide]]
    torch.testing.assert_close(cell[:3], torch.tensor(expected), rtol=1e-7, atol=0)
    torch.testing.assert_close(cell[3:], 2 * cell[:3], rtol=1e-7, atol=0)


def test_centres_lie_on_multiples_of_sixteen_row_by_row() -> None:
    found = anchors_of(ExactAnchors((32.0,), (1.0, 2.0)), map_side=3, size=48)
    assert found.shape == (3 * 3 * 2, 4)
    centres = (found[:, :2] + found[:, 2:]) / 2
    expected = [(16 * x, 16 * y) for y in range(3) for x in range(3) for _ in range(2)]
    assert centres.tolist() == [list(map(float, each)) for each in expected]


def test_stride_is_sixteen_where_the_side_is_no_multiple_of_it() -> None:
    # 100 pixels give 7 cells, and 100 // 7 is 14.
    found = anchors_of(ExactAnchors((32.0,), (1.0,)), map_side=7, size=100)
    assert found[1].tolist() == [0.0, -16.0, 32.0, 16.0]


def test_anchors_of_a_bf16_map_are_float32() -> None:
    found = anchors_of(ExactAnchors((100.0,), (0.5,)), map_side=64, size=1024, dtype=torch.bfloat16)
    assert found.dtype == torch.float32
    assert found[-1].tolist() == anchors_of(ExactAnchors((100.0,), (0.5,)), 64, 1024)[-1].tolist()
