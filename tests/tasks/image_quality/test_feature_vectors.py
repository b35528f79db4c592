from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.tasks.image_quality import features_of

from .weights import images


class Moments(nn.Module):
    """Mean and mean of squares."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.mean(dim=(1, 2, 3)), (x**2).mean(dim=(1, 2, 3))], dim=1)


class Broken(nn.Module):
    """No number for bright images."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.log(0.9 - x.mean(dim=(2, 3)))


def test_rows_are_the_images_whatever_the_batch() -> None:
    found = features_of(Moments(), images(5, 8), batch_size=2)
    pixels = images(5, 8).numpy()
    wanted = np.stack([pixels.mean(axis=(1, 2, 3)), (pixels**2).mean(axis=(1, 2, 3))], axis=1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_an_encoder_gives_pooled_features_in_eval_mode_and_keeps_its_mode() -> None:
    encoder = load_encoder("resnet18_scratch", seed=0).train()
    one = features_of(encoder, images(3, 32))
    assert encoder.training
    assert one.shape == (3, 512)
    # Statistics of the batch would make an image depend on the others.
    np.testing.assert_allclose(features_of(encoder, images(3, 32)[:1]), one[:1], rtol=1e-4, atol=1e-5)


def test_features_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(UserError, match="features of 1 of 2 images are not finite numbers"):
        features_of(Broken(), torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)]))


def test_no_image_and_values_outside_are_refused() -> None:
    with pytest.raises(ValueError, match="no image"):
        features_of(Moments(), images(0, 8))
    with pytest.raises(ValueError, match="must lie in"):
        features_of(Moments(), images(2, 8) + 1)
