"""State dicts of StyleGAN2 generators: which layout one has, and what is where in it.

Known by its names: NVIDIA's PyTorch release (`synthesis.b4.const`, ours too) and rosinality's PyTorch version
(`input.input`). Only names and shapes are looked at, so that the header of a file is enough.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from ...foundation.errors import UserError
from .spec import LARGEST_RESOLUTION, GeneratorSpec, is_resolution

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

RELEASED = "NVIDIA's PyTorch layout"
ROSINALITY = "rosinality's layout"
W_AVG = "mapping.w_avg"
LATENT_AVG = "latent_avg"
_LONGEST_SHOWN = 150

# Fixed numbers, which are no weights: the FIR filters.
FILTERS = {
    RELEASED: re.compile(r"synthesis\.(b\d+\.)?(\w+\.)?resample_filter"),
    ROSINALITY: re.compile(r"(convs|to_rgbs)\.\d+\.(conv\.)?(blur|upsample)\.kernel"),
}


@dataclass(frozen=True)
class Recognised:
    """A state dict whose every name is accounted for.

    Attributes:
        layout: in words.
        spec: the generator that it is of.
        names: our name -> name in the state dict; without `mapping.w_avg` where it has none.
        filters: names of its FIR filters, which must be [1, 3, 3, 1].
    """

    layout: str
    spec: GeneratorSpec
    names: dict[str, str]
    filters: tuple[str, ...]


def recognise(shapes: Shapes, where: str) -> Recognised:
    """Find the layout of a state dict, and the generator whose weights it holds, all of them and nothing else.

    Args:
        shapes: name -> shape.
        where: named in errors.

    Raises:
        UserError: another kind of network, a conditional generator, a resolution or channels that no generator of
            ours has, or names that are missing, unexpected or of another shape; the first few are listed.
    """
    layout = _layout_of(shapes, where)
    try:
        spec = _spec_of({_RENAMED[layout](name): shape for name, shape in shapes.items()})
    except UserError as error:
        raise UserError(f"{where}: {error}") from error
    except _OddError as error:
        raise UserError(f"{where}: no StyleGAN2 generator in {layout}: {error}") from error
    filters = tuple(name for name in shapes if FILTERS[layout].fullmatch(name))
    wanted = shapes_in(layout, spec)
    names = {ours: theirs for ours, (theirs, _) in wanted.items() if ours != W_AVG or theirs in shapes}
    _refuse_differences(
        shapes, {names[ours]: wanted[ours][1] for ours in names}, filters, f"{where}: {_in_words(spec)} in {layout}"
    )
    return Recognised(layout, spec, names, filters)


def shapes_in(layout: str, spec: GeneratorSpec) -> dict[str, tuple[str, Shape]]:
    """Our name -> the name and the shape in a layout, for every tensor of a generator."""
    if layout == RELEASED:
        return {name: (name, shape) for name, shape in _shapes(spec)}
    return {name: (_rosinality_name(name), _rosinality_shape(name, shape)) for name, shape in _shapes(spec)}


def _shapes(spec: GeneratorSpec) -> Iterator[tuple[str, Shape]]:
    for place in range(spec.mapping_layers):
        yield f"mapping.fc{place}.weight", (spec.w_dim, spec.w_dim if place else spec.z_dim)
        yield f"mapping.fc{place}.bias", (spec.w_dim,)
    yield W_AVG, (spec.w_dim,)
    for resolution in spec.resolutions:
        block, width = f"synthesis.b{resolution}", spec.width(resolution)
        if resolution == 4:
            yield f"{block}.const", (width, 4, 4)
        else:
            yield from _layer(f"{block}.conv0", spec.width(resolution // 2), width, spec.w_dim, resolution)
        yield from _layer(f"{block}.conv1", width, width, spec.w_dim, resolution)
        yield from _modulated(f"{block}.torgb", width, spec.channels, spec.w_dim, 1)


def _layer(name: str, inputs: int, outputs: int, w_dim: int, resolution: int) -> Iterator[tuple[str, Shape]]:
    yield from _modulated(name, inputs, outputs, w_dim, 3)
    yield f"{name}.noise_strength", ()
    yield f"{name}.noise_const", (resolution, resolution)


def _modulated(name: str, inputs: int, outputs: int, w_dim: int, kernel: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.affine.weight", (inputs, w_dim)
    yield f"{name}.affine.bias", (inputs,)
    yield f"{name}.weight", (outputs, inputs, kernel, kernel)
    yield f"{name}.bias", (outputs,)


# Part of a layer, ours -> rosinality's.
_PARTS = {
    "affine.weight": "conv.modulation.weight",
    "affine.bias": "conv.modulation.bias",
    "weight": "conv.weight",
    "bias": "activate.bias",
    "noise_strength": "noise.weight",
}


def _rosinality_name(name: str) -> str:
    if name == W_AVG:
        return LATENT_AVG
    if found := re.fullmatch(r"mapping\.fc(\d+)\.(\w+)", name):
        # Their layer 0 normalises z and has no weights.
        return f"style.{int(found[1]) + 1}.{found[2]}"
    found = re.fullmatch(r"synthesis\.b(\d+)\.(\w+)\.?(.*)", name)
    assert found is not None
    place, module, part = int(found[1]).bit_length() - 3, found[2], found[3]
    if module == "const":
        return "input.input"
    if module == "torgb":
        holder = f"to_rgbs.{place - 1}" if place else "to_rgb1"
        return f"{holder}.{'bias' if part == 'bias' else _PARTS[part]}"
    number = 2 * place - (module == "conv0")
    if part == "noise_const":
        return f"noises.noise_{number}"
    return f"{f'convs.{number - 1}' if number else 'conv1'}.{_PARTS[part]}"


def _rosinality_shape(name: str, shape: Shape) -> Shape:
    if re.search(r"(const|torgb\.weight|conv[01]\.weight|noise_strength)$", name) and "noise_const" not in name:
        return (1, *shape)
    if name.endswith("noise_const"):
        return (1, 1, *shape)
    if name.endswith("torgb.bias"):
        return (1, *shape, 1, 1)
    return shape


def _our_name(name: str) -> str:
    """Ours for a name of rosinality's, as far as the spec can be told from it; others stay."""
    if found := re.fullmatch(r"style\.(\d{1,15})\.(\w+)", name):
        return f"mapping.fc{int(found[1]) - 1}.{found[2]}"
    if found := re.fullmatch(r"(to_rgb1|to_rgbs\.(\d{1,15}))\.conv\.(weight|modulation\.weight)", name):
        resolution = 4 if found[2] is None else 2 ** min(int(found[2]) + 3, 40)
        return f"synthesis.b{resolution}.torgb.{found[3].replace('modulation', 'affine')}"
    return name


