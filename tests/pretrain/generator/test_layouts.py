"""State dicts are known by their names, and loaded strictly."""

from __future__ import annotations

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.generator import Generator, GeneratorSpec
from cxrbench.pretrain.generator.files import load_state, shapes_of
from cxrbench.pretrain.generator.layouts import RELEASED, ROSINALITY, recognise, shapes_in
from cxrbench.pretrain.generator.reading import fitted_tensors

from .small import draw, small_generator, small_spec, tensors_in

# Names and shapes of rosinality's generator of 8 pixels with a mapping of one layer, as its training writes them.
ROSINALITY_8 = {
    "style.1.weight": (7, 5),
    "style.1.bias": (7,),
    "input.input": (1, 8, 4, 4),
    "conv1.conv.weight": (1, 8, 8, 3, 3),
    "conv1.conv.modulation.weight": (8, 7),
    "conv1.conv.modulation.bias": (8,),
    "conv1.noise.weight": (1,),
    "conv1.activate.bias": (8,),
    "to_rgb1.bias": (1, 3, 1, 1),
    "to_rgb1.conv.weight": (1, 3, 8, 1, 1),
    "to_rgb1.conv.modulation.weight": (8, 7),
    "to_rgb1.conv.modulation.bias": (8,),
    "convs.0.conv.weight": (1, 4, 8, 3, 3),
    "convs.0.conv.blur.kernel": (4, 4),
    "convs.0.conv.modulation.weight": (8, 7),
    "convs.0.conv.modulation.bias": (8,),
    "convs.0.noise.weight": (1,),
    "convs.0.activate.bias": (4,),
    "convs.1.conv.weight": (1, 4, 4, 3, 3),
    "convs.1.conv.modulation.weight": (4, 7),
    "convs.1.conv.modulation.bias": (4,),
    "convs.1.noise.weight": (1,),
    "convs.1.activate.bias": (4,),
    "to_rgbs.0.bias": (1, 3, 1, 1),
    "to_rgbs.0.upsample.kernel": (4, 4),
    "to_rgbs.0.conv.weight": (1, 3, 4, 1, 1),
    "to_rgbs.0.conv.modulation.weight": (4, 7),
    "to_rgbs.0.conv.modulation.bias": (4,),
    "noises.noise_0": (1, 1, 4, 4),
    "noises.noise_1": (1, 1, 8, 8),
    "noises.noise_2": (1, 1, 8, 8),
}
# Those of NVIDIA's release, likewise.
RELEASED_4 = {
    "synthesis.b4.const": (8, 4, 4),
    "synthesis.b4.resample_filter": (4, 4),
    "synthesis.b4.conv1.affine.weight": (8, 7),
    "synthesis.b4.conv1.affine.bias": (8,),
    "synthesis.b4.conv1.weight": (8, 8, 3, 3),
    "synthesis.b4.conv1.resample_filter": (4, 4),
    "synthesis.b4.conv1.noise_const": (4, 4),
    "synthesis.b4.conv1.noise_strength": (),
    "synthesis.b4.conv1.bias": (8,),
    "synthesis.b4.torgb.affine.weight": (8, 7),
    "synthesis.b4.torgb.affine.bias": (8,),
    "synthesis.b4.torgb.weight": (1, 8, 1, 1),
    "synthesis.b4.torgb.bias": (1,),
    "mapping.fc0.weight": (7, 5),
    "mapping.fc0.bias": (7,),
    "mapping.fc1.weight": (7, 7),
    "mapping.fc1.bias": (7,),
    "mapping.w_avg": (7,),
}


def test_rosinalitys_names_are_known() -> None:
    found = recognise(ROSINALITY_8, "file")
    assert found.layout == ROSINALITY
    assert found.spec == GeneratorSpec(8, 3, z_dim=5, w_dim=7, mapping_layers=1, channel_base=32, channel_max=8)
    assert found.filters == ("convs.0.conv.blur.kernel", "to_rgbs.0.upsample.kernel")
    assert "mapping.w_avg" not in found.names
    assert found.names["synthesis.b8.conv0.noise_const"] == "noises.noise_1"
    assert found.names["synthesis.b8.conv1.weight"] == "convs.1.conv.weight"


