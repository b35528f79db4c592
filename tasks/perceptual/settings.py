"""Settings of perceptual losses."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from ...foundation.settings import Settings

# Versions of a task that compares encoders as losses, the first being the default.
VARIANTS = ("calibrated", "raw")


class PerceptualSettings(Settings):
    """How the feature maps of two images are compared: `--set perceptual.distance=l1`.

    Attributes:
        stage_weights: of the maps at strides 2, 4, 8, 16 and 32; the distances of the stages are summed with them.
        distance: l2 (squares of differences) or l1 (their absolute values).
        features: `unit` gives the vector of channels at each position length 1, as LPIPS does, and sums over channels;
            `raw` takes the features as they are and averages over channels, as CheSS and SPADE do. Both average over
            positions.
        rho: calibrated losses only: the weighted loss is this many times the squared error of the pixels at the start,
            over the calibration images.
        weight: losses that are not calibrated only: what the sum over the stages is multiplied by.
    """

    stage_weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)
    distance: Literal["l1", "l2"] = "l2"
    features: Literal["unit", "raw"] = "unit"
    rho: float = Field(default=1.0, gt=0)
    weight: float = Field(default=1.0, gt=0)

    @field_validator("stage_weights")
    @classmethod
    def _five_stages(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if len(weights) != 5 or min(weights) < 0 or max(weights) == 0:
            raise ValueError("five numbers of 0 or more, one of them above 0")
        return weights


# The loss of nodule generation in the released code of CheSS (doi:10.1007/s10278-023-00782-4), which is SPADE's.
CHESS = PerceptualSettings(
    stage_weights=(1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0), distance="l1", features="raw", weight=10.0
)


def of_variant(settings: PerceptualSettings, variant: str) -> PerceptualSettings:
    """What `variant` of a task takes: `raw` has raw features whatever the settings say, `calibrated` has the settings'.

    The weight of `raw` is `weight`, the same for every encoder; that of `calibrated` comes from `calibrate`.
    """
    return settings.model_copy(update={"features": "raw"}) if variant == "raw" else settings


def settings_that_bear(settings: PerceptualSettings, variant: str) -> dict[str, Any]:
    """The settings that bear on `variant`, as JSON, for its fingerprint: a rho only where it is calibrated."""
    unused = "rho" if variant == "raw" else "weight"
    return of_variant(settings, variant).model_dump(mode="json", exclude={unused})
