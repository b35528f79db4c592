"""Shapes of generators."""

from __future__ import annotations

from typing import Any

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.generator import GeneratorSpec


@pytest.mark.parametrize(("resolution", "layers"), [(4, 2), (8, 4), (64, 10), (256, 14), (1024, 18)])
def test_style_inputs_are_those_of_the_paper(resolution: int, layers: int) -> None:
    assert GeneratorSpec(resolution).layers == layers


def test_widths_are_those_of_configuration_f() -> None:
    spec = GeneratorSpec(1024)
    assert [spec.width(side) for side in spec.resolutions] == [512, 512, 512, 512, 512, 256, 128, 64, 32]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"resolution": 48}, "resolution 48: must be a power of two"),
        ({"resolution": 2}, "resolution 2: must be a power of two"),
        ({"resolution": 4096}, "resolution 4096: must be a power of two"),
        ({"channels": 2}, r"2 channels: must be 1 \(grey\) or 3 \(colour\)"),
        ({"mapping_layers": 0}, "mapping_layers 0: must lie from 1"),
        ({"z_dim": 10**9}, "z_dim 1000000000: must lie from 1"),
        ({"channel_base": 32}, "channel_base 32: must lie from 64"),
        ({"channel_max": 0}, "channel_max 0: must lie from 1"),
        ({"w_dim": 1.5}, "w_dim 1.5: must be a whole number"),
        ({"clamp": 0.0}, "clamp 0.0: must be above 0"),
    ],
)
def test_what_no_generator_has_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        GeneratorSpec(**{"resolution": 64, **wrong})
