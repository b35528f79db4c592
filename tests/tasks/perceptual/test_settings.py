"""Settings of perceptual losses: what may be set, and what bears on which variant."""

from __future__ import annotations

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.settings import override
from cxrbench.tasks.perceptual.settings import CHESS, PerceptualSettings, of_variant, settings_that_bear


@pytest.mark.parametrize(
    ("key", "value"),
    [("stage_weights", [1, 1, 1, 1]), ("stage_weights", [0] * 5), ("stage_weights", [1, 1, 1, 1, -1]), ("rho", 0)],
)
def test_what_cannot_be_is_one_line(key: str, value: object) -> None:
    with pytest.raises(UserError, match=f"--set: {key}"):
        override(PerceptualSettings(), {key: value}, "--set")


def test_chess_has_the_released_weights() -> None:
    assert CHESS.stage_weights == (0.03125, 0.0625, 0.125, 0.25, 1.0)
    assert (CHESS.distance, CHESS.features, CHESS.weight) == ("l1", "raw", 10.0)


def test_the_raw_variant_has_raw_features_whatever_is_set() -> None:
    settings = PerceptualSettings(distance="l1")
    assert of_variant(settings, "calibrated") == settings
    assert of_variant(settings, "raw") == PerceptualSettings(distance="l1", features="raw")


def test_rho_is_no_part_of_a_raw_trial_and_weight_none_of_a_calibrated_one() -> None:
    one, other = PerceptualSettings(), PerceptualSettings(rho=10, weight=1)
    assert settings_that_bear(one, "raw") == settings_that_bear(other, "raw")
    assert settings_that_bear(one, "calibrated") != settings_that_bear(other, "calibrated")
    assert "weight" not in settings_that_bear(one, "calibrated")
    assert settings_that_bear(one, "raw")["features"] == "raw"
