"""BYOL: a trained network predicts what its own momentum copy makes of the other view."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from torch import Tensor, nn

from ..encoder import Encoder
from ..method import Method, MethodSettings, Shape, images, stated
from ..parts.full_precision import full_precision
from ..parts.momentum import cosine_momentum, follow, momentum_copy
from ..parts.requirements import refuse_batch_of_one


class BYOLSettings(MethodSettings):
    """Settings of BYOL.

    Attributes:
        hidden: width of the hidden layer of projection and prediction.
        dim: width of projections and predictions.
        momentum: of the target network at the first step; it rises to 1 by a cosine over the training.
    """

    hidden: int = stated(4096, "section 3.3", ge=1)
    dim: int = stated(256, "section 3.3", ge=1)
    momentum: float = stated(0.996, "section 3.3", ge=0, le=1)


class BYOL(Method):
    """The online network's prediction of one view follows the target network's projection of the other.

        L = l(q(z1), z2') + l(q(z2), z1')                    l(p, z) = |p / |p| - z / |z||^2 = 2 - 2 p.z / (|p| |z|)
        xi <- tau xi + (1 - tau) theta                       tau = 1 - (1 - momentum) (cos(pi k / K) + 1) / 2

    z = projections [B, dim] of the online network theta (encoder and projection), q(z) predictions [B, dim], z'
    projections of the target network xi, which gets no gradient. Mean over images; each view passes alone.

    Source: Grill 2020, arXiv:2006.07733, equations 1 and 2, and section 3.3.

    Raises:
        UserError: a batch of one image.
    """

    Settings = BYOLSettings

    def __init__(self, encoder: Encoder, settings: BYOLSettings, shape: Shape):
        super().__init__(encoder, settings, shape)
        refuse_batch_of_one("byol", shape)
        self.momentum = settings.momentum
        self.projection = BYOLProjectionHead(encoder.meta.dim, settings.hidden, settings.dim)
        self.prediction = BYOLPredictionHead(settings.dim, settings.hidden, settings.dim)
        self.target_encoder = momentum_copy(encoder)
        self.target_projection = momentum_copy(self.projection)
        self.negative_cosine = NegativeCosineSimilarity()

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        views = [images(batch[view]) for view in ("one", "two")]
        z1, z2 = (self.projection(self.encoder(view)) for view in views)
        p1, p2 = self.prediction(z1), self.prediction(z2)
        with torch.no_grad():
            t1, t2 = (self.target_projection(self.target_encoder(view)) for view in views)
        self.watched = z1.detach()
        with full_precision(z1):
            first = 2 + 2 * self.negative_cosine(p1.float(), t2.float())
            second = 2 + 2 * self.negative_cosine(p2.float(), t1.float())
        return {"loss": first + second}

    def after_step(self, step: int, steps: int) -> None:
        momentum = cosine_momentum(step, steps, self.momentum)
        pairs: tuple[tuple[nn.Module, nn.Module], ...] = (
            (self.target_encoder, self.encoder),
            (self.target_projection, self.projection),
        )
        for copy, network in pairs:
            follow(copy, network, momentum)