def test_names_of_the_release_are_known() -> None:
    found = recognise(RELEASED_4, "file")
    assert found.layout == RELEASED
    assert (found.spec.resolution, found.spec.channels, found.spec.mapping_layers, found.spec.layers) == (4, 1, 2, 2)
    assert found.spec.width(4) == 8
    assert len(found.filters) == 2


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [4, 32])
@pytest.mark.parametrize("layout", [RELEASED, ROSINALITY])
def test_both_layouts_give_the_same_images(layout: str, resolution: int, channels: int) -> None:
    generator = small_generator(resolution, channels)
    tensors = tensors_in(layout, generator)
    recognised = recognise(shapes_of(tensors), "file")
    again = Generator(recognised.spec, seed=9)
    load_state(again, fitted_tensors(recognised, tensors, "file"))
    w = draw(2, 7).float()
    assert torch.equal(again.synthesis(w, "fixed"), generator.synthesis(w, "fixed"))
    assert torch.equal(again.mapping(w[:, :5]), generator.mapping(w[:, :5]))
    assert torch.equal(again.w_avg, generator.w_avg)


@pytest.mark.parametrize("spec", [small_spec(4), small_spec(32, 3), GeneratorSpec(16), GeneratorSpec(8, 1)])
def test_shapes_told_from_the_spec_are_those_of_the_network(spec: GeneratorSpec) -> None:
    own = shapes_of(Generator(spec).state_dict())
    assert dict(shapes_in(RELEASED, spec).values()) == own
    assert recognise(own, "file").spec.channel_max == spec.channel_max


@pytest.mark.parametrize(("base", "most"), [(32768, 512), (16384, 512), (2048, 48), (1000, 512), (64, 6)])
def test_widths_are_told_from_the_shapes(base: int, most: int) -> None:
    spec = GeneratorSpec(64, channel_base=base, channel_max=most)
    found = recognise(dict(shapes_in(ROSINALITY, spec).values()), "file").spec
    assert [found.width(side) for side in found.resolutions] == [spec.width(side) for side in spec.resolutions]


def test_the_mean_of_w_is_found_where_there_is_none() -> None:
    generator = small_generator()
    tensors = tensors_in(ROSINALITY, generator)
    del tensors["latent_avg"]
    recognised = recognise(shapes_of(tensors), "file")
    again = Generator(recognised.spec)
    load_state(again, fitted_tensors(recognised, tensors, "file"))
    many = generator.mapping(torch.randn(20_000, 5, generator=torch.Generator().manual_seed(5)))
    assert (again.w_avg - many.mean(dim=0)).abs().max() < 5 * many.std(dim=0).max() / 100


def _changed(**changes: tuple[int, ...] | None) -> dict[str, tuple[int, ...]]:
    given = {**RELEASED_4, **{name.replace("__", "."): shape for name, shape in changes.items()}}
    return {name: shape for name, shape in given.items() if shape is not None}


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        (_changed(mapping__embed__weight=(7, 3)), "is a conditional generator"),
        (_changed(synthesis__b4__conv1__bias=None), "does not fit. 1 missing: synthesis.b4.conv1.bias"),
        (_changed(synthesis__b4__skip__weight=(8, 8, 1, 1)), "1 unexpected: synthesis.b4.skip.weight"),
        (_changed(mapping__fc1__bias=(8,)), r"1 of another shape: mapping.fc1.bias \[8\] instead of \[7\]"),
        (_changed(synthesis__b4__torgb__weight=(2, 8, 1, 1)), "2 channels: must be 1"),
        (_changed(synthesis__b48__torgb__weight=(1, 8, 1, 1)), "resolution 48 .*: must be a power of two"),
        (_changed(synthesis__b16__torgb__weight=(1, 8, 1, 1)), r"its feature maps \(8 at 4, none at 8, 8 at 16\)"),
        (_changed(mapping__fc0__weight=None), "without the first layer of its mapping"),
        (_changed(mapping__fc0__weight=(7,)), "without the first layer of its mapping"),
        (_changed(synthesis__b4__torgb__weight=(8,)), r"torgb.weight has shape \[8\]"),
        (_changed(synthesis__b4__torgb__weight=None), "without layers that make an image"),
        ({"synthesis.input.freqs": (512, 2)}, "is a StyleGAN3 generator, not StyleGAN2"),
        ({"layer1.0.conv1.weight": (64, 64, 1, 1)}, "no StyleGAN2 generator in a layout that is known"),
        ({}, "it holds nothing"),
    ],
)
def test_other_state_dicts_are_refused_in_one_line(shapes: dict[str, tuple[int, ...]], words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        recognise(shapes, "my.file")
    assert str(refused.value).startswith("my.file: ")
    assert "\n" not in str(refused.value)


def test_another_filter_is_refused() -> None:
    tensors = {**tensors_in(RELEASED, small_generator(8)), "synthesis.b8.conv0.resample_filter": torch.ones(4, 4) / 16}
    with pytest.raises(UserError, match=r"resample_filter is a filter other than \[1, 3, 3, 1\]"):
        fitted_tensors(recognise(shapes_of(tensors), "file"), tensors, "file")
