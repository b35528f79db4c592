"""Generators in files: written as safetensors that say what they are, read from there and from others' layouts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...foundation.errors import UserError
from ...foundation.files import sha256_of_file
from .layouts import RELEASED, Recognised, recognise, shapes_in
from .meta import KINDS, GeneratorMeta
from .spec import GeneratorSpec

if TYPE_CHECKING:
    from torch import Tensor

    from .network import Generator

# Entry of a file's metadata that says what the generator in it is.
SAVED_BY_US = "cxrbench.generator"
SCHEMA_VERSION = 1


def save_generator(generator: Generator, path: Path, meta: GeneratorMeta) -> GeneratorMeta:
    """Write a generator to one safetensors file, which is replaced in one step.

    Args:
        generator: its weights, noise maps and w_avg are written in float32.
        path: the file.
        meta: what it is; the spec and the hash are those of what is written, whatever they say.

    Returns:
        `meta` with the spec of the generator and the SHA-256 of the file.

    Raises:
        UserError: weights that are not finite, or a file that cannot be written.
    """
    from ..saving import write_tensors

    meta = replace(meta, spec=generator.spec)
    tensors = {name: tensor.detach().float() for name, tensor in generator.state_dict().items()}
    bad = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if bad:
        raise UserError(f"generator {meta.name}: {len(bad)} tensors hold NaN or infinity, first {bad[0]}")
    about = {"schema_version": SCHEMA_VERSION, **asdict(meta)}
    del about["sha256"]
    write_tensors(path, tensors, {SAVED_BY_US: json.dumps(about)})
    return replace(meta, sha256=sha256_of_file(path))


def load_generator(path: Path) -> tuple[Generator, GeneratorMeta]:
    """Read a generator: one that was saved here, or a state dict in NVIDIA's PyTorch layout or rosinality's.

    State dicts may be safetensors or what torch.save wrote (`weights_only`: nothing in it is run). Where a file holds
    no mean of w, it is the mean over 10,000 z of seed 0.

    Returns:
        The generator in evaluation mode, float32 on the CPU, without gradients for its weights; and what is known.

    Raises:
        UserError: no file, not a generator, damaged, another layout, names missing or unexpected.
    """
    from .network import Generator
    from .reading import fitted_tensors, read_state_dict

    tensors = read_state_dict(path)
    recognised = recognise(shapes_of(tensors), str(path))
    meta = _meta(path, recognised, _about(path) if _is_safetensors(path) else {})
    generator = Generator(meta.spec)
    load_state(generator, fitted_tensors(recognised, tensors, str(path)))
    return generator, meta


def read_generator_meta(path: Path) -> GeneratorMeta:
    """What `load_generator` would say of a file.

    Of safetensors only the header is looked at (and the file hashed), without torch; other files are loaded.

    Raises:
        UserError: as `load_generator`, as far as the header tells.
    """
    if not _is_safetensors(path):
        return load_generator(path)[1]
    return _meta(path, recognise(_header(path)[1], str(path)), _about(path))


def load_state(generator: Generator, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors under our names into a generator; the mean of w is found where there is none. Ready for use."""
    generator.load_state_dict({**generator.state_dict(), **tensors}, strict=True)
    generator.eval().requires_grad_(False)
    if "mapping.w_avg" not in tensors:
        import torch

        z = torch.randn(10_000, generator.spec.z_dim, generator=torch.Generator().manual_seed(0))
        generator.w_avg.copy_(generator.mapping(z).mean(dim=0))


def shapes_of(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Name -> shape."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _meta(path: Path, recognised: Recognised, about: dict[str, Any]) -> GeneratorMeta:
    found = sha256_of_file(path)
    if not about:
        return GeneratorMeta(name=path.stem, kind="StyleGAN2", spec=recognised.spec, sha256=found)
    broken = UserError(f"{path}: what it says of itself ({SAVED_BY_US}) is damaged; convert or train it again")
    if about.get("schema_version") != SCHEMA_VERSION:
        raise UserError(
            f"{path}: written with version {about.get('schema_version')!r} of the format, and {SCHEMA_VERSION} is "
            "read; use the cxrbench that wrote it"
        )
    words = {key: about.get(key) for key in ("name", "kind", "trained_on", "licence")}
    if not all(isinstance(each, str) for each in words.values()) or words["kind"] not in KINDS:
        raise broken
    synthetic, spec = about.get("synthetic"), about.get("spec")
    if not isinstance(synthetic, bool) or not isinstance(spec, dict):
        raise broken
    try:
        said = GeneratorSpec(**spec)
    except (TypeError, UserError) as error:
        raise broken from error
    # Several pairs of channel_base and channel_max can give the same widths.
    if shapes_in(RELEASED, said) != shapes_in(RELEASED, recognised.spec):
        raise broken
    return GeneratorMeta(**words, spec=said, synthetic=synthetic, sha256=found)  # type: ignore[arg-type]


def _is_safetensors(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    return start[8:9] == b"{"


def _about(path: Path) -> dict[str, Any]:
    text = _header(path)[0].get(SAVED_BY_US)
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        found = None
    # Something was said, and it is damaged: the version is refused in any case.
    return found if isinstance(found, dict) and found else {"schema_version": None}


def _header(path: Path) -> tuple[dict[str, str], dict[str, tuple[int, ...]]]:
    """Metadata, and shapes by name, of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            return dict(file.metadata() or {}), shapes
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: is no readable safetensors file (truncated, or another format)") from error
