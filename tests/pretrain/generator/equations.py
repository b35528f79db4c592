"""StyleGAN2's synthesis in numpy, image by image and weight by weight, as the equations of the papers read."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate2d

Array = NDArray[np.float64]

FIR = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def leaky_relu(x: Array) -> Array:
    return np.where(x > 0, x, 0.2 * x) * np.sqrt(2)


def dense(x: Array, weight: Array, bias: Array, rate: float = 1.0) -> Array:
    return np.einsum("oi,ni->no", weight * rate / np.sqrt(weight.shape[1]), x) + bias * rate


def mapping(z: Array, state: dict[str, Array], layers: int) -> Array:
    x = z / np.sqrt((z**2).mean(axis=1, keepdims=True) + 1e-8)
    for place in range(layers):
        x = leaky_relu(dense(x, state[f"mapping.fc{place}.weight"], state[f"mapping.fc{place}.bias"], 0.01))
    return x


def modulated(weight: Array, style: Array, *, demodulate: bool) -> Array:
    """Weights of one image [O, I, k, k]; equations 1 and 3 of Karras et al. 2020."""
    scaled = weight / np.sqrt(np.prod(weight.shape[1:])) * style[None, :, None, None]
    norm = np.sqrt(np.einsum("oihw->o", scaled**2) + 1e-8)
    return scaled / norm[:, None, None, None] if demodulate else scaled


def correlate(maps: Array, weight: Array) -> Array:
    """[I, H, W] with [O, I, k, k] -> [O, H, W], zeros beyond the border."""
    return np.stack([sum(correlate2d(maps[i], each[i], mode="same") for i in range(len(maps))) for each in weight])


def up_convolve(maps: Array, weight: Array) -> Array:
    """Each pixel puts the kernel, times itself, at twice its place; then the filter with gain 4."""
    side = maps.shape[1]
    out = np.zeros((len(weight), 2 * side + 1, 2 * side + 1))
    for y in range(side):
        for x in range(side):
            out[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3] += np.einsum("oihw,i->ohw", weight, maps[:, y, x])
    return np.stack([correlate2d(np.pad(each, 1), 4 * FIR, mode="valid") for each in out])


def upsample(maps: Array) -> Array:
    """Zeros between the pixels, then the filter with gain 4."""
    spread = np.zeros((len(maps), 2 * maps.shape[1], 2 * maps.shape[2]))
    spread[:, ::2, ::2] = maps
    return np.stack([correlate2d(np.pad(each, (2, 1)), 4 * FIR, mode="valid") for each in spread])


def synthesis(styles: Array, state: dict[str, Array], *, noise: bool) -> Array:
    """The image [C, R, R] of the styles of one image [layers, w_dim]."""
    resolutions = sorted(int(name.split(".")[1][1:]) for name in state if name.endswith("torgb.weight"))
    place, image = 0, np.zeros(())
    maps = state["synthesis.b4.const"]
    for resolution in resolutions:
        for name in ("conv0", "conv1") if resolution > 4 else ("conv1",):
            maps = _layer(maps, styles[place], state, f"synthesis.b{resolution}.{name}", noise)
            place += 1
        prefix = f"synthesis.b{resolution}.torgb"
        weight = modulated(state[f"{prefix}.weight"], _style(styles[place], state, prefix), demodulate=False)
        added = correlate(maps, weight) + state[f"{prefix}.bias"][:, None, None]
        image = added if resolution == 4 else upsample(image) + added
    return image


def _layer(maps: Array, w: Array, state: dict[str, Array], prefix: str, noise: bool) -> Array:
    weight = modulated(state[f"{prefix}.weight"], _style(w, state, prefix), demodulate=True)
    maps = up_convolve(maps, weight) if prefix.endswith("conv0") else correlate(maps, weight)
    if noise:
        maps = maps + state[f"{prefix}.noise_const"] * state[f"{prefix}.noise_strength"]
    return leaky_relu(maps + state[f"{prefix}.bias"][:, None, None])


def _style(w: Array, state: dict[str, Array], prefix: str) -> Array:
    return dense(w[None], state[f"{prefix}.affine.weight"], state[f"{prefix}.affine.bias"])[0]
