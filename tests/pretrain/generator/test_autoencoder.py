from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cxrbench.pretrain.generator.autoencoder import StyleAutoencoder, StyleEncoder, parameter_groups
from cxrbench.pretrain.generator.fitting import Fitted, fit_generator
from cxrbench.pretrain.generator.image_batches import grey
from cxrbench.pretrain.generator.network import Generator
from cxrbench.training.stopping import StoppedError

from .generator_cases import as_images, autoencoder, blobs


def test_first_codes_are_the_principal_components() -> None:
    pixels = blobs(60, 16)
    encoder = StyleEncoder(16, 6, 2, seed=0)
    encoder.start_from(pixels)
    found = encoder(grey(pixels)).detach().numpy()
    points = pixels.reshape(60, -1) / 255.0
    centred = points - points.mean(axis=0)
    _values, axes = np.linalg.eigh(centred.T @ centred / 60)
    components = centred @ axes[:, ::-1][:, :6]
    scaled = components / components.std(axis=0) ** 0.5
    scaled /= np.sqrt((scaled**2).mean())
    # An axis may point either way.
    assert np.abs(found) == pytest.approx(np.abs(scaled), abs=1e-3)
    assert (found**2).mean() == pytest.approx(1, rel=1e-3)
    assert (np.diff(found.std(axis=0)) <= 1e-6).all()


def test_more_numbers_than_components_begin_at_0() -> None:
    encoder = StyleEncoder(16, 6, 2, seed=0)
    encoder.start_from(blobs(4, 16))
    found = encoder(grey(blobs(4, 16))).detach()
    assert bool((found[:, 3:] == 0).all())
    assert bool((found[:, :3].std(dim=0) > 0.1).all())
    encoder.start_from(np.zeros((3, 16, 16), dtype=np.uint8))
    assert bool((encoder(grey(blobs(4, 16))) == 0).all())


def test_images_larger_than_the_components_are_averaged() -> None:
    encoder = StyleEncoder(64, 4, 2, seed=0)
    encoder.start_from(blobs(20, 64))
    assert encoder(grey(blobs(5, 64))).shape == (5, 4)


def test_no_image_depends_on_the_others_of_its_batch() -> None:
    network = StyleAutoencoder(Generator(autoencoder().generator.spec(16)), 2, 0.0, 1).double()
    images = grey(blobs(6)).double()
    together = network.encoder(images)
    assert torch.allclose(together[2:3], network.encoder(images[2:3]), atol=1e-12)


def test_loss_is_the_pixel_error_and_the_size_of_w() -> None:
    network = StyleAutoencoder(Generator(autoencoder().generator.spec(16)), 2, 0.5, 1)
    images = grey(blobs(4))
    terms = {name: value.item() for name, value in network(images).items()}
    w = network.encoder(images)
    made = network.generator.grey(w)
    assert terms["pixels"] == pytest.approx(((made - images) ** 2).mean().item(), rel=1e-5)
    assert terms["w"] == pytest.approx((w**2).mean().item(), rel=1e-5)
    assert terms["loss"] == pytest.approx(terms["pixels"] + 0.5 * terms["w"], rel=1e-5)


def test_mapping_and_noise_are_not_trained() -> None:
    network = StyleAutoencoder(Generator(autoencoder().generator.spec(16)), 2, 0.5, 1)
    groups = parameter_groups(network)
    trained = {id(each) for each in groups[0]["params"]}
    left = {name for name, each in network.named_parameters() if id(each) not in trained}
    assert left
    assert all("mapping" in name or "noise_strength" in name for name in left)
    assert groups[0]["betas"] == (0.9, 0.99)


def trained(epochs: int = 2, **arguments: Any) -> Fitted:
    settings = autoencoder(**{"training.epochs": epochs})
    parts = (as_images(blobs(10)), as_images(blobs(9, seed=1)))
    return fit_generator(settings.generator.spec(16), settings, parts, 3, **arguments)


def test_training_comes_closer_to_the_images() -> None:
    rows = trained(30).rows
    assert rows[-1]["pixels"] < 0.5 * rows[0]["pixels"]


def test_mean_of_w_is_that_of_the_encoded_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxrbench.pretrain.generator.fitting._CHUNK", 7)
    kept: list[StyleAutoencoder] = []
    original = StyleAutoencoder.__init__

    def remember(self: StyleAutoencoder, *arguments: Any) -> None:
        original(self, *arguments)
        kept.append(self)

    monkeypatch.setattr(StyleAutoencoder, "__init__", remember)
    fitted = trained(1)
    codes = kept[0].encoder(grey(np.concatenate([blobs(10), blobs(9, seed=1)])))
    assert fitted.generator.w_avg.numpy() == pytest.approx(codes.detach().mean(dim=0).numpy(), abs=1e-5)
    assert not fitted.generator.training


def test_it_repeats_itself_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = trained().generator.state_dict()
    assert all(torch.equal(whole[name], value) for name, value in trained().generator.state_dict().items())
    calls = iter(range(1, 20))
    with pytest.raises(StoppedError):
        trained(checkpoint=tmp_path / "state.pt", stop=lambda: next(calls) == 5)
    resumed = trained(checkpoint=tmp_path / "state.pt").generator.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
