"""Settings of the detectors: Faster R-CNN with one map at stride 16, as detectron2 describes it.

Every default is that of detectron2's `Base-RCNN-C4` and `Base-RCNN-DilatedC5` (commit 02b5c4e), or, where it says
so, of MoCo's protocol for them (He et al. 2020, appendix; `detection` in facebookresearch/moco).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ....foundation.settings import Settings

Head = Literal["c4", "dc5"]
Share = Annotated[float, Field(gt=0, le=1)]
Overlap = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[float, Field(gt=0, le=8192)]
Ratio = Annotated[float, Field(gt=0, le=100)]


class AnchorSettings(Settings):
    """The boxes that every cell of the map proposes.

    Attributes:
        sizes: square roots of their areas in pixels of the network's input; with images smaller than the papers'
            scale them with the side.
        ratios: height / width.
    """

    sizes: tuple[Side, ...] = Field(default=(32.0, 64.0, 128.0, 256.0, 512.0), min_length=1, max_length=20)
    ratios: tuple[Ratio, ...] = Field(default=(0.5, 1.0, 2.0), min_length=1, max_length=20)


class ProposalSettings(Settings):
    """The region proposal network.

    Attributes:
        foreground_iou: overlap with a true box from which an anchor counts as one; the best anchors of a true box
            count whatever their overlap.
        background_iou: overlap below which it counts as background; between the two it is not used.
        samples: anchors an image that the losses see, which also are what they are divided by.
        positive_share: the most of them that are true.
        before_nms_training, before_nms_test: best proposals an image that go into non-maximum suppression.
        after_nms_training, after_nms_test: the most that come out of it.
        nms: overlap above which the worse of two proposals is dropped.
    """

    foreground_iou: Overlap = 0.7
    background_iou: Overlap = 0.3
    samples: int = Field(default=256, ge=1, le=100_000)
    positive_share: Share = 0.5
    before_nms_training: int = Field(default=12_000, ge=1)
    before_nms_test: int = Field(default=6_000, ge=1)
    after_nms_training: int = Field(default=2_000, ge=1)
    after_nms_test: int = Field(default=1_000, ge=1)
    nms: Overlap = 0.7

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.background_iou > self.foreground_iou:
            raise ValueError(
                f"background_iou ({self.background_iou:g}) is above foreground_iou ({self.foreground_iou:g})"
            )
        for when in ("training", "test"):
            before, after = getattr(self, f"before_nms_{when}"), getattr(self, f"after_nms_{when}")
            if after > before:
                raise ValueError(f"after_nms_{when} ({after}) is above before_nms_{when} ({before})")
        return self


class RegionSettings(Settings):
    """The head that looks at every proposal.

    Attributes:
        samples: proposals an image that the losses see.
        positive_share: the most of them that are true.
        iou: overlap with a true box from which a proposal counts as one.
        pool_size: side of the square cut out of the map; None takes 14 for C4 (the fourth stage halves it) and 7
            for two fully connected layers.
        fc_width: neurons of each of the two fully connected layers.
    """

    samples: int = Field(default=512, ge=1, le=100_000)
    positive_share: Share = 0.25
    iou: Overlap = 0.5
    pool_size: int | None = Field(default=None, ge=1, le=64)
    fc_width: int = Field(default=1024, ge=1, le=65_536)


class OutputSettings(Settings):
    """Which detections come out.

    Attributes:
        score: a detection's probability is above it.
        nms: overlap above which the worse of two detections of a class is dropped.
        detections: the most an image; COCO's numbers look at 100.
    """

    score: Overlap = 0.05
    nms: Overlap = 0.5
    detections: int = Field(default=100, ge=1, le=100)


class DetectorSettings(Settings):
    """Everything about a detector that is not its head (the task's variant) or its encoder.

    Attributes:
        engine: `torchvision`, or `detectron2` where that can be imported: its own classes around the same encoder.
        anchors, rpn, roi, output: see there.
        frozen_batch_norm: the encoder's batch normalisations keep statistics, scale and shift (detectron2: yes,
            MoCo: no).
        frozen_stages: parts of a ResNet that are not trained, from its start: 1 the stem, 2 the first stage too
            (detectron2's `FREEZE_AT`: 2, MoCo: 0).
        extra_batch_norm: a batch normalisation after the fourth stage of the C4 head (MoCo: yes, detectron2: no).
        precise_batches: batches over which the running statistics are measured before the detector is used, see
            `training.precise_batch_norm`; 0 leaves those of the training (MoCo: 200, detectron2's frozen ones: 0).
    """

    engine: Literal["torchvision", "detectron2"] = "torchvision"
    anchors: AnchorSettings = AnchorSettings()
    rpn: ProposalSettings = ProposalSettings()
    roi: RegionSettings = RegionSettings()
    output: OutputSettings = OutputSettings()
    frozen_batch_norm: bool = False
    frozen_stages: int = Field(default=0, ge=0, le=5)
    extra_batch_norm: bool = True
    precise_batches: int = Field(default=200, ge=0, le=10_000)
