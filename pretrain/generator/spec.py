"""The shape of a StyleGAN2 generator: resolution, channels, widths."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ...foundation.errors import UserError

CHANNELS = (1, 3)
LARGEST_RESOLUTION = 2048
_LARGEST_WIDTH = 4096
_LARGEST_BASE = 2**20
_MOST_MAPPING_LAYERS = 64


@dataclass(frozen=True)
class GeneratorSpec:
    """What a generator is made of; the defaults are those of Karras et al. 2020 (configuration F).

    Attributes:
        resolution: side of its images in pixels: a power of two from 4 on.
        channels: of its images: 1 or 3.
        z_dim: numbers in a latent vector z.
        w_dim: numbers in an intermediate latent vector w.
        mapping_layers: fully connected layers from z to w.
        channel_base: feature maps at resolution r are `channel_base / r`, ...
        channel_max: ... and at most these.
        clamp: activations are cut at this magnitude, as the authors do for half precision (256); None for not at all.

    Raises:
        UserError: a value that no generator has.
    """

    resolution: int
    channels: int = 3
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    channel_base: int = 32768
    channel_max: int = 512
    clamp: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name == "clamp":
                continue
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise UserError(f"generator: {field.name} {value!r}: must be a whole number")
        if not is_resolution(self.resolution):
            raise UserError(
                f"generator: resolution {self.resolution}: must be a power of two, 4 to {LARGEST_RESOLUTION}"
            )
        if self.channels not in CHANNELS:
            raise UserError(f"generator: {self.channels} channels: must be 1 (grey) or 3 (colour)")
        self._refuse_outside("z_dim", 1, _LARGEST_WIDTH)
        self._refuse_outside("w_dim", 1, _LARGEST_WIDTH)
        self._refuse_outside("mapping_layers", 1, _MOST_MAPPING_LAYERS)
        self._refuse_outside("channel_base", self.resolution, _LARGEST_BASE)
        self._refuse_outside("channel_max", 1, _LARGEST_WIDTH)
        if self.clamp is not None and not 0 < self.clamp < float("inf"):
            raise UserError(f"generator: clamp {self.clamp}: must be above 0 and finite")

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Sides of the feature maps: 4, 8, ... up to that of the image."""
        return tuple(2**power for power in range(2, self.resolution.bit_length()))

    @property
    def layers(self) -> int:
        """How many style vectors the synthesis takes: 2 log2(resolution) - 2 (18 at 1024)."""
        return 2 * len(self.resolutions)

    def width(self, resolution: int) -> int:
        """How many feature maps there are at a resolution."""
        return min(self.channel_base // resolution, self.channel_max)

    def _refuse_outside(self, name: str, least: int, most: int) -> None:
        value = getattr(self, name)
        if not least <= value <= most:
            raise UserError(f"generator: {name} {value}: must lie from {least} to {most}")


def is_resolution(number: int) -> bool:
    """Whether a generator can have this resolution."""
    return 4 <= number <= LARGEST_RESOLUTION and number & (number - 1) == 0
