"""The whole generator: shapes, styles, noise, independence of the batch, and the equations in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cxrbench.pretrain.generator import Generator, GeneratorSpec

from . import equations
from .small import draw, small_generator, small_spec


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [4, 8, 32])
def test_shapes(resolution: int, channels: int) -> None:
    generator = small_generator(resolution, channels)
    w = generator.mapping(torch.randn(2, 5))
    assert w.shape == (2, 7)
    assert generator.w_avg.shape == (7,)
    assert generator.synthesis(w).shape == (2, channels, resolution, resolution)
    assert generator.grey(w).shape == (2, 1, resolution, resolution)


@pytest.mark.parametrize(("resolution", "channels"), [(8, 3), (16, 1)])
@pytest.mark.parametrize("noise", ["none", "fixed"])
def test_images_are_those_of_the_equations(resolution: int, channels: int, noise: str) -> None:
    generator = small_generator(resolution, channels).double()
    state = {name: tensor.numpy() for name, tensor in generator.state_dict().items()}
    w = draw(2, generator.spec.layers, 7)
    found = generator.synthesis(w, noise).numpy()  # type: ignore[arg-type]
    for image in range(2):
        wanted = equations.synthesis(w[image].numpy(), state, noise=noise == "fixed")
        np.testing.assert_allclose(found[image], wanted, atol=1e-12)


def test_mapping_is_that_of_the_equations_and_forgets_the_length_of_z() -> None:
    generator = small_generator().double()
    state = {name: tensor.numpy() for name, tensor in generator.state_dict().items()}
    z = draw(4, 5)
    np.testing.assert_allclose(generator.mapping(z).numpy(), equations.mapping(z.numpy(), state, 3), atol=1e-14)
    torch.testing.assert_close(generator.mapping(100 * z), generator.mapping(z), rtol=0, atol=1e-6)


def test_one_vector_is_used_for_all_layers() -> None:
    generator = small_generator()
    w = torch.randn(3, 7)
    assert torch.equal(generator.synthesis(w), generator.synthesis(w[:, None].expand(3, generator.spec.layers, 7)))


def test_each_style_goes_where_the_paper_says() -> None:
    # 16 pixels have 6 styles: 0 conv, 1 image and up-convolution, 2 conv, 3 image and up-convolution, 4 conv, 5 image.
    generator = small_generator(16)
    reached: dict[int, list[str]] = {}
    for place in range(6):
        generator.zero_grad()
        w = torch.zeros(1, 6, 7)
        w[0, place] = 1
        generator.requires_grad_(True).synthesis(w).sum().backward()
        reached[place] = [
            name.removeprefix("synthesis.").removesuffix(".affine.weight")
            for name, parameter in generator.named_parameters()
            if name.endswith("affine.weight") and parameter.grad is not None and parameter.grad.abs().sum() > 0
        ]
    assert reached == {
        0: ["b4.conv1"],
        1: ["b4.torgb", "b8.conv0"],
        2: ["b8.conv1"],
        3: ["b8.torgb", "b16.conv0"],
        4: ["b16.conv1"],
        5: ["b16.torgb"],
    }


def test_grey_is_the_mean_of_the_channels_from_zero_to_one() -> None:
    generator = small_generator(channels=3)
    w = 10 * draw(4, 7).float()
    wanted = generator.synthesis(w).sum(dim=1, keepdim=True) / 6 + 0.5
    torch.testing.assert_close(generator.grey(w), wanted)
    assert wanted.min() < 0, "nothing is cut off"
    assert wanted.max() > 1


def _alone_and_together(generator: Generator, w: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    def images_and_gradients(part: Tensor) -> tuple[Tensor, Tensor]:
        part = part.clone().requires_grad_()
        images = generator.grey(part)
        images.square().sum().backward()
        assert part.grad is not None
        return images.detach(), part.grad

    together = images_and_gradients(w)
    alone = [images_and_gradients(w[place : place + 1]) for place in range(len(w))]
    return torch.cat([each[0] for each in alone]), together[0], torch.cat([each[1] for each in alone]), together[1]


@pytest.mark.parametrize(("dtype", "most"), [(torch.float64, 1e-13), (torch.float32, 1e-4)])
def test_an_image_is_the_same_alone_and_in_a_batch_of_32(dtype: torch.dtype, most: float) -> None:
    generator = small_generator(32).to(dtype)
    w = draw(32, generator.spec.layers, 7).to(dtype)
    alone, together, gradients_alone, gradients_together = _alone_and_together(generator, w)
    assert (alone - together).abs().max() < most * together.abs().max()
    assert (gradients_alone - gradients_together).abs().max() < most * gradients_together.abs().max()


def test_order_in_the_batch_does_not_matter() -> None:
    generator = small_generator(16).double()
    w, order = draw(9, 7), torch.randperm(9, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(generator.grey(w[order]), generator.grey(w)[order], rtol=0, atol=1e-13)


def test_random_noise_differs_between_images_and_follows_the_seed() -> None:
    generator = small_generator()
    w = torch.randn(1, 7).expand(2, 7)
    torch.manual_seed(3)
    first = generator.synthesis(w, "random")
    assert not torch.equal(first[0], first[1])
    torch.manual_seed(3)
    assert torch.equal(generator.synthesis(w, "random"), first)
    still = generator.synthesis(w)
    torch.testing.assert_close(still[0], still[1])
    assert not torch.equal(still, generator.synthesis(w, "fixed"))


def test_activations_are_cut_where_the_spec_says() -> None:
    spec = small_spec()
    plain, cut = Generator(spec), Generator(GeneratorSpec(**{**vars(spec), "clamp": 0.5}))
    w = plain.mapping(torch.randn(4, 5))
    assert plain.synthesis(w).abs().max() > 1.5
    # Three resolutions, each adding at most 0.5.
    assert 0.5 < cut.synthesis(w).abs().max() <= 1.5


def test_weights_follow_the_seed_and_leave_torchs_generator_alone() -> None:
    torch.manual_seed(0)
    wanted = torch.rand(1)
    torch.manual_seed(0)
    first, again, other = (Generator(small_spec(), seed).state_dict() for seed in (1, 1, 2))
    assert torch.rand(1) == wanted
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["synthesis.b4.const"], other["synthesis.b4.const"])
    # N(0, 1), and 1 / 0.01 in the mapping; 42 and 35 numbers.
    assert 0.6 < first["synthesis.b8.conv1.weight"].std() < 1.4
    assert 60 < first["mapping.fc1.weight"].std() < 140
    assert first["synthesis.b8.conv1.affine.bias"].tolist() == [1] * 6


def test_activations_keep_their_size_at_the_start() -> None:
    generator = Generator(GeneratorSpec(32, 3, z_dim=64, w_dim=64, channel_base=1024, channel_max=64))
    with torch.no_grad():
        w = generator.mapping(torch.randn(64, 64, generator=torch.Generator().manual_seed(0)))
        images = generator.synthesis(w)
    assert 0.5 < w.std() < 2
    assert 0.5 < images.std() < 4


@pytest.mark.parametrize("shape", [(7,), (2, 6), (2, 5, 7), (2, 6, 7, 1)])
def test_styles_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be \[N, 7\] or \[N, 6, 7\]"):
        small_generator(16).synthesis(torch.zeros(shape))
