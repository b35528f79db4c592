"""How one view is drawn: which changes, how likely, how strong."""

from __future__ import annotations

from dataclasses import dataclass

from .hiding import Hiding

# The order of the flags that say what was done to a view.
TRANSFORMS = ("flip", "rotation", "outer_cutout", "inner_cutout")

# Sizes in pixels are those of an image of this side, as in the papers, and grow with the view.
REFERENCE_SIZE = 224


@dataclass(frozen=True)
class Recipe:
    """The distribution of one view; the changes are made in the order in which they stand here.

    Attributes:
        area: share of the image's area that a crop covers, least and most; None takes the whole image.
        ratio: width to height of a crop, least and most, drawn on a logarithmic scale.
        flip: probability of a mirror image (left to right).
        rotation: probability of a rotation by up to `degrees` to either side about the crop's middle.
        degrees: see `rotation`.
        jitter: probability of changed brightness and contrast, in random order.
        brightness: grey values are multiplied by 1 - brightness to 1 + brightness.
        contrast: distances from the view's mean are multiplied by 1 - contrast to 1 + contrast.
        blur: probability of a Gaussian blur.
        sigma: its standard deviation, least and most, in pixels of a 224 px image.
        solarise: probability that grey values of 128 and more are inverted.
        hiding: parts of the view that are hidden or moved, one after another.
        named: preset of data/augmentation applied to the crop, before all that follows; empty for none.
    """

    area: tuple[float, float] | None = None
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.0
    rotation: float = 0.0
    degrees: float = 10.0
    jitter: float = 0.0
    brightness: float = 0.4
    contrast: float = 0.4
    blur: float = 0.0
    sigma: tuple[float, float] = (0.1, 2.0)
    solarise: float = 0.0
    hiding: tuple[Hiding, ...] = ()
    named: str = ""
