"""The detector made of torchvision's classes."""

from __future__ import annotations

from torch import Tensor
from torchvision.models.detection.image_list import ImageList

from .detector import Detections, Detector, Losses, Targets
from .feature_map import FeatureMap
from .heads import Predictor, StageHead, TwoLayerHead
from .pooling import MAP
from .region_heads import RegionHeads
from .region_proposals import RegionProposals
from .settings import DetectorSettings

# Of the map, where a stage that halves it comes behind, and where none does.
POOL_BEFORE_STAGE, POOL = 14, 7


class TorchvisionDetector(Detector):
    """Faster R-CNN of one map at stride 16, without resizing, padding or normalising the images itself.

    New layers are drawn from torch's global generator.
    """

    def __init__(self, parts: FeatureMap, n_classes: int, settings: DetectorSettings):
        super().__init__()
        if n_classes < 1:
            raise ValueError(f"a detector has at least one class, not {n_classes}")
        self.n_classes = n_classes
        self.notes = parts.notes
        self.encoder = parts.encoder
        self.rpn = RegionProposals(parts.channels, settings.anchors, settings.rpn)
        if parts.fourth_stage is None:
            pool, features = settings.roi.pool_size or POOL, settings.roi.fc_width
            head = TwoLayerHead(parts.channels * pool**2, features)
        else:
            pool, features = settings.roi.pool_size or POOL_BEFORE_STAGE, parts.fourth_channels
            head = StageHead(parts.fourth_stage, features, settings.extra_batch_norm)
        self.roi_heads = RegionHeads(pool, head, Predictor(features, n_classes), settings.roi, settings.output)

    def losses(self, x: Tensor, targets: Targets) -> Losses:
        images, features = self._features(x)
        given = [dict(each) for each in targets]
        proposals, rpn = self.rpn(images, features, given)
        _, roi = self.roi_heads(features, proposals, images.image_sizes, given)
        return {**rpn, **roi}

    def detections(self, x: Tensor) -> Detections:
        images, features = self._features(x)
        proposals, _ = self.rpn(images, features)
        return self.roi_heads(features, proposals, images.image_sizes)[0]

    def _features(self, x: Tensor) -> tuple[ImageList, dict[str, Tensor]]:
        height, width = x.shape[-2:]
        return ImageList(x, [(height, width)] * len(x)), {MAP: self.encoder(x)}
