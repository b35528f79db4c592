"""PCRLv2: pixels are restored and views compared at every scale of a U-Net without skip connections."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..encoder import Encoder
from ..method import Method, MethodSettings, Shape, images, stated
from ..parts.full_precision import full_precision
from ..parts.requirements import refuse_batch_of_one, required_view
from ..parts.restoration import LEVELS, Restorer, draw_decoder, require_maps, restoration_loss
from ..parts.shared_draws import shared_uniform

_CODE = "released code (RL4M/PCRLv2)"


class PCRLv2Settings(MethodSettings):
    """Settings of PCRLv2.

    Attributes:
        width: channels of the decoder's coarsest level; halved at each finer one.
        scales: `drawn` takes one random scale a comparison, `all` the mean over all five, of which that is the
            expectation.
        restoration_weight: of both restoration terms.
        local_weight: of the comparison with local crops.
    """

    width: int = stated(256, f"{_CODE}: decoder_channels", ge=16)
    scales: Literal["drawn", "all"] = stated("drawn", f"{_CODE}: cos_loss")
    restoration_weight: float = stated(1.0, f"{_CODE}: train_2d.py", ge=0)
    local_weight: float = stated(1.0, f"{_CODE}: train_2d.py", ge=0)


@dataclass(frozen=True)
class Pyramid:
    """One view at five scales, coarse to fine: maps [B, C, h, w], projections z and predictions p [B, C]."""

    maps: list[Tensor]
    projections: list[Tensor]
    predictions: list[Tensor]


class PCRLv2(Method):
    """Pixels are restored and views compared at every scale of a U-Net without skip connections.

        L = MSE(image(1), x1) + beta MSE(image_s(1), x1) + C_s(1, 2) + mean over views v and crops c of C_t(v, c)
        C_s(a, b) = -(cos(p_s(a), stop(z_s(b))) + cos(p_s(b), stop(z_s(a)))) / 2, mean over images
        beta = (1 + cos(pi k / K)) / 2 at step k of K

    z_s [B, C_s] is the batch-normalised mean over positions of what the decoder gives at scale s, p_s its prediction
    by two linear layers (C_s to 2 C_s to C_s); image_s is painted from that scale alone and enlarged to the image's
    size, `image` is the decoder's last word; x1 is the clean first view, normalised as for the encoder. Scale s is
    drawn for the batch, t for each pair of a view and a local crop.

    Views: `one`, `two`, `clean_one` [B, S, S], `local` [B, crops, s, s].

    Source: Zhou 2023, arXiv:2301.00772, and its released code.

    Raises:
        UserError: a batch of one image, an encoder without maps.
    """

    Settings = PCRLv2Settings
    views = ("one", "two", "clean_one", "local")
    beta: Tensor

    def __init__(self, encoder: Encoder, settings: PCRLv2Settings, shape: Shape):
        super().__init__(encoder, settings, shape)
        refuse_batch_of_one("pcrl_v2", shape)
        require_maps(encoder, "pcrl_v2")
        self.scales = settings.scales
        self.restoration_weight = settings.restoration_weight
        self.local_weight = settings.local_weight
        channels = encoder.meta.channels
        self.restorer = Restorer(encoder.meta.stage_channels, settings.width, skips=False, channels=channels)
        widths = self.restorer.decoder.widths
        self.projection = nn.ModuleList(nn.BatchNorm1d(width) for width in widths)
        self.prediction = nn.ModuleList(_prediction(width) for width in widths)
        self.painting = nn.ModuleList(_painting(width, channels) for width in widths)
        self.register_buffer("beta", torch.tensor(1.0))

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`loss` and the terms `restoration`, `restoration_scale` (without beta), `global` and `local`."""
        clean = self.encoder.normalise(images(required_view(batch, "clean_one", "pcrl_v2")))
        crops = required_view(batch, "local", "pcrl_v2")
        count = crops.shape[1]
        one, two, local = (self._pyramid(view) for view in (batch["one"], batch["two"], crops.flatten(0, 1)))
        self.watched = one.projections[0].detach()

        drawn = self._weights(1 + 2 * count, clean.device)
        whole = restoration_loss(self.restorer.pixels(one.maps[-1]), clean)
        scaled = (drawn[0] * self._restorations(one, clean)).sum()
        across = (drawn[0] * compared(one, two)[:, 0]).sum()
        nearby = torch.cat([compared(view, local, count) for view in (one, two)], 1)
        nearby = (drawn[1:].T * nearby).sum(0).mean()
        restored = self.restoration_weight * (whole + self.beta * scaled)
        return {
            "loss": restored + across + self.local_weight * nearby,
            "restoration": whole,
            "restoration_scale": scaled,
            "global": across,
            "local": nearby,
        }

    def after_step(self, step: int, steps: int) -> None:
        """The restoration from one scale fades along a cosine."""
        self.beta.fill_((1 + math.cos(math.pi * (step + 1) / steps)) / 2)

    def _pyramid(self, view: Tensor) -> Pyramid:
        pooled, stages = self.encoder.pooled_and_stages(images(view))
        # A layer that only pooled features pass (EfficientNet's last) needs a gradient in every process: 0.
        stages[-1] = stages[-1] + 0 * pooled.sum()
        maps = self.restorer.decoder(stages, view.shape[-2:])
        with full_precision(pooled):
            kind = torch.promote_types(pooled.dtype, torch.float32)
            means = [level.mean((2, 3), dtype=kind) for level in maps]
            projections = [each(mean) for each, mean in zip(self.projection, means, strict=True)]
            predictions = [each(z) for each, z in zip(self.prediction, projections, strict=True)]
        return Pyramid(maps, projections, predictions)

    def _restorations(self, view: Pyramid, clean: Tensor) -> Tensor:
        """MSE of the image that each scale paints by itself, [5]."""
        painted = (paint(level) for paint, level in zip(self.painting, view.maps, strict=True))
        enlarged = (functional.interpolate(image, clean.shape[-2:], mode="bilinear") for image in painted)
        return torch.stack([restoration_loss(image, clean) for image in enlarged])

    def _weights(self, comparisons: int, device: torch.device) -> Tensor:
        """The weight of every scale in each comparison, [comparisons, 5]: one of them 1, or each a fifth.

        Scales that are not drawn have weight 0, not no loss: every head then has a gradient in every process.
        """
        if self.scales == "all":
            return torch.full((comparisons, LEVELS), 1 / LEVELS, device=device)
        drawn = (shared_uniform(comparisons, device) * LEVELS).long().clamp_max(LEVELS - 1)
        return functional.one_hot(drawn, LEVELS).float()


