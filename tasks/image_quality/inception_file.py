"""The Inception network of the Fréchet inception distance from the file that the user brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...foundation.errors import UserError
from ...foundation.settings import Settings
from .weights_identity import existing, identity_of

if TYPE_CHECKING:
    from .inception import FidInception

# Counters of batches, which change nothing and which files of older libraries lack.
_COUNTER = "num_batches_tracked"


class InceptionSettings(Settings):
    """The file that the Fréchet inception distance needs; without it there is none.

    Attributes:
        weights: `pt_inception-2015-12-05-6726825d.pth`, TensorFlow's weights of 2015 as a state dict of PyTorch.
    """

    weights: str = ""


def load_inception(settings: InceptionSettings) -> FidInception | None:
    """The network, on the CPU; None where no file is given.

    Nothing in the file is executed. Raises UserError where it is missing, damaged, or of another network, such as
    torchvision's Inception, whose features give other numbers.
    """
    if not settings.weights:
        return None
    path = existing("inception.weights", settings.weights)
    import torch

    from ...pretrain.checkpoints import read_tensors
    from .inception import CLASSES, FidInception

    tensors = {name: each for name, each in read_tensors(path).items() if not name.endswith(_COUNTER)}
    if "fc.weight" in tensors and len(tensors["fc.weight"]) != CLASSES:
        raise UserError(
            f"inception.weights = {path}: has {len(tensors['fc.weight'])} classes, that of the Fréchet inception "
            f"distance {CLASSES}; torchvision's network gives other numbers, fetch "
            "pt_inception-2015-12-05-6726825d.pth"
        )
    counters = {
        name.rsplit(".", 1)[0]: torch.zeros((), dtype=torch.int64) for name in tensors if "running_mean" in name
    }
    try:
        return FidInception({**tensors, **{f"{name}.{_COUNTER}": each for name, each in counters.items()}})
    except RuntimeError as error:
        first = " ".join(str(error).split("\n")[1].split())[:160]
        raise UserError(
            f"inception.weights = {path}: is not the network of the Fréchet inception distance "
            f"(pt_inception-2015-12-05-6726825d.pth): {first}"
        ) from error


def inception_identity(settings: InceptionSettings) -> dict[str, str] | None:
    """Name and SHA-256 of the file, what a fingerprint holds in place of its path; None without one.

    The file is not read as weights: ask `load_inception` before expensive work starts. Raises UserError where it is
    missing.
    """
    return identity_of("inception.weights", settings.weights) if settings.weights else None
