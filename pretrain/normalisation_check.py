"""Whether a normalisation fits weights: what batch normalisation expects, against what phantom images give it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from ..data.phantom.case import FINDINGS, PhantomRequest
from ..data.phantom.generate import generate
from .network import IMAGENET_MEAN, IMAGENET_STD

Pair = tuple[tuple[float, ...], tuple[float, ...]]

IMAGES = 16
# Layers whose statistics are shown. The choice is made by the first one alone: behind it weights have undone a part.
LAYERS = 4
# Factor between the contrast that is expected and the one that is found beyond which inputs are of another scale.
OFF = 4.0
# Distance by which another normalisation must fit better to be named. Radiographs instead of photographs move an
# ImageNet network by about 0.4; scales off by 255 by more than 5.
BETTER = 0.4
# Batches after which nothing is left of the statistics as initialised: 0.9^50 is 0.5 % at the usual momentum.
SETTLED = 50
_BORDER = 2
_GREY = (0.449,), (0.226,)
_CHESS = (0.658,), (0.221,)


@dataclass(frozen=True)
class LayerStatistics:
    """One batch normalisation under one way to normalise images.

    Attributes:
        name: of the layer.
        contrast: standard deviation of what reaches it over the one that its running statistics expect, median over
            channels; 1 where the normalisation fits.
        shift: difference of the means, in units of the two standard deviations, median over channels.
        distance: |ln contrast| + shift, median over channels.
    """

    name: str
    contrast: float
    shift: float
    distance: float


@dataclass(frozen=True)
class Candidate:
    """One way to normalise images.

    Attributes:
        words: what it is called.
        mean, std: of images in [0, 1], a value a channel.
        first: how it fits the first batch normalisation.
        stated: whether it is the one to check.
    """

    words: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    first: LayerStatistics
    stated: bool


@dataclass(frozen=True)
class NormalisationCheck:
    """What the running statistics of a network say about the stated normalisation.

    Attributes:
        layers: the first batch normalisations under the stated one; empty where there are none, or where their
            statistics are those of a network that was not trained, or hardly.
        candidates: usual normalisations and the stated one, best first.
        features: number of pooled features, their mean and standard deviation over images and features, and how many
            are the same for all images.
        reason: why nothing could be checked, in words; empty where it could.
    """

    layers: tuple[LayerStatistics, ...]
    candidates: tuple[Candidate, ...]
    features: tuple[int, float, float, int]
    reason: str = ""

    @property
    def warning(self) -> str:
        """What is wrong with the stated normalisation, in one sentence; empty where nothing is."""
        if not self.candidates:
            return ""
        stated = next(each for each in self.candidates if each.stated)
        best = self.candidates[0]
        better = stated.first.distance - best.first.distance > BETTER
        contrast = stated.first.contrast
        if contrast > OFF or contrast < 1 / OFF:
            factor = f"{contrast:.3g} times larger" if contrast > 1 else f"{1 / contrast:.3g} times smaller"
            hint = f"; {best.words} fits: {pair_in_words(best.mean, best.std)}" if better else ""
            return f"inputs are about {factor} than those that the weights were trained with{hint}"
        if better:
            return f"{best.words} fits the weights better: {pair_in_words(best.mean, best.std)}"
        return ""


def pair_in_words(mean: Sequence[float], std: Sequence[float]) -> str:
    """`mean 0.5, std 0.25`; three equal values are one."""
    words = []
    for name, values in (("mean", mean), ("std", std)):
        shown = [f"{value:.4g}" for value in values]
        words.append(f"{name} {shown[0] if len(set(shown)) == 1 else ', '.join(shown)}")
    return ", ".join(words)


def check_normalisation(
    network: nn.Module, mean: Sequence[float], std: Sequence[float], size: int
) -> NormalisationCheck:
    """Compare what reaches the first batch normalisations with what their running statistics expect.

    The images are phantoms, so moderate differences mean another kind of image and not another scale.

    Args:
        network: backbone in evaluation mode: normalised images [B, C, S, S] -> features [B, D].
        mean, std: the stated normalisation of images in [0, 1], a value a channel.
        size: side of the images in pixels.
    """
    images = phantom_batch(size)
    with torch.no_grad():
        pooled = network(_normalised(images, tuple(mean), tuple(std))).float()
    spread = pooled.std(0)
    features = (pooled.shape[1], float(pooled.mean()), float(pooled.std()), int((spread == 0).sum()))
    norms = {name: each for name, each in network.named_modules() if isinstance(each, nn.BatchNorm2d)}
    if not norms:
        return NormalisationCheck((), (), features, "it has no batch normalisation whose statistics could tell")
    if all(_untrained(norm) for norm in norms.values()):
        return NormalisationCheck((), (), features, "its batch normalisation is as initialised: it was never trained")
    batches = max(_batches(norm) for norm in norms.values())
    if 0 < batches < SETTLED:
        reason = f"its running statistics saw {batches} batches and are still partly as initialised"
        return NormalisationCheck((), (), features, reason)
    layers = _statistics(network, norms, _normalised(images, tuple(mean), tuple(std)), LAYERS)
    candidates = []
    stated = tuple(mean), tuple(std)
    for (centre, scale), words in _candidates(*stated).items():
        (first,) = _statistics(network, norms, _normalised(images, centre, scale), 1)
        candidates.append(Candidate(words, centre, scale, first, (centre, scale) == stated))
    candidates.sort(key=lambda each: (each.first.distance, not each.stated))
    return NormalisationCheck(tuple(layers), tuple(candidates), features)


@lru_cache(maxsize=2)
def phantom_batch(size: int) -> torch.Tensor:
    """Synthetic radiographs [16, 1, size, size] in [0, 1], half of them with findings; always the same."""
    plan = [
        PhantomRequest(
            patient=number,
            study=0,
            image=0,
            split="train",
            findings=(FINDINGS[number % len(FINDINGS)],) if number % 2 else (),
            age=30 + 3 * number,
            sex="F" if number % 2 else "M",
        )
        for number in range(IMAGES)
    ]
    pixels = np.stack([case.pixels for case in generate(plan, size, seed=0, workers=1)])
    return torch.from_numpy(pixels)[:, None].float() / 255


def _candidates(mean: tuple[float, ...], std: tuple[float, ...]) -> dict[Pair, str]:
    """Mean and standard deviation for images in [0, 1], in the number of channels of the stated one -> words."""
    single: dict[str, tuple[Sequence[float], Sequence[float]]] = {
        "pixels in [0, 1]": ((0.0,), (1.0,)),
        "pixels in [0, 255]": ((0.0,), (1 / 255,)),
        "pixels in [-1, 1]": ((0.5,), (0.5,)),
        "pixels in [-1024, 1024] (torchxrayvision)": ((0.5,), (1 / 2048,)),
        "CheSS' normalisation": _CHESS,
        "ImageNet's normalisation": _GREY if len(mean) == 1 else (IMAGENET_MEAN, IMAGENET_STD),
    }
    known: dict[Pair, str] = {}
    for words, (centre, scale) in single.items():
        spread = len(mean) // len(centre)
        known[tuple(centre) * spread, tuple(scale) * spread] = words
    known.setdefault((mean, std), "the stated normalisation")
    # What a port does that forgets to divide by 255 before it normalises.
    for (centre, scale), words in list(known.items()):
        if "normalisation" in words:
            times = tuple(each / 255 for each in centre), tuple(each / 255 for each in scale)
            known.setdefault(times, f"{words} of pixels in [0, 255]")
    return known


def _normalised(images: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    return (images - torch.tensor(mean).view(1, -1, 1, 1)) / torch.tensor(std).view(1, -1, 1, 1)


class _EnoughError(Exception):
    """Ends a pass through a network of which only the beginning is wanted."""


def _statistics(
    network: nn.Module, norms: Mapping[str, nn.BatchNorm2d], images: torch.Tensor, most: int
) -> list[LayerStatistics]:
    """Of the first `most` batch normalisations that are reached."""
    found: list[LayerStatistics] = []
    name_of = {norm: name for name, norm in norms.items()}

    def look(norm: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        found.append(_compared(name_of[norm], norm, given[0]))
        if len(found) == most:
            raise _EnoughError

    handles = [norm.register_forward_pre_hook(look) for norm in norms.values()]
    try:
        with torch.no_grad():
            network(images)
    except _EnoughError:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found


def _compared(name: str, norm: nn.BatchNorm2d, given: torch.Tensor) -> LayerStatistics:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    if min(given.shape[2:]) > 4 * _BORDER:
        # Zeros around the image are far from pixels of another scale, and would speak louder than these.
        given = given[:, :, _BORDER:-_BORDER, _BORDER:-_BORDER]
    mean, variance = given.mean((0, 2, 3)), given.var((0, 2, 3), unbiased=False)
    # Filters that see colours only give nothing for grey images and tell nothing.
    seeing = variance > variance.max() * 1e-8
    if not seeing.any():
        return LayerStatistics(name, 0.0, 0.0, float("inf"))
    mean, variance = mean[seeing], variance[seeing]
    expected, expected_variance = norm.running_mean[seeing], norm.running_var[seeing]
    contrast = ((variance + norm.eps * 1e-3) / (expected_variance + norm.eps * 1e-3)).log() / 2
    shift = (mean - expected).abs() / (variance + expected_variance + norm.eps * 1e-3).sqrt()
    distance = contrast.abs() + shift
    return LayerStatistics(name, float(contrast.median().exp()), float(shift.median()), float(distance.median()))


def _batches(norm: nn.BatchNorm2d) -> int:
    """Batches that the running statistics are known to come from; 0 where the file does not say."""
    return 0 if norm.num_batches_tracked is None else int(norm.num_batches_tracked)


def _untrained(norm: nn.BatchNorm2d) -> bool:
    if norm.running_mean is None or norm.running_var is None:
        return True
    return bool((norm.running_mean == 0).all() and (norm.running_var == 1).all())