def compared(a: Pyramid, b: Pyramid, crops: int = 1) -> Tensor:
    """C_s(a, b) at every scale for each of `crops` pictures that b holds of every image in a, [5, crops].

    C_s = -(cos(p_s(a), stop(z_s(b))) + cos(p_s(b), stop(z_s(a)))) / 2, mean over images.
    """
    return torch.stack(
        [
            _compared(p, z, q.unflatten(0, (-1, crops)), y.unflatten(0, (-1, crops)))
            for p, z, q, y in zip(a.predictions, a.projections, b.predictions, b.projections, strict=True)
        ]
    )


def _compared(p: Tensor, z: Tensor, q: Tensor, y: Tensor) -> Tensor:
    """p, z [B, C]; q, y [B, crops, C] -> [crops]."""
    there = functional.cosine_similarity(p.unsqueeze(1), y.detach(), dim=-1)
    back = functional.cosine_similarity(q, z.detach().unsqueeze(1), dim=-1)
    return -(there + back).mean(0) / 2


def _prediction(width: int) -> nn.Sequential:
    hidden = 2 * width
    return draw_decoder(
        nn.Sequential(nn.Linear(width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, width))
    )


def _painting(width: int, channels: int) -> nn.Sequential:
    return draw_decoder(
        nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, channels, 1)
        )
    )
