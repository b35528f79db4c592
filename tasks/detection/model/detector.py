"""What a detector takes and gives, whoever's classes it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from torch import Tensor, nn

Targets = Sequence[Mapping[str, Tensor]]
Losses = dict[str, Tensor]
Detections = list[dict[str, Tensor]]
LOSSES = ("rpn_objectness", "rpn_box", "roi_class", "roi_box")


class Detector(nn.Module):
    """Grey images -> losses in training mode, detections in evaluation mode; boxes are x1, y1, x2, y2 in pixels.

    Attributes:
        n_classes: number of classes, C; the background is none of them.
        notes: what differs from the model that the head is called after, in words, for the record of a trial.
        frozen: names of the modules that stay in evaluation mode whatever the mode of the detector.
    """

    n_classes: int
    notes: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()

    def forward(self, x: Tensor, targets: Targets | None = None) -> Any:
        """Losses in training mode, detections in evaluation mode.

        Args:
            x: images [B, 1, S, S] in [0, 1].
            targets: for each image `boxes`, float32 [n, 4] in pixels of x with x1 < x2 and y1 < y2, and `labels`,
                int64 [n] in 0..C-1; n may be 0. Needed in training mode, not used otherwise.

        Returns:
            In training mode a dict of the four scalars LOSSES, float32. In evaluation mode for each image a dict of
            `boxes` float32 [d, 4] inside the image, `scores` float32 [d], falling, and `labels` int64 [d].
        """
        if not self.training:
            return self.detections(x)
        if targets is None or len(targets) != len(x):
            raise ValueError(f"training takes one target an image, not {targets and len(targets)} for {len(x)} images")
        return self.losses(x, targets)

    def losses(self, x: Tensor, targets: Targets) -> Losses:
        """The four losses, see `forward`."""
        raise NotImplementedError

    def detections(self, x: Tensor) -> Detections:
        """The detections, see `forward`."""
        raise NotImplementedError

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all but the frozen modules, which stay in evaluation mode."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self
