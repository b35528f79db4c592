"""PCRL, version 1: contrast, and views restored from features that are conditioned and mixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from lightly.models.modules.heads import MoCoProjectionHead
from torch import Tensor, nn
from torch.nn import functional

from ...data.views import TRANSFORMS
from ...foundation.errors import UserError
from ...training.device import images_channels_last
from ..encoder import Encoder
from ..method import Shape, images, stated
from ..parts.contrast import info_nce
from ..parts.full_precision import full_precision
from ..parts.grouped_batch_norm import normalise_in_groups
from ..parts.momentum_contrast import MomentumContrast, MomentumContrastSettings
from ..parts.requirements import required_view
from ..parts.restoration import Restorer, require_maps, restoration_loss
from ..parts.shared_draws import shared_uniform

_CODE = "released code (Luchixiang/PCRL)"
_PRESET = "pcrl_v1"


class PCRLv1Settings(MomentumContrastSettings):
    """Settings of PCRL, version 1; see `MomentumContrastSettings`.

    Attributes:
        restoration_weight: of the mean of the four squared errors, beside the mean of the three contrasts.
        attention: width of the hidden layer between the transformations' flags and the channels' weights.
        width: channels of the decoder's coarsest level; halved at each finer one.
    """

    hidden: int = stated(128, f"{_CODE}: PCRLModel.fc1", ge=0)
    dim: int = stated(128, f"{_CODE}: low_dim", ge=2)
    queue: int = stated(16384, f"{_CODE}: nce_k", ge=1)
    momentum: float = stated(0.999, f"{_CODE}: moment_update", ge=0, le=1)
    temperature: float = stated(0.2, f"{_CODE}: moco_t", gt=0)
    group_size: int = stated(16, f"{_CODE}: 64 images on 4 GPUs, each normalised alone", ge=2)
    restoration_weight: float = stated(1.0, f"{_CODE}: pcrl.py", ge=0)
    attention: int = stated(256, f"{_CODE}: aug_fc1", ge=1)
    width: int = stated(256, f"{_CODE}: the decoder of segmentation_models_pytorch", ge=16)


class _Pass(NamedTuple):
    """What one pair of images gives: embeddings of any length [B, dim], and two restoration errors."""

    query: Tensor
    key: Tensor
    own: Tensor
    across: Tensor


class PCRLv1(MomentumContrast):
    """Queries are told apart from a queue, and images restored from conditioned and from mixed features.

        L = (N(q, k) + N(q', k') + N(q', M_l(k))) / 3 + (R + R_a + R' + R'_b) / 4
        M_l(x)_i = l x_i + (1 - l) x_j, j the partner of i             l, a, b = max(u, 1 - u), u uniform in [0, 1]
        R   = mean (U(A(t1) F1) - c1)^2      R_a  = mean (U(a A(t1) F1 + (1 - a) A(t2) G2) - (a c1 + (1 - a) c2))^2
        R'  = mean (U(F1') - M_l(c1))^2      R'_b = mean (U(b F1' + (1 - b) G2') - (b M_l(c1) + (1 - b) M_l(c2)))^2
        A(t) = sigmoid(W2 relu(W1 t)), one weight a channel of the last map

    N is InfoNCE of unit vectors; q, F1 embedding and five maps of x1 by the encoder, k, G2 those of x2 by the network
    that follows with momentum (constants); q', F1', k', G2' the same of the mixed images M_l(x1), M_l(x2). U is a
    U-Net's decoder with skip connections, which takes mixed maps at every scale (cross-model mixup). t1, t2 [B, 4]
    say what was done to the views; c1, c2 are the clean views, normalised as for the encoder. One l, a and b a batch;
    Beta(1, 1) is uniform.

    Views: `one`, `two`, `clean_one`, `clean_two` [B, S, S], `transform_one`, `transform_two` [B, 4].

    Source: Zhou 2021, arXiv:2109.04379, and its released code, in which the attention weighs channels.

    Raises:
        UserError: an encoder without maps, an odd number of images a process, a queue or groups that do not fit.
    """

    Settings = PCRLv1Settings
    views = ("one", "two", "clean_one", "clean_two", "transform_one", "transform_two")
    settings: PCRLv1Settings

    def __init__(self, encoder: Encoder, settings: PCRLv1Settings, shape: Shape):
        require_maps(encoder, _PRESET)
        if shape.batch_size // shape.processes % 2:
            raise UserError(
                f"{_PRESET} mixes images in pairs, and training.batch_size = {shape.batch_size} over {shape.processes} "
                f"processes leaves one over; set training.batch_size to a multiple of {2 * shape.processes}"
            )
        head = MoCoProjectionHead(encoder.meta.dim, settings.hidden or encoder.meta.dim, settings.dim)
        super().__init__(encoder, settings, shape, head)
        channels, stages = encoder.meta.channels, encoder.meta.stage_channels
        self.restorer = normalise_in_groups(Restorer(stages, settings.width, channels=channels), self.group_size)
        self.attention = ChannelAttention(len(TRANSFORMS), settings.attention, stages[-1])

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """`loss` and the terms `contrast` and `restoration` (without its weight), the means of three and four."""
        clean = [self.encoder.normalise(images(required_view(batch, f"clean_{view}", _PRESET))) for view in _VIEWS]
        weights = [self.attention(required_view(batch, f"transform_{view}", _PRESET)) for view in _VIEWS]
        views = [images(batch[view]) for view in _VIEWS]
        u = shared_uniform(3, clean[0].device)
        lam, a, b = torch.maximum(u, 1 - u).unbind()
        plain = self._pass(views, clean, a, weights)
        hybrid = self._pass([images_channels_last(mixed(x, lam)) for x in views], [mixed(c, lam) for c in clean], b)
        self.watched = plain.query.detach()
        contrast = self._contrasts(plain, hybrid, mixed(plain.key, lam))
        restoration = (plain.own + plain.across + hybrid.own + hybrid.across) / 4
        loss = contrast + self.settings.restoration_weight * restoration
        return {"loss": loss, "contrast": contrast, "restoration": restoration}

    def _pass(
        self, views: list[Tensor], clean: list[Tensor], share: Tensor, weights: list[Tensor] | None = None
    ) -> _Pass:
        """Embeddings of two views, and the errors of the first one restored and of both mixed by `share`."""
        with torch.no_grad():
            key, theirs = self._keys_and_maps(views[1])
        features, maps = self.encoder.pooled_and_stages(views[0])
        if weights is not None:
            maps = [*maps[:-1], maps[-1] * weights[0]]
            theirs = [*theirs[:-1], theirs[-1] * weights[1]]
        size = clean[0].shape[-2:]
        own = restoration_loss(self.restorer(maps, size), clean[0])
        blend = [share * our + (1 - share) * their for our, their in zip(maps, theirs, strict=True)]
        across = restoration_loss(self.restorer(blend, size), share * clean[0] + (1 - share) * clean[1])
        return _Pass(self.head(features), key, own, across)

    def _keys_and_maps(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        order = self.shuffle.draw(len(x) * self.shape.processes, self.group_size, x.device)
        features, maps = self.key_encoder.pooled_and_stages(order.taken(x))
        return order.put_back(self.key_head(features)), [order.put_back(each) for each in maps]

    def _contrasts(self, plain: _Pass, hybrid: _Pass, mixed_key: Tensor) -> Tensor:
        """The mean of the three contrasts; the keys of plain views are queued."""
        queue, temperature = self.contrast.queue, self.settings.temperature
        with full_precision(plain.query):
            q, k, q_hybrid, k_hybrid, k_mixed = (
                functional.normalize(each.float(), dim=1)
                for each in (plain.query, plain.key, hybrid.query, hybrid.key, mixed_key)
            )
            # A copy, because the backward pass needs the keys as they were.
            others = queue.keys.to(q.dtype, copy=True)
            pairs = ((q, k), (q_hybrid, k_hybrid), (q_hybrid, k_mixed))
            loss = torch.stack([info_nce(query, key, others, temperature) for query, key in pairs]).mean()
        if self.training:
            queue.push(k)
        return loss


class ChannelAttention(nn.Module):
    """Flags [B, flags] -> weights [B, channels, 1, 1] in (0, 1): sigmoid(W2 relu(W1 t + b1) + b2)."""

    def __init__(self, flags: int, hidden: int, channels: int):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(flags, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, flags: Tensor) -> Tensor:
        """Weights of channels; float32."""
        return self.layers(flags)[:, :, None, None]


def mixed(x: Tensor, share: Tensor) -> Tensor:
    """share * x + (1 - share) * x of the partner: images 0 and 1 are partners, 2 and 3, and so on.

    A batch comes in random order, so fixed partners are as good as drawn ones; and they are in the same process.
    """
    return share * x + (1 - share) * x.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


_VIEWS = ("one", "two")
