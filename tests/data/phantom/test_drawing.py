from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cxrbench.data.phantom.case import FINDINGS, PhantomCase, PhantomRequest
from cxrbench.data.phantom.drawing import draw
from cxrbench.foundation.errors import UserError


def request(patient: int = 1, **changes) -> PhantomRequest:
    return PhantomRequest(**{"patient": patient, "study": 1, "image": 1, "split": "train", **changes})


def union(case: PhantomCase) -> np.ndarray:
    return np.any([mask for _, mask in case.masks], axis=0)


def test_same_request_and_seed_give_equal_bits() -> None:
    first, second = (draw(request(findings=("edema", "device")), 64, 3, rib_free=True) for _ in range(2))
    assert np.array_equal(first.pixels, second.pixels)
    assert first.rib_free is not None
    assert second.rib_free is not None
    assert np.array_equal(first.rib_free, second.rib_free)
    assert first.boxes == second.boxes


@pytest.mark.parametrize("change", [{"patient": 2}, {"study": 2}, {"image": 2}])
def test_another_patient_study_or_image_is_another_picture(change: dict[str, int]) -> None:
    assert not np.array_equal(draw(request(), 64, 0).pixels, draw(request(**change), 64, 0).pixels)


def test_another_seed_is_another_picture() -> None:
    assert not np.array_equal(draw(request(), 64, 0).pixels, draw(request(), 64, 1).pixels)


@pytest.mark.parametrize("size", [32, 97, 128])
@pytest.mark.parametrize("view", ["frontal", "lateral"])
def test_pictures_are_grey_bytes_of_the_size_asked_for(size: int, view: str) -> None:
    pixels = draw(request(view=view), size, 0).pixels
    assert pixels.shape == (size, size)
    assert pixels.dtype == np.uint8
    assert pixels.std() > 20


def test_every_finding_of_every_age_and_view_has_a_mask_and_a_box_inside_the_picture() -> None:
    for number, finding in enumerate(FINDINGS):
        for view in ("frontal", "lateral"):
            case = draw(request(number, view=view, findings=(finding,), age=5 * number), 64, 0)
            assert case.boxes, (finding, view)
            assert [name for name, *_ in case.boxes] == [name for name, _ in case.masks] == [finding] * len(case.boxes)
            assert all(0 <= x1 < x2 <= 64 and 0 <= y1 < y2 <= 64 for _, x1, y1, x2, y2 in case.boxes)


def test_boxes_are_tight_around_their_masks() -> None:
    case = draw(request(findings=("mass", "effusion", "cardiomegaly", "device")), 128, 0)
    for (_, x1, y1, x2, y2), (_, mask) in zip(case.boxes, case.masks, strict=True):
        x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
        assert (x1, y1, x2, y2) == (x, y, x + width, y + height)


@pytest.mark.parametrize("finding", [finding for finding in FINDINGS if finding != "cardiomegaly"])
@pytest.mark.parametrize("view", ["frontal", "lateral"])
def test_picture_differs_from_the_healthy_one_where_the_mask_is(finding: str, view: str) -> None:
    inside, outside = [], []
    for patient in range(4):
        healthy = draw(request(patient, view=view), 128, 1)
        ill = draw(request(patient, view=view, findings=(finding,)), 128, 1)
        difference = cv2.absdiff(healthy.pixels, ill.pixels)
        mask = union(ill)
        around = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        inside.append(difference[mask].mean())
        outside.append(difference[~around].mean())
    # Scattered light reaches everywhere, so outside is not quite zero.
    assert np.median(inside) > 1.0
    assert np.median(inside) > 6 * np.median(outside)


