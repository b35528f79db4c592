"""The FIR filter against arrays worked out by hand."""

from __future__ import annotations

import torch

from cxrbench.pretrain.generator.filters import Fir


def test_an_impulse_becomes_the_filter() -> None:
    maps = torch.zeros(1, 2, 7, 7)
    maps[0, 1, 3, 3] = 64
    out = Fir().smooth(maps)
    assert out.shape == (1, 2, 6, 6)
    assert out[0, 0].abs().max() == 0
    # One row of zeros all around and four taps: the impulse at 3 reaches the places 1 to 4.
    assert out[0, 1, 1:5, 1:5].tolist() == [[1, 3, 3, 1], [3, 9, 9, 3], [3, 9, 9, 3], [1, 3, 3, 1]]
    assert out.sum() == 64


def test_gain_multiplies() -> None:
    maps = torch.rand(2, 3, 5, 5)
    torch.testing.assert_close(Fir().smooth(maps, gain=4.0), 4 * Fir().smooth(maps))


def test_an_upsampled_impulse_spreads_over_four_pixels_a_side() -> None:
    maps = torch.zeros(1, 1, 3, 3)
    maps[0, 0, 1, 1] = 16
    out = Fir().upsample(maps)
    assert out.shape == (1, 1, 6, 6)
    assert out[0, 0].tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 3, 3, 1, 0],
        [0, 3, 9, 9, 3, 0],
        [0, 3, 9, 9, 3, 0],
        [0, 1, 3, 3, 1, 0],
        [0, 0, 0, 0, 0, 0],
    ]


def test_a_ramp_is_upsampled_to_a_ramp() -> None:
    # (x[i-1] + 3 x[i]) / 4 and (3 x[i] + x[i+1]) / 4 of 0, 4, 8, 12, with zeros beyond the border.
    rows = torch.tensor([0.0, 4.0, 8.0, 12.0]).expand(1, 1, 4, 4)
    inside = Fir().upsample(rows)[0, 0, 3]
    assert inside.tolist() == [0, 1, 3, 5, 7, 9, 11, 9]


def test_the_filter_is_no_weight() -> None:
    assert Fir().state_dict() == {}
    assert next(Fir().double().buffers()).dtype == torch.float64
