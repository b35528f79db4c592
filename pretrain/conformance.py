"""What every encoder must do; plug-in authors call `check_encoder` in their own tests."""

from __future__ import annotations

import math
from dataclasses import fields

import torch

from .encoder import Encoder, hash_of_tensors
from .network import STRIDES

TOLERANCE = 1e-5

# Random weights alone have a seed, and few encoders come with the list of what they were trained on.
_MAY_BE_NONE = ("seed", "pretraining_images", "pretraining_images_sha256")


def check_encoder(encoder: Encoder) -> None:
    """Check an encoder against its contract, on the CPU, with a few small images.

    Raises:
        AssertionError: what it does not keep, in words.
    """
    encoder = encoder.cpu().eval()
    images = _images(_side(encoder))
    with torch.no_grad():
        _check_meta(encoder)
        _check_normalisation(encoder, images)
        _check_features(encoder, images)
        if encoder.has_stages:
            _check_stages(encoder, images)
        if encoder.blocks is not None:
            _check_blocks(encoder, images)
        _check_fresh(encoder, images)


def _side(encoder: Encoder) -> int:
    """64 pixels are enough for convolutions; transformers may take nothing but their own size."""
    return 64 if encoder.has_stages else encoder.meta.input_size


def _images(side: int) -> torch.Tensor:
    """Three images [3, 1, side, side] that use the whole of [0, 1]."""
    images = torch.rand(3, 1, side, side, generator=torch.Generator().manual_seed(0))
    images[1] *= torch.linspace(0, 1, side)
    return (images - images.min()) / (images.max() - images.min())


def _check_meta(encoder: Encoder) -> None:
    meta = encoder.meta
    for field in fields(meta):
        value = getattr(meta, field.name)
        empty = value == "" or (value is None and field.name not in _MAY_BE_NONE)
        assert not empty, f"meta.{field.name} is empty"
    assert meta.channels in (1, 3), f"meta.channels is {meta.channels}, not 1 or 3"
    assert len(meta.mean) == len(meta.std) == meta.channels, "meta.mean and meta.std need one value a channel"
    assert all(std > 0 for std in meta.std), "meta.std must be above 0"
    assert len(meta.sha256) == 64, "meta.sha256 is not a SHA-256"
    assert len(meta.stage_channels) in (0, len(STRIDES)), "meta.stage_channels needs five values or none"


def _check_normalisation(encoder: Encoder, images: torch.Tensor) -> None:
    meta = encoder.meta
    normalised = encoder.normalise(images)
    expected = (len(images), meta.channels, *images.shape[2:])
    assert normalised.shape == expected, f"normalise gives {list(normalised.shape)}, not {list(expected)}"
    for channel, (mean, std) in enumerate(zip(meta.mean, meta.std, strict=True)):
        _assert_close(normalised[:, channel], (images[:, 0] - mean) / std, f"normalise, channel {channel}")


def _check_features(encoder: Encoder, images: torch.Tensor) -> None:
    features = encoder(images)
    expected = (len(images), encoder.meta.dim)
    assert features.shape == expected, f"features are {list(features.shape)}, not {list(expected)}"
    assert features.isfinite().all(), "features are not finite"
    assert torch.equal(features, encoder(images)), "two passes in evaluation mode give different features"
    _assert_close(encoder(images[1:2]), features[1:2], "an image alone and in a batch")
    assert (features[0] - features[1]).abs().max() > 0, "features do not depend on the image"
    extremes = encoder(torch.stack([torch.zeros_like(images[0]), torch.ones_like(images[0])]))
    assert extremes.isfinite().all(), "features of a black or a white image are not finite"
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert encoder(images).float().isfinite().all(), "features under bfloat16 autocast are not finite"


def _check_stages(encoder: Encoder, images: torch.Tensor) -> None:
    side = images.shape[-1]
    pooled, maps = encoder.pooled_and_stages(images)
    _assert_close(pooled, encoder(images), "features of forward and of pooled_and_stages")
    assert len(maps) == len(STRIDES), f"{len(maps)} stages, not {len(STRIDES)}"
    for stride, channels, each in zip(STRIDES, encoder.meta.stage_channels, maps, strict=True):
        expected = (len(images), channels, math.ceil(side / stride), math.ceil(side / stride))
        assert each.shape == expected, f"the map at stride {stride} is {list(each.shape)}, not {list(expected)}"
    for one, other in zip(maps, encoder.stages(images), strict=True):
        _assert_close(one, other, "maps of stages and of pooled_and_stages")


def _check_blocks(encoder: Encoder, images: torch.Tensor) -> None:
    blocks = encoder.blocks
    assert blocks is not None
    x = encoder.normalise(images)
    for block, expected in zip(blocks, encoder.stages(images), strict=True):
        x = block(x)
        _assert_close(x, expected, "blocks one after the other, and stages")


def _check_fresh(encoder: Encoder, images: torch.Tensor) -> None:
    before = encoder(images)
    one, two = encoder.fresh(1), encoder.fresh(2)
    assert one.training, "fresh gives an encoder in evaluation mode"
    assert all(weight.requires_grad for weight in one.parameters()), "fresh gives weights that cannot be trained"
    _check_hashes(encoder, one, two)
    features_one, features_two = one.eval()(images), two.eval()(images)
    if encoder.meta.seed is None:
        _assert_close(features_one, before, "a fresh copy of given weights and the original")
    else:
        assert not torch.equal(features_one, features_two), "fresh draws equal weights from different seeds"
        assert torch.equal(encoder.fresh(1).eval()(images), features_one), "fresh draws unequal weights from one seed"
    for weight in one.parameters():
        weight.fill_(0.5)
    assert torch.equal(encoder(images), before), "training a fresh copy changes the original"


def _check_hashes(encoder: Encoder, one: Encoder, two: Encoder) -> None:
    if encoder.meta.seed is not None:
        assert (one.meta.seed, two.meta.seed) == (1, 2), "fresh leaves meta.seed as it was"
        assert one.meta.sha256 != two.meta.sha256, "meta.sha256 is the same for different seeds"
        return
    tensors = dict(encoder.network.library().state_dict())
    assert hash_of_tensors(tensors) == encoder.meta.sha256, "meta.sha256 is not hash_of_tensors of the weights"
    name = next(iter(tensors))
    assert hash_of_tensors({**tensors, name: tensors[name] + 1}) != encoder.meta.sha256, "meta.sha256 ignores weights"


def _assert_close(a: torch.Tensor, b: torch.Tensor, what: str) -> None:
    assert a.shape == b.shape, f"{what}: shapes {list(a.shape)} and {list(b.shape)}"
    scale = max(1.0, float(b.abs().max()))
    difference = float((a - b).abs().max())
    assert difference <= TOLERANCE * scale, f"{what} differ by {difference:.2g}"
