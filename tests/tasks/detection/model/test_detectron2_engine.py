from __future__ import annotations

import sys

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.tasks.detection.model.build import build_detector, check_detector
from cxrbench.tasks.detection.model.detectron2_engine import check_detectron2
from cxrbench.tasks.detection.model.settings import Head
from tests.pretrain.tiny_encoder import tiny_encoder
from tests.tasks.detection.model.small import images, small_settings, target

# All samples are drawn, so that the two engines draw the same.
ALL = {
    "rpn": {"samples": 10_000, "before_nms_training": 60, "after_nms_training": 20, "after_nms_test": 20},
    "roi": {"samples": 10_000, "pool_size": 4, "fc_width": 16},
}


def test_without_detectron2_the_message_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    # None is what Python takes for a module that cannot be imported.
    monkeypatch.setitem(sys.modules, "detectron2", None)
    monkeypatch.setitem(sys.modules, "detectron2.modeling", None)
    with pytest.raises(UserError, match=r"cannot be imported.*build it from its source.*engine=torchvision") as raised:
        check_detectron2()
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="cannot be imported"):
        check_detector(tiny_encoder(), small_settings(engine="detectron2"))
    with pytest.raises(UserError, match="cannot be imported"):
        build_detector(tiny_encoder(), 1, small_settings(engine="detectron2"), "c4", 0)


@pytest.mark.parametrize("head", ["c4", "dc5"])
def test_both_engines_agree_on_the_same_weights(head: Head) -> None:
    pytest.importorskip("detectron2.modeling")
    targets = [target((8, 8, 40, 36), (20, 30, 60, 60), labels=(0, 2)), target()]
    ours, theirs = (
        build_detector(tiny_encoder(), 3, small_settings(engine=engine, **ALL), head, 0)
        for engine in ("torchvision", "detectron2")
    )
    found, expected = ours(images(), targets), theirs(images(), targets)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value.item() == pytest.approx(expected[name].item(), rel=1e-5)
    with torch.inference_mode():
        for a, b in zip(ours.eval()(images()), theirs.eval()(images()), strict=True):
            assert len(a["boxes"]) > 5
            for name in ("boxes", "scores", "labels"):
                torch.testing.assert_close(a[name], b[name])