def test_cardiomegaly_is_a_wider_heart_and_its_box_is_the_heart() -> None:
    widths = []
    for patient in range(12):
        healthy = draw(request(patient), 128, 0)
        ill = draw(request(patient, findings=("cardiomegaly",)), 128, 0)
        ((_, x1, _, x2, _),) = ill.boxes
        changed = ill.pixels.astype(int) - healthy.pixels
        mask = union(ill)
        # Heart takes the place of lung at its sides: brighter there.
        edge = mask & ~(cv2.erode(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0)
        widths.append((x2 - x1) / 128)
        assert changed[edge].mean() > 2 * abs(changed[~mask].mean())
    assert 0.28 < np.mean(widths) < 0.6


def test_findings_lie_in_the_lungs_or_at_least_in_the_body() -> None:
    for finding in ("nodule", "consolidation", "effusion", "pneumothorax"):
        centres = []
        for patient in range(12):
            case = draw(request(patient, findings=(finding,)), 64, 0)
            centres += [(0.5 * (x1 + x2) / 64, 0.5 * (y1 + y2) / 64) for _, x1, y1, x2, y2 in case.boxes]
        x, y = np.array(centres).T
        assert (np.abs(x - 0.5) < 0.45).all()
        assert ((y > 0.0) & (y < 0.95)).all()


def test_effusions_are_basal_and_pneumothoraces_reach_the_top() -> None:
    def middle(finding: str) -> float:
        cases = [draw(request(patient, findings=(finding,)), 64, 0) for patient in range(10)]
        return float(np.mean([y1 + y2 for case in cases for _, _, y1, _, y2 in case.boxes])) / 128

    assert middle("effusion") > middle("pneumothorax") + 0.15


def test_a_finding_named_twice_is_drawn_twice() -> None:
    case = draw(request(findings=("nodule", "nodule")), 128, 0)
    assert len(case.boxes) == 2
    assert case.boxes[0] != case.boxes[1]


def test_images_of_a_study_share_position_and_findings_but_not_noise() -> None:
    first, second = (draw(request(image=image, findings=("mass",)), 128, 0) for image in (1, 2))
    assert first.boxes == second.boxes
    assert not np.array_equal(first.pixels, second.pixels)


def test_adding_a_finding_leaves_the_place_of_the_others() -> None:
    alone = draw(request(findings=("mass",)), 128, 0)
    together = draw(request(findings=("mass", "device")), 128, 0)
    assert together.boxes[0] == alone.boxes[0]


def test_rib_free_twin_has_less_bone_the_same_lesion_and_its_own_noise() -> None:
    differences = []
    for patient in range(6):
        case = draw(request(patient, findings=("mass",)), 128, 0, rib_free=True)
        assert case.rib_free is not None
        differences.append(case.pixels.astype(float) - case.rib_free)
    brighter = np.mean([difference.mean() for difference in differences])
    assert brighter > 1.0
    # Independent noise: neighbouring pixels far from bones differ too.
    corner = differences[0][96:, 48:80]
    assert np.unique(corner).size > 1


def test_no_twin_unless_asked_for() -> None:
    assert draw(request(), 64, 0).rib_free is None


def test_lungs_are_darker_than_heart_and_abdomen() -> None:
    mean = np.mean([draw(request(patient), 64, 0).pixels for patient in range(30)], axis=0)
    lungs = np.r_[mean[22:34, 14:22].ravel(), mean[22:34, 44:50].ravel()].mean()
    assert mean[34:40, 30:36].mean() > lungs + 60
    assert mean[50:58, 24:40].mean() > lungs + 60


def test_children_have_wider_hearts_than_adults() -> None:
    def width(age: int) -> float:
        cases = [draw(request(patient, age=age, findings=("cardiomegaly",)), 64, 0) for patient in range(25)]
        return float(np.mean([x2 - x1 for case in cases for _, x1, _, x2, _ in case.boxes]))

    assert width(2) > width(50)


def test_size_changes_the_detail_and_not_the_patient() -> None:
    small = draw(request(4), 128, 0).pixels.astype(np.float32)
    large = cv2.resize(draw(request(4), 256, 0).pixels, (128, 128), interpolation=cv2.INTER_AREA).astype(np.float32)
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.98


@pytest.mark.parametrize(("changes", "size", "words"), [({}, 31, "31"), ({"findings": ("mas",)}, 64, "mas")])
def test_wrong_size_and_unknown_finding_are_named(changes: dict, size: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        draw(request(**changes), size, 0)


def test_statistics_are_those_of_real_radiographs(realdata: Path) -> None:
    files = sorted((realdata / "nih").glob("images_*/images/*.png"))[:60]
    real = [np.asarray(Image.open(file).convert("L").resize((128, 128), Image.Resampling.BOX)) for file in files]
    drawn = [draw(request(patient, portable=patient % 3 == 0), 128, 0).pixels for patient in range(60)]

    def spectrum(images: list[np.ndarray]) -> np.ndarray:
        window = np.outer(np.hanning(128), np.hanning(128))
        power = [np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2 for image in images]
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128))) * 128
        rings = [(frequency >= low) & (frequency < 2 * low) for low in (2, 4, 8, 16, 32)]
        return np.array([np.mean([np.log10(one[ring].mean()) for one in power]) for ring in rings])

    assert np.abs(spectrum(real) - spectrum(drawn)).max() < 0.4
    assert abs(np.mean(real) - np.mean(drawn)) < 20
