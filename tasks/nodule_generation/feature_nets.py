"""The networks whose features of real and painted patches are compared: a named encoder, and the user's Inception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import UserError
from ..image_quality.feature_vectors import features_of
from ..image_quality.inception_file import load_inception

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ...pretrain.encoder import Encoder
    from ...training.device import Device
    from ..image_quality.inception_file import InceptionSettings

_BATCH = 64


@dataclass(frozen=True)
class FeatureNets:
    """The feature net and, where there is a file, FID's Inception; in float32 on `device`."""

    feature_net: Encoder
    inception: nn.Module | None
    device: Device

    def of(self, patches: Tensor) -> tuple[np.ndarray, ...]:
        """Features float32 [N, D] of patches [N, 1, P, P] in [0, 1]: one array, or two with Inception's."""
        nets: list[nn.Module] = [self.feature_net] if self.inception is None else [self.feature_net, self.inception]
        return tuple(features_of(net, patches, _BATCH, self.device) for net in nets)


def load_feature_net(spec: str) -> Encoder:
    """The encoder that the setting `feature_net` names, with random weights of seed 0 where they are random.

    Raises UserError that names the setting.
    """
    from ...pretrain import load_encoder

    try:
        return load_encoder(spec, 0)
    except UserError as error:
        raise UserError(f"setting feature_net = {spec}: {error}") from error


def load_feature_nets(feature_net: Encoder, inception: InceptionSettings, device: Device) -> FeatureNets:
    """Both networks. Raises UserError for a file that is not FID's Inception."""
    return FeatureNets(feature_net, load_inception(inception), device)


def refuse_same(encoder: Encoder, feature_net: Encoder) -> None:
    """Raise UserError where the encoder under test is the feature net: it would be its own judge."""
    if encoder.meta.sha256 == feature_net.meta.sha256:
        raise UserError(
            f"encoder {encoder.meta.name} is also the feature net that judges what is painted, and would be its own "
            "judge; name another one for all encoders: --set feature_net=NAME"
        )
