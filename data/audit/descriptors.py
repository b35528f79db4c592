"""48 numbers that tell one chest from another although all chests look alike."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.fft import dct

from .pixels import THUMBNAIL

# Low frequencies only, both ways below this one: they survive resizing, re-encoding and a slight crop.
_FREQUENCIES = 8
DIMENSIONS = 48
# The axes are fitted to at most so many images, spread evenly.
_SAMPLE = 20_000
# How many images the built-in idea of what varies between chests counts for; it decides where there are few images.
_PRIOR_IMAGES = 60
_FLOOR = 0.05
_BLOCK = 4096


class Thumbnails(Protocol):
    """Thumbnails, an array or what reads them when asked."""

    def __len__(self) -> int: ...

    def __getitem__(self, which: slice, /) -> np.ndarray: ...


def describe(*sets: Thumbnails) -> list[np.ndarray]:
    """Descriptors of one or more sets of thumbnails, with axes that are common to them.

    The low frequencies of a thumbnail (cosine transform) are turned onto the axes along which these images differ and
    divided by how much they differ there: what all chests share counts little, what is one person's counts much.

    Args:
        sets: uint8 [N_i, 64, 64] of `pixels.thumbnail`, N_i >= 0.

    Returns:
        For each set float32 [N_i, 48], rows of length 1; the dot product of two rows is their likeness.
    """
    spectra = [_spectra(thumbnails) for thumbnails in sets]
    mean, turn = _axes(np.concatenate(spectra))
    found = []
    for each in spectra:
        turned = (each - mean) @ turn
        length = np.linalg.norm(turned, axis=1, keepdims=True)
        found.append((turned / np.maximum(length, 1e-9)).astype(np.float32))
    return found


def _spectra(thumbnails: Thumbnails) -> np.ndarray:
    """Low frequencies without the mean, float64 [N, 63]."""
    waves = np.asarray(dct(np.eye(THUMBNAIL), axis=0, norm="ortho"), dtype=np.float32)[:_FREQUENCIES]
    found = np.empty((len(thumbnails), _FREQUENCIES**2 - 1))
    for start in range(0, len(thumbnails), _BLOCK):
        block = thumbnails[start : start + _BLOCK].astype(np.float32) / 255
        found[start : start + _BLOCK] = (waves @ block @ waves.T).reshape(len(block), -1)[:, 1:]
    return found


def _axes(spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean [63] and the matrix [63, 48] that turns and scales, shrunk towards a power law where images are few."""
    sample = spectra[:: max(1, len(spectra) // _SAMPLE)]
    weight = len(sample) / (len(sample) + _PRIOR_IMAGES)
    mean = weight * sample.mean(axis=0) if len(sample) else np.zeros(spectra.shape[1])
    down, across = np.divmod(np.arange(1, _FREQUENCIES**2), _FREQUENCIES)
    # Fitted to NIH's images and to phantoms; paediatric images fall a little slower.
    prior = 25.0 / (1.0 + down**2 + across**2) ** 1.2
    centred = sample - mean
    covariance = weight * (centred.T @ centred) / max(len(sample), 1) + (1 - weight) * np.diag(prior)
    values, vectors = np.linalg.eigh(covariance)
    strongest = np.argsort(values)[::-1][:DIMENSIONS]
    scale = np.sqrt(values[strongest] + _FLOOR * values.mean())
    return mean, vectors[:, strongest] / scale
