"""The papers' views by name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .hiding import HideOrShuffle, InnerCutout, OuterCutout
from .recipe import REFERENCE_SIZE, Recipe


@dataclass(frozen=True)
class Preset:
    """What is made of an image.

    Attributes:
        title: one line, with the source.
        one: recipe of view `one`.
        two: recipe of view `two`; as `one` where it is None.
        clean: whether each view is also given as it was before its grey values changed and parts were hidden.
        flags: whether to say which `TRANSFORMS` were done.
        local: recipe of small views, None for none.
        local_views: their number.
    """

    title: str
    one: Recipe
    two: Recipe | None = None
    clean: bool = False
    flags: bool = False
    local: Recipe | None = None
    local_views: int = 0


# MoCo v2's released loader: crop, jitter, blur, mirror. Hue, saturation and greyscale do nothing to grey images.
_MOCO = Recipe(area=(0.2, 1.0), flip=0.5, jitter=0.8, blur=0.5)
# Kaku's released Moco2TrainTransformsChestXray: MoCo v2's without crop and mirror image, but rotated; at 512 pixels.
_INTER_MOCO = replace(
    _MOCO,
    area=None,
    flip=0.0,
    rotation=1.0,
    degrees=30.0,
    sigma=(0.1 * REFERENCE_SIZE / 512, 2.0 * REFERENCE_SIZE / 512),
)
# SimCLR, appendix A, at strength 1.
_SIMCLR = Recipe(area=(0.08, 1.0), flip=0.5, jitter=0.8, brightness=0.8, contrast=0.8, blur=0.5)
# BYOL, table 6: one view is always blurred, the other seldom, and solarised at times.
_BYOL_ONE = Recipe(area=(0.08, 1.0), flip=0.5, jitter=0.8, blur=1.0)
_BYOL_TWO = replace(_BYOL_ONE, blur=0.1, solarise=0.2)
# DiRA's released transformation.py: MoCo v2's view, of which parts are then hidden or shuffled.
_DIRA = replace(_MOCO, hiding=(HideOrShuffle(),))
# PCRL's released data.py: crop, rotation, mirror, blur, jitter (always), three holes.
_PCRL = Recipe(area=(0.2, 1.0), flip=0.5, rotation=0.5, jitter=1.0, blur=0.5)
_PCRL_V2 = replace(_PCRL, area=(0.3, 1.0), rotation=1.0, hiding=(InnerCutout(),))

PRESETS: dict[str, Preset] = {
    "ifa": Preset("the ten changes of IFA at CheSS' magnitudes, no crop, no mirror image", Recipe(named="ifa")),
    "moco": Preset("MoCo v2: crop from 20 %, mirror image, brightness and contrast 0.4, blur", _MOCO),
    "inter_moco": Preset(
        "Inter_MoCo: rotation by up to 30 degrees, brightness and contrast 0.4, blur; no crop", _INTER_MOCO
    ),
    "simclr": Preset("SimCLR: crop from 8 %, mirror image, brightness and contrast 0.8, blur", _SIMCLR),
    "byol": Preset("BYOL: crop from 8 %, blur in one view, solarisation in the other", _BYOL_ONE, _BYOL_TWO),
    "barlow_twins": Preset("Barlow Twins: as BYOL", _BYOL_ONE, _BYOL_TWO),
    "vicreg": Preset("VICReg, and MLVICX as released: as BYOL", _BYOL_ONE, _BYOL_TWO),
    "mlvicx": Preset(
        "MLVICX as published: VICReg's with a rotation, by up to 10 degrees",
        replace(_BYOL_ONE, rotation=1.0),
        replace(_BYOL_TWO, rotation=1.0),
    ),
    "caid": Preset("CAiD: MoCo v2's, with parts hidden or shuffled; clean targets", _DIRA, clean=True),
    "dira": Preset("DiRA: MoCo v2's, with parts hidden or shuffled; clean targets", _DIRA, clean=True),
    "pcrl_v1": Preset(
        "PCRL: crop, mirror image, rotation, outer and inner cutouts, each told; clean targets",
        replace(_PCRL, hiding=(OuterCutout(0.5), InnerCutout(0.5))),
        clean=True,
        flags=True,
    ),
    "pcrl_v2": Preset(
        "PCRLv2: crop from 30 %, rotation, mirror image, inner cutouts; clean targets; six small views",
        _PCRL_V2,
        clean=True,
        local=replace(_PCRL, area=(0.05, 0.3), rotation=1.0),
        local_views=6,
    ),
}

# Name -> one line.
VIEW_PRESETS: dict[str, str] = {name: preset.title for name, preset in PRESETS.items()}
