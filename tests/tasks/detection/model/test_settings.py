from __future__ import annotations

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.settings import override
from cxrbench.tasks.detection.model.settings import DetectorSettings
from tests.tasks.detection.model.small import PRESETS


def test_defaults_are_the_numbers_of_detectron2s_models() -> None:
    settings = DetectorSettings()
    assert settings.anchors.sizes == (32, 64, 128, 256, 512)
    assert settings.anchors.ratios == (0.5, 1, 2)
    rpn, roi, output = settings.rpn, settings.roi, settings.output
    assert (rpn.background_iou, rpn.foreground_iou, rpn.samples, rpn.positive_share) == (0.3, 0.7, 256, 0.5)
    assert (rpn.before_nms_training, rpn.before_nms_test) == (12000, 6000)
    assert (rpn.after_nms_training, rpn.after_nms_test, rpn.nms) == (2000, 1000, 0.7)
    assert (roi.samples, roi.positive_share, roi.iou, roi.fc_width) == (512, 0.25, 0.5, 1024)
    assert (output.score, output.nms, output.detections) == (0.05, 0.5, 100)


def test_default_is_mocos_protocol_and_the_other_preset_freezes() -> None:
    assert DetectorSettings(**PRESETS["moco"]) == DetectorSettings()
    frozen = DetectorSettings(**PRESETS["detectron2"])
    assert (frozen.frozen_batch_norm, frozen.frozen_stages, frozen.extra_batch_norm) == (True, 2, False)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rpn.background_iou": 0.8}, "background_iou"),
        ({"rpn.after_nms_test": 7000}, "after_nms_test"),
        ({"anchors.sizes": []}, "anchors.sizes"),
        ({"anchors.ratios": [0.0]}, "anchors.ratios"),
        ({"output.detections": 101}, "output.detections"),
        ({"frozen_stages": 6}, "frozen_stages"),
        ({"engine": "mmdetection"}, "engine"),
        ({"roi.pool": 7}, "roi.pool_size"),
    ],
)
def test_a_wrong_value_is_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        override(DetectorSettings(), values, "--set")
