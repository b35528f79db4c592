"""The layers that a detector adds behind the pooled regions, initialised as detectron2 does."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead


class StageHead(nn.Module):
    """The C4 head: the encoder's fourth stage, perhaps a batch normalisation, and the mean over the region.

    Args:
        stage: regions [R, C, P, P] -> [R, D, P / 2, P / 2].
        channels: D.
        extra_batch_norm: normalise what the stage gives, as MoCo does for encoders of other scales.
    """

    def __init__(self, stage: nn.Module, channels: int, extra_batch_norm: bool):
        super().__init__()
        self.stage = stage
        self.norm = nn.BatchNorm2d(channels) if extra_batch_norm else nn.Identity()

    def forward(self, regions: Tensor) -> Tensor:
        return self.norm(self.stage(regions)).mean(dim=(2, 3))


class TwoLayerHead(TwoMLPHead):
    """Two fully connected layers, Kaiming uniform with a = 1 and biases 0 (Caffe2's XavierFill, as detectron2)."""

    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width)
        for layer in (self.fc6, self.fc7):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        # Pooled regions may lie channels last, where flattening them must copy.
        x = functional.relu(self.fc6(x.flatten(start_dim=1)))
        return functional.relu(self.fc7(x))


class Predictor(FastRCNNPredictor):
    """Class logits, of the background first, and a box for each class: normal, 0.01 and 0.001, biases 0."""

    def __init__(self, inputs: int, n_classes: int):
        super().__init__(inputs, n_classes + 1)
        nn.init.normal_(self.cls_score.weight, std=0.01)
        nn.init.normal_(self.bbox_pred.weight, std=0.001)
        nn.init.zeros_(self.cls_score.bias)
        nn.init.zeros_(self.bbox_pred.bias)
