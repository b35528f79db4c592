"""From styles to images: the synthesis network with skip connections (Karras et al. 2020, figures 2c and 7b)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from .activation import GAIN, SLOPE
from .dense import Dense
from .filters import Fir
from .modulated_convolution import modulated_convolution, modulated_image
from .spec import GeneratorSpec

Noise = Literal["none", "fixed", "random"]


class Synthesis(nn.Module):
    """w [N, w_dim] or [N, layers, w_dim] -> images [N, channels, R, R], about [-1, 1].

    Blocks `b4`, `b8`, ... up to the resolution. The first takes the styles 0 (convolution) and 1 (image), each
    further one the styles that follow; the style that makes the image of a block also goes into the first convolution
    of the next. No image depends on the others of its batch.
    """

    def __init__(self, spec: GeneratorSpec, randomness: torch.Generator):
        super().__init__()
        self._layers, self._w_dim = spec.layers, spec.w_dim
        self._fir = Fir()
        self._names = [f"b{resolution}" for resolution in spec.resolutions]
        for name, resolution in zip(self._names, spec.resolutions, strict=True):
            self.add_module(name, _Block(spec, resolution, randomness))

    def forward(self, w: Tensor, noise: Noise = "none") -> Tensor:
        """Images of styles.

        Args:
            w: one vector an image, or one an image and layer.
            noise: added to the feature maps: none, the maps that the generator keeps ("fixed"), or new ones from
                torch's global generator ("random"), which differ between the images of a batch.

        Raises:
            ValueError: another shape.
        """
        styles = self._per_layer(w)
        maps, image = None, None
        for place, name in enumerate(self._names):
            block = self.get_submodule(name)
            first = max(2 * place - 1, 0)
            maps, image = block(maps, image, styles[first : 2 * place + 2], noise, self._fir)
        assert image is not None
        return image

    def _per_layer(self, w: Tensor) -> tuple[Tensor, ...]:
        if w.dim() == 2 and w.shape[1] == self._w_dim:
            return (w,) * self._layers
        if w.dim() == 3 and w.shape[1:] == (self._layers, self._w_dim):
            return w.unbind(dim=1)
        raise ValueError(f"w {list(w.shape)}: must be [N, {self._w_dim}] or [N, {self._layers}, {self._w_dim}]")


class _Block(nn.Module):
    """One resolution: an up-convolution (or the learned constant), a convolution, and its part of the image."""

    def __init__(self, spec: GeneratorSpec, resolution: int, randomness: torch.Generator):
        super().__init__()
        width = spec.width(resolution)
        if resolution == 4:
            self.const = nn.Parameter(torch.randn(width, 4, 4, generator=randomness))
        else:
            before = spec.width(resolution // 2)
            self.conv0 = _Layer(spec, before, resolution, randomness)
        self.conv1 = _Layer(spec, width, resolution, randomness)
        self.torgb = _ToImage(spec, width, randomness)

    def forward(
        self, before: Tensor | None, image: Tensor | None, styles: tuple[Tensor, ...], noise: Noise, fir: Fir
    ) -> tuple[Tensor, Tensor]:
        *convolutions, last = styles
        if before is None:
            # Channels last, and so all that follows: 1.2 to 1.4 times as quick on a CPU.
            first = self.const[None].contiguous(memory_format=torch.channels_last).expand(len(last), -1, -1, -1)
        else:
            first = self.conv0(before, convolutions[0], noise, fir)
        maps: Tensor = self.conv1(first, convolutions[-1], noise)
        added: Tensor = self.torgb(maps, last)
        return maps, added if image is None else fir.upsample(image) + added


class _Layer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, activation."""

    noise_const: Tensor

    def __init__(self, spec: GeneratorSpec, inputs: int, resolution: int, randomness: torch.Generator):
        super().__init__()
        outputs, self._clamp = spec.width(resolution), spec.clamp
        self.affine = Dense(spec.w_dim, inputs, bias=1.0, randomness=randomness)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3, generator=randomness))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(resolution, resolution, generator=randomness))

    def forward(self, maps: Tensor, w: Tensor, noise: Noise, up: Fir | None = None) -> Tensor:
        maps, scales = modulated_convolution(maps, self.weight, self.affine(w), up)
        added = self.bias[:, None, None]
        if noise == "fixed":
            added = added + self.noise_const * self.noise_strength
        elif noise == "random":
            drawn = torch.randn(len(maps), 1, *maps.shape[2:], dtype=maps.dtype, device=maps.device)
            added = added + drawn * self.noise_strength
        # Leaky ReLU times a gain above 0 is leaky ReLU of that times the gain: one pass over the maps less.
        maps = torch.addcmul(added * GAIN, maps, (scales * GAIN)[:, :, None, None])
        return _cut(functional.leaky_relu(maps, SLOPE, inplace=True), self._clamp)


class _ToImage(nn.Module):
    """Feature maps -> grey or colour: modulated 1x1 convolution without demodulation, and a bias."""

    def __init__(self, spec: GeneratorSpec, inputs: int, randomness: torch.Generator):
        super().__init__()
        channels, self._clamp = spec.channels, spec.clamp
        self.affine = Dense(spec.w_dim, inputs, bias=1.0, randomness=randomness)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1, generator=randomness))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor, w: Tensor) -> Tensor:
        return _cut(modulated_image(maps, self.weight, self.affine(w)) + self.bias[:, None, None], self._clamp)


def _cut(x: Tensor, magnitude: float | None) -> Tensor:
    return x if magnitude is None else x.clamp(-magnitude, magnitude)
