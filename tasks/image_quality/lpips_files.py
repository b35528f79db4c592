"""LPIPS from the files of its authors and of torchvision, which the user brings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...foundation.errors import UserError
from ...foundation.settings import Settings
from .weights_identity import existing, identity_of

if TYPE_CHECKING:
    from torch import Tensor

    from .lpips import Backbone, Lpips

# Version 0.0 had an error in its input; its weights have the same shapes.
_OF_VERSION_0_0 = ("18720f55", "b9e42362")
_LINEAR = tuple(f"lin{place}.model.1.weight" for place in range(5))


class LpipsSettings(Settings):
    """Files that LPIPS needs; without any there is no LPIPS.

    Attributes:
        backbone: torchvision's `alexnet-owt-7be5be79.pth` or `vgg16-397923af.pth`.
        linear: `alex.pth` or `vgg.pth` of version 0.1, as the package `lpips` holds them in `weights/v0.1`.
    """

    backbone: str = ""
    linear: str = ""


def load_lpips(settings: LpipsSettings) -> Lpips | None:
    """LPIPS from the two files, on the CPU; None where none is given.

    Nothing in a file is executed. Raises UserError for one file without the other, and for a file that is missing,
    damaged, swapped with the other, of another network, or of version 0.0.
    """
    if not _given(settings):
        return None
    from ...pretrain.checkpoints import read_tensors
    from .lpips import Lpips

    backbone_path = existing("lpips.backbone", settings.backbone)
    linear_path = existing("lpips.linear", settings.linear)
    of_backbone, of_linear = read_tensors(backbone_path), read_tensors(linear_path)
    if _LINEAR[0] in of_backbone and "features.0.weight" in of_linear:
        raise UserError(
            f"lpips.backbone = {backbone_path} holds linear weights and lpips.linear = {linear_path} a backbone: "
            "exchange the two"
        )
    backbone = _recognised(of_backbone, backbone_path)
    linear = _linear(of_linear, backbone, linear_path)
    if identity_of("lpips.linear", settings.linear)["sha256"].startswith(_OF_VERSION_0_0):
        raise UserError(f"lpips.linear = {linear_path}: is of version 0.0, which had an error; take weights/v0.1")
    features = {
        name.removeprefix("features."): each for name, each in of_backbone.items() if name.startswith("features.")
    }
    return Lpips(backbone, features, linear)


def lpips_identity(settings: LpipsSettings) -> dict[str, dict[str, str]] | None:
    """Name and SHA-256 of `backbone` and `linear`, what a fingerprint holds in place of paths; None without files.

    The files are not read as weights: ask `load_lpips` before expensive work starts. Raises UserError for one file
    without the other, and for a missing file.
    """
    if not _given(settings):
        return None
    return {
        "backbone": identity_of("lpips.backbone", settings.backbone),
        "linear": identity_of("lpips.linear", settings.linear),
    }


def _given(settings: LpipsSettings) -> bool:
    if bool(settings.backbone) != bool(settings.linear):
        given, other = ("backbone", "linear") if settings.backbone else ("linear", "backbone")
        raise UserError(f"lpips.{given} is given without lpips.{other}: LPIPS needs both files, or leave both out")
    return bool(settings.backbone)


def _recognised(tensors: Mapping[str, Tensor], path: Path) -> Backbone:
    """The network whose state dict this is, by names and shapes; the classifier, which nobody needs, may be absent."""
    from .lpips import BACKBONES, layers_of

    for backbone in BACKBONES:
        wanted = {f"features.{name}": each.shape for name, each in layers_of(backbone).state_dict().items()}
        found = {name: each.shape for name, each in tensors.items() if not name.startswith("classifier.")}
        if found == wanted:
            return backbone
    names = " or ".join(each.name for each in BACKBONES)
    raise UserError(
        f"lpips.backbone = {path}: is not the state dict of torchvision's {names} (it holds {_first(tensors)})"
    )


def _linear(tensors: Mapping[str, Tensor], backbone: Backbone, path: Path) -> list[Tensor]:
    if set(tensors) != set(_LINEAR) or any(list(each.shape) != [1, each.numel(), 1, 1] for each in tensors.values()):
        raise UserError(
            f"lpips.linear = {path}: must hold lin0.model.1.weight to lin4.model.1.weight, [1, C, 1, 1] each, as "
            f"alex.pth and vgg.pth of the package lpips do (it holds {_first(tensors)})"
        )
    channels = [tensors[name].shape[1] for name in _LINEAR]
    if channels != list(backbone.channels):
        raise UserError(
            f"lpips.linear = {path}: its weights are for {channels} channels, those of lpips.backbone "
            f"({backbone.name}) are {list(backbone.channels)}; give the file of the same network"
        )
    return [tensors[name] for name in _LINEAR]


def _first(tensors: Mapping[str, Tensor]) -> str:
    shown = [f"{name} {list(each.shape)}" for name, each in list(tensors.items())[:3]]
    return ", ".join([*shown, "..."] if len(tensors) > 3 else shown)
