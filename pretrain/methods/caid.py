"""CAiD: MoCo v2 whose query also restores the view from before its parts were hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ..encoder import Encoder
from ..method import Shape, images, stated
from ..parts.grouped_batch_norm import normalise_in_groups
from ..parts.momentum_contrast import MomentumContrast, MomentumContrastSettings
from ..parts.requirements import required_view
from ..parts.restoration import Restorer, require_maps, restoration_loss

_CODE = "DiRA's released code, by the same authors; mode dir is CAiD"


class CAiDSettings(MomentumContrastSettings):
    """Settings of CAiD; see `MomentumContrastSettings`.

    Attributes:
        restoration_weight: of the mean squared error, beside InfoNCE.
        width: channels of the decoder's coarsest level; halved at each finer one.
    """

    hidden: int = stated(0, f"{_CODE}: --mlp, as wide as the features", ge=0)
    dim: int = stated(128, _CODE, ge=2)
    queue: int = stated(65536, _CODE, ge=1)
    momentum: float = stated(0.999, _CODE, ge=0, le=1)
    temperature: float = stated(0.2, _CODE, gt=0)
    group_size: int = stated(64, f"{_CODE}: 256 images on 4 GPUs, each normalised alone", ge=2)
    restoration_weight: float = stated(10.0, f"{_CODE}: --mse_weight", ge=0)
    width: int = stated(256, f"{_CODE}: the decoder of segmentation_models_pytorch", ge=16)


class CAiD(MomentumContrast):
    """InfoNCE of the query, and the query's view restored.

        L = InfoNCE(q, k, queue) + 10 mean (sigmoid(U(maps of x1)) - c1)^2

    x1, x2 [B, S, S] are the distorted views `one` and `two`, c1 in [0, 1] is `clean_one`: view one before its grey
    values changed and parts of it were hidden. q, k [B, dim] as in MoCo v2; U is a U-Net's decoder (256, 128, 64, 32,
    16 channels, skip connections) from the query's five maps to [B, 1, S, S]; the mean is over images and pixels.

    Source: Taher 2022, arXiv:2204.07344; weights from DiRA's released code.

    Raises:
        UserError: an encoder without maps, a queue or groups that do not fit the batch.
    """

    Settings = CAiDSettings
    views = ("one", "two", "clean_one")
    settings: CAiDSettings
    # The views that a batch must hold.
    preset: ClassVar[str] = "caid"

    def __init__(self, encoder: Encoder, settings: CAiDSettings, shape: Shape):
        require_maps(encoder, self.preset)
        super().__init__(encoder, settings, shape)
        self.restorer = Restorer(encoder.meta.stage_channels, settings.width)
        normalise_in_groups(self.restorer, self.group_size)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`loss` and the terms `contrast` and `restoration` (without its weight)."""
        contrast, restored, clean = self.contrasted_and_restored(batch)
        restoration = restoration_loss(restored, clean)
        loss = contrast + self.settings.restoration_weight * restoration
        return {"loss": loss, "contrast": contrast, "restoration": restoration}

    def contrasted_and_restored(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """InfoNCE of the batch, the query's view restored and clean, both [B, 1, S, S] in [0, 1]."""
        clean = images(required_view(batch, "clean_one", self.preset))
        features, maps = self.encoder.pooled_and_stages(images(batch["one"]))
        query = self.head(features)
        with torch.no_grad():
            key, _ = self._keys(batch["two"], (), lambda block, each: each)
        self.watched = query.detach()
        logits = self.restorer(maps, clean.shape[-2:])
        restored = logits.to(torch.promote_types(logits.dtype, torch.float32)).sigmoid()
        return self.contrast(query, key), restored, clean
