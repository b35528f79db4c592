"""SimSiam: two views predict each other, with a stopped gradient and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from lightly.loss import NegativeCosineSimilarity
from lightly.models.modules import SimSiamPredictionHead, SimSiamProjectionHead
from torch import Tensor

from ..encoder import Encoder
from ..method import Method, MethodSettings, Shape, images, stated
from ..parts.full_precision import full_precision
from ..parts.requirements import refuse_batch_of_one


class SimSiamSettings(MethodSettings):
    """Settings of SimSiam.

    Attributes:
        projection: width of the projection's three layers.
        prediction: width of the prediction's hidden layer.
        stop_gradient: whether targets get no gradient; without it the embeddings collapse.
    """

    projection: int = stated(2048, "section 3", ge=1)
    prediction: int = stated(512, "section 3", ge=1)
    stop_gradient: bool = stated(True, "section 3; false is the ablation of section 4.1")


class SimSiam(Method):
    """Predictions of one view follow the projections of the other, whose gradient is stopped.

        L = D(p1, stop(z2)) / 2 + D(p2, stop(z1)) / 2        D(p, z) = -p.z / (|p| |z|), mean over images

    Images [B, S, S] -> features [B, D] -> projections z [B, projection] -> predictions p [B, projection]. Each view
    passes alone, so batch normalisation sees one view at a time.

    Source: Chen and He 2021, arXiv:2011.10566, equations 1 to 4.

    Raises:
        UserError: a batch of one image.
    """

    Settings = SimSiamSettings

    def __init__(self, encoder: Encoder, settings: SimSiamSettings, shape: Shape):
        super().__init__(encoder, settings, shape)
        refuse_batch_of_one("simsiam", shape)
        self.stop_gradient = settings.stop_gradient
        self.projection = SimSiamProjectionHead(encoder.meta.dim, settings.projection, settings.projection)
        self.prediction = SimSiamPredictionHead(settings.projection, settings.prediction, settings.projection)
        self.negative_cosine = NegativeCosineSimilarity()

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        z1, z2 = (self.projection(self.encoder(images(batch[view]))) for view in ("one", "two"))
        p1, p2 = self.prediction(z1), self.prediction(z2)
        self.watched = z1.detach()
        if self.stop_gradient:
            z1, z2 = z1.detach(), z2.detach()
        with full_precision(z1):
            loss = (self.negative_cosine(p1.float(), z2.float()) + self.negative_cosine(p2.float(), z1.float())) / 2
        return {"loss": loss}
