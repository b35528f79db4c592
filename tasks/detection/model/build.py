"""From an encoder to a detector."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ....foundation.errors import UserError
from ....pretrain.encoder import Encoder
from ....pretrain.initialisation import private_randomness
from .detector import Detector
from .feature_map import FeatureMap, check_stages, feature_map
from .settings import DetectorSettings, Head
from .torchvision_engine import TorchvisionDetector


def build_detector(encoder: Encoder, n_classes: int, settings: DetectorSettings, head: Head, seed: int) -> Detector:
    """A detector of `n_classes` around a copy of `encoder`, in training mode, on its device.

    The heads are detectron2's: `c4` pools 14 x 14 regions of the third stage's map, and the encoder's own fourth
    stage and a mean make features of them; `dc5` dilates the fourth stage, so that its map has stride 16, pools 7 x 7
    and puts two fully connected layers behind. Of encoders whose layers behind stride 16 do not come apart `c4`
    pools 7 x 7 regions of the map at stride 16 and puts two fully connected layers behind; `detector.notes` says so.

    Args:
        encoder: whose weights the detector begins with; it is left as it is.
        n_classes: without the background.
        settings: see there.
        head: `c4` or `dc5`.
        seed: of the new layers; equal seeds give equal weights, with both engines. torch's global generator is left
            as it is.

    Raises:
        UserError: an encoder without stages, or whose last stage cannot be dilated; layers to freeze that are random
            or that the encoder cannot name; detectron2 where it is not installed.
    """
    check_detector(encoder, settings)
    parts = feature_map(encoder, head)
    with private_randomness(seed):
        detector = TorchvisionDetector(parts, n_classes, settings)
    device = next(parts.encoder.parameters()).device
    detector = detector.to(device).train()
    _freeze(detector, parts, settings)
    if settings.engine == "detectron2":
        from .detectron2_engine import Detectron2Detector

        return Detectron2Detector(detector, settings).train()
    return detector


def check_detector(encoder: Encoder, settings: DetectorSettings) -> None:
    """Raise UserError for an encoder that no detector with these settings can be built around, before any work.

    Whether the last stage can be dilated is seen only by trying: `feature_map(encoder, "dc5")`.
    """
    if settings.engine == "detectron2":
        from .detectron2_engine import check_detectron2

        check_detectron2()
    check_stages(encoder)
    frozen = settings.frozen_batch_norm or settings.frozen_stages > 0
    if frozen and encoder.meta.seed is not None:
        raise UserError(
            f"encoder {encoder.meta.name} has random weights, and statistics and layers that are frozen would stay "
            "random; set detection.frozen_batch_norm=false and detection.frozen_stages=0 (the preset moco)"
        )
    if settings.frozen_stages and encoder.blocks is None:
        raise UserError(
            f"encoder {encoder.meta.name} ({encoder.meta.arch}) does not come apart into stages to freeze; set "
            "detection.frozen_stages=0"
        )


def _freeze(detector: TorchvisionDetector, parts: FeatureMap, settings: DetectorSettings) -> None:
    """Exclude what the settings freeze from the gradients, and keep its normalisations as they are."""
    normalisations = _normalisations(parts) if settings.frozen_batch_norm else []
    still = [*parts.stages[: settings.frozen_stages], *normalisations]
    if settings.frozen_stages > len(parts.stages) and parts.fourth_stage is not None:
        still.append(parts.fourth_stage)
    for module in still:
        module.requires_grad_(False)
    names = {module: name for name, module in detector.named_modules()}
    detector.frozen = tuple(names[module] for module in still)
    detector.train()


def _normalisations(parts: FeatureMap) -> list[nn.Module]:
    """The batch normalisations that come from the encoder."""
    inside = [parts.encoder, *([parts.fourth_stage] if parts.fourth_stage is not None else [])]
    return [module for part in inside for module in part.modules() if isinstance(module, _BatchNorm)]
