"""Grad-CAM: where in an image a fine-tuned network finds a label.

Selvaraju et al. 2017, Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization,
arXiv:1610.02391, equations 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ...foundation.errors import UserError

if TYPE_CHECKING:
    from ...pretrain.encoder import EncoderMeta
    from .classifier import Classifier


@dataclass(frozen=True)
class GradCam:
    """Maps of a batch, float32 [B, S, S], without a graph.

    Attributes:
        heat: in [0, 1]: what speaks for the label, over its maximum; 0 everywhere where nothing does.
        signed: the same before the ReLU, in units of the logit: what speaks against the label is negative.
    """

    heat: Tensor
    signed: Tensor

    @property
    def for_label(self) -> Tensor:
        """Bool [B]: whether anything speaks for the label."""
        return self.heat.amax(dim=(1, 2)) > 0

    @property
    def ranked(self) -> Tensor:
        """The map whose maximum is where the network points: `heat`, and `signed` where that is 0 everywhere.

        Networks that were trained on few cases of a rare label often find evidence against it only; where least of it
        is they still point.
        """
        return torch.where(self.for_label[:, None, None], self.heat, self.signed)


def grad_cam(network: Classifier, x: Tensor, labels: Tensor) -> GradCam:
    """The maps of a label for each image, of the last stage's features.

    With A^k the last stage's maps of Z places and y^c the logit of label c:
        alpha_k = 1/Z sum_ij dy^c / dA^k_ij        (equation 1)
        L = ReLU(sum_k alpha_k A^k)                (equation 2)
    L is brought to the size of the image by linear interpolation and divided by its maximum. Behind a global average
    and a linear head, alpha_k is the head's weight over Z, and L is CAM (Zhou et al. 2016) without what is below 0.

    Args:
        network: in eval mode, so that the images of a batch do not touch each other; its weights are left as they are.
        x: images [B, 1, S, S] in [0, 1], on the network's device.
        labels: int64 [B], one of the network's outputs for each image.

    Raises UserError for an encoder without stages, and where values are not finite.
    """
    meta = network.encoder.meta
    if not network.encoder.has_stages:
        raise without_stages(meta)
    with torch.enable_grad():
        # Where all weights are fixed the graph would begin nowhere.
        pooled, stages = network.encoder.pooled_and_stages(x.detach().requires_grad_())
        logits = network.head(pooled)
        chosen = logits.gather(1, labels[:, None]).sum()
        (gradient,) = torch.autograd.grad(chosen, [stages[-1]], allow_unused=True)
    if gradient is None:
        raise UserError(f"encoder {meta.name} ({meta.arch}): its features are not made of its last stage: no Grad-CAM")
    alpha = gradient.mean(dim=(2, 3), keepdim=True)
    coarse = (alpha * stages[-1]).sum(dim=1, keepdim=True).detach().float()
    if not torch.isfinite(coarse).all():
        raise UserError(f"encoder {meta.name}: its Grad-CAM is not finite; train with --set training.clip=1")
    signed, heat = (
        functional.interpolate(each, size=x.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
        for each in (coarse, functional.relu(coarse))
    )
    highest = heat.amax(dim=(1, 2), keepdim=True)
    heat = torch.where(highest > 0, heat / highest.clamp(min=torch.finfo(heat.dtype).tiny), 0.0)
    return GradCam(heat, signed)


def without_stages(meta: EncoderMeta) -> UserError:
    """What is said of an encoder that has no maps."""
    return UserError(
        f"encoder {meta.name} ({meta.arch}) has no feature maps at strides 2, 4, 8, 16 and 32, so there is no Grad-CAM "
        "of it; leave it out, or take a ResNet or another convolutional backbone"
    )