_RENAMED = {RELEASED: str, ROSINALITY: _our_name}


class _OddError(Exception):
    """Names or shapes from which no spec can be told."""


def _spec_of(shapes: Shapes) -> GeneratorSpec:
    """The generator that has these shapes, told from the mapping and the toRGB layers, under our names."""
    widths, channels, w_dim = _image_layers(shapes)
    resolution = max(widths)
    mapping = [shape for name, shape in shapes.items() if re.fullmatch(r"mapping\.fc\d+\.weight", name)]
    first = shapes.get("mapping.fc0.weight")
    if first is None or len(first) != 2:
        raise _OddError("without the first layer of its mapping")
    base, most = _base_and_most(widths)
    spec = GeneratorSpec(resolution, channels, first[1], w_dim, len(mapping), base, most)
    odd = [side for side in spec.resolutions if widths.get(side) != spec.width(side)]
    if odd:
        found = ", ".join(f"{widths.get(side, 'none')} at {side}" for side in spec.resolutions)
        raise _OddError(f"its feature maps ({found}) are not as min(base / resolution, most) gives them")
    return spec


def _image_layers(shapes: Shapes) -> tuple[dict[int, int], int, int]:
    """Resolution -> feature maps; channels of the image; w_dim."""
    widths: dict[int, int] = {}
    channels, w_dims = set[int](), set[int]()
    for name, shape in shapes.items():
        if not (found := re.fullmatch(r"synthesis\.b(\d{1,15})\.torgb\.(weight|affine\.weight)", name)):
            continue
        if not is_resolution(side := int(found[1])):
            raise UserError(f"resolution {side} ({name}): must be a power of two, 4 to {LARGEST_RESOLUTION}")
        if found[2] == "weight":
            if len(shape) not in (4, 5):
                raise _OddError(f"{name} has shape {list(shape)}")
            channels.add(shape[-4])
            widths[side] = shape[-3]
        elif len(shape) == 2:
            w_dims.add(shape[1])
    if not widths or len(w_dims) != 1 or len(channels) != 1:
        raise _OddError("without layers that make an image, or these of several kinds")
    return widths, channels.pop(), w_dims.pop()


def _base_and_most(widths: Mapping[int, int]) -> tuple[int, int]:
    """The numbers behind `GeneratorSpec.width`: those of the paper where they fit, else the least that do."""
    most = max(widths.values())
    usual = GeneratorSpec(max(widths)).channel_base
    if all(min(usual // side, most) == width for side, width in widths.items()):
        return usual, most
    return max(side * width for side, width in widths.items()), most


def _layout_of(names: Collection[str], where: str) -> str:
    if any(name.startswith(("mapping.embed.", "synthesis.embed.")) for name in names):
        raise UserError(f"{where}: is a conditional generator (it takes class labels), and only others are read")
    if "synthesis.b4.const" in names:
        return RELEASED
    if "input.input" in names:
        return ROSINALITY
    if any(name.startswith("synthesis.input.") for name in names):
        raise UserError(f"{where}: is a StyleGAN3 generator, not StyleGAN2")
    raise UserError(
        f"{where}: no StyleGAN2 generator in a layout that is known (NVIDIA's PyTorch release, rosinality's); "
        f"it holds {_first(names) or 'nothing'}"
    )


def _refuse_differences(shapes: Shapes, wanted: Shapes, filters: Collection[str], what: str) -> None:
    problems = {
        "missing": [name for name in wanted if name not in shapes],
        "unexpected": [name for name in shapes if name not in wanted and name not in filters],
        "of another shape": [
            f"{name} {list(shapes[name])} instead of {list(shape)}"
            for name, shape in wanted.items()
            if name in shapes and shapes[name] != shape
        ],
    }
    listed = "; ".join(f"{len(names)} {words}: {_first(names)}" for words, names in problems.items() if names)
    if listed:
        raise UserError(f"{what} does not fit. {listed}")


def _in_words(spec: GeneratorSpec) -> str:
    return f"a generator of {spec.resolution} px, {spec.channels} channel{'s' * (spec.channels > 1)}"


def _first(names: Collection[str], most: int = 4) -> str:
    # Whatever stands in a file: one line of a length that can be read.
    listed = [ascii(name[:_LONGEST_SHOWN])[1:-1] for name in list(names)[:most]]
    return ", ".join([*listed, "..."] if len(names) > most else listed)
