from __future__ import annotations

import numpy as np
import pytest
import torch

from cxrbench.tasks.detection.model.pooling import MAP, AlignedPooling


def interpolated(image: np.ndarray, y: float, x: float) -> float:
    """Bilinear, with values at whole numbers."""
    top, left = int(np.floor(y)), int(np.floor(x))
    dy, dx = y - top, x - left
    patch = image[top : top + 2, left : left + 2]
    return float(np.array([1 - dy, dy]) @ patch @ np.array([1 - dx, dx]))


def pooled_by_hand(image: np.ndarray, box: tuple[float, ...], size: int) -> np.ndarray:
    """He et al. 2017 with detectron2's half pixel: means over ceil(side / size) squared points a cell."""
    x1, y1, x2, y2 = (value / 16 - 0.5 for value in box)
    points = [int(np.ceil((y2 - y1) / size)), int(np.ceil((x2 - x1) / size))]
    result = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            ys = y1 + (y2 - y1) / size * (row + (np.arange(points[0]) + 0.5) / points[0])
            xs = x1 + (x2 - x1) / size * (column + (np.arange(points[1]) + 0.5) / points[1])
            result[row, column] = np.mean([[interpolated(image, y, x) for x in xs] for y in ys])
    return result


@pytest.mark.parametrize("box", [(20.0, 24.0, 150.0, 100.0), (33.0, 21.0, 60.0, 180.0)])
def test_regions_are_aligned_and_sampled_as_finely_as_they_are_large(box: tuple[float, ...]) -> None:
    image = np.random.default_rng(0).random((13, 13))
    feature = torch.from_numpy(image).float()[None, None]
    pooled = AlignedPooling(2)({MAP: feature}, [torch.tensor([box])], [(208, 208)])
    np.testing.assert_allclose(pooled[0, 0].numpy(), pooled_by_hand(image, box, 2), atol=1e-6)


def test_a_bf16_map_is_sampled_at_float32_places() -> None:
    # Rounded to bf16, 1003 would be 1004.
    ramp = torch.arange(80.0).expand(1, 1, 80, 80)
    box = [torch.tensor([[1003.0, 160.0, 1067.0, 320.0]])]
    exact = AlignedPooling(1)({MAP: ramp}, box, [(1280, 1280)])
    assert exact.item() == pytest.approx((1003 + 1067) / 32 - 0.5, abs=1e-4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pooled = AlignedPooling(1)({MAP: ramp.bfloat16()}, box, [(1280, 1280)])
    assert pooled.dtype == torch.bfloat16
    assert pooled.item() == exact.bfloat16().item()
