from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from cxrbench.data.augmentation import Augmentation
from cxrbench.data.keys import fold
from cxrbench.data.views import TRANSFORMS, VIEW_PRESETS, Views
from cxrbench.data.views.cropping import draw_places
from cxrbench.data.views.presets import PRESETS
from cxrbench.data.views.shading import draw_shades
from cxrbench.foundation.errors import UserError

SIZE = 48
N = 40
CLEAN = ("caid", "dira", "pcrl_v1", "pcrl_v2")


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    noise = np.random.default_rng(0).normal(128, 500, (N, SIZE, SIZE))
    return np.stack([np.clip(cv2.GaussianBlur(image, (0, 0), 4), 0, 255) for image in noise]).astype(np.uint8)


@pytest.fixture(scope="module")
def keys() -> np.ndarray:
    return fold(7, 0, np.arange(N))


def test_there_is_a_preset_for_every_method_of_the_papers() -> None:
    named = {"ifa", "moco", "inter_moco", "simclr", "byol", "barlow_twins", "vicreg", "mlvicx", *CLEAN}
    assert named == set(VIEW_PRESETS)
    assert all(VIEW_PRESETS.values())


@pytest.mark.parametrize("preset", VIEW_PRESETS)
def test_a_preset_gives_the_views_that_its_method_needs(preset: str, images: np.ndarray, keys: np.ndarray) -> None:
    found = Views(preset, SIZE)(images, keys)
    square = ((N, SIZE, SIZE), np.uint8)
    shapes: dict[str, tuple[tuple[int, ...], type]] = {"one": square, "two": square}
    if preset in CLEAN:
        shapes |= {"clean_one": square, "clean_two": square}
    if preset == "pcrl_v2":
        shapes["local"] = ((N, 6, 32, 32), np.uint8)
    if preset == "pcrl_v1":
        shapes |= dict.fromkeys(("transform_one", "transform_two"), ((N, len(TRANSFORMS)), np.float32))
    assert {name: (array.shape, array.dtype) for name, array in found.items()} == shapes
    assert (found["one"] != found["two"]).any(axis=(1, 2)).mean() > 0.85


@pytest.mark.parametrize("preset", VIEW_PRESETS)
def test_an_image_depends_on_its_key_and_not_on_batch_order_or_threads(
    preset: str, images: np.ndarray, keys: np.ndarray
) -> None:
    before = images.copy()
    whole = Views(preset, SIZE)(images, keys)
    order = np.random.default_rng(1).permutation(N)
    threaded = Views(preset, SIZE, threads=3)
    again = pickle.loads(pickle.dumps(threaded))
    for name, array in whole.items():
        np.testing.assert_array_equal(Views(preset, SIZE)(images[order], keys[order])[name], array[order])
        np.testing.assert_array_equal(threaded(images, keys)[name], array)
        np.testing.assert_array_equal(again(images[5:9], keys[5:9])[name], array[5:9])
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("preset", VIEW_PRESETS)
def test_another_epoch_gives_other_views(preset: str, images: np.ndarray, keys: np.ndarray) -> None:
    found = Views(preset, SIZE)(images, keys)
    later = Views(preset, SIZE)(images, fold(7, 1, np.arange(N)))
    for name in found:
        differs = (found[name] != later[name]).reshape(N, -1).any(axis=1)
        assert differs.mean() > 0.8


@pytest.mark.parametrize("preset", CLEAN)
def test_a_clean_target_is_the_same_crop_of_which_nothing_is_hidden_or_changed(
    preset: str, images: np.ndarray, keys: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Views(preset, SIZE)(images, keys)
    bare = replace(PRESETS[preset].one, jitter=0.0, blur=0.0, hiding=())
    monkeypatch.setitem(PRESETS, "bare", replace(PRESETS[preset], one=bare))
    places_alone = Views("bare", SIZE)(images, keys)
    for name in ("one", "two"):
        np.testing.assert_array_equal(found[f"clean_{name}"], places_alone[name])


@pytest.mark.parametrize("preset", CLEAN)
def test_a_clean_target_is_aligned_with_its_view(preset: str, images: np.ndarray, keys: np.ndarray) -> None:
    found = Views(preset, SIZE)(images, keys)
    for name, other in (("one", "two"), ("two", "one")):
        # Brightness and contrast leave the order of grey values as it is; most of a view is not hidden.
        near, far = (
            np.median([_correlation(a, b) for a, b in zip(found[name], found[clean], strict=True)])
            for clean in (f"clean_{name}", f"clean_{other}")
        )
        assert near > 0.65
        assert far < near - 0.3


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_the_flags_of_pcrl_are_what_was_done() -> None:
    n = 300
    # Brighter to the right, so that a mirror image is darker there, and a rotated one changes downwards too.
    ramp = np.tile(np.linspace(40, 240, SIZE), (SIZE, 1)).astype(np.uint8)
    found = Views("pcrl_v1", SIZE)(np.tile(ramp, (n, 1, 1)), fold(3, np.arange(n)))
    for name in ("one", "two"):
        flip, rotation, outer, inner = found[f"transform_{name}"].astype(bool).T
        clean = found[f"clean_{name}"].astype(int)
        middle = clean[:, SIZE // 2]
        np.testing.assert_array_equal(middle[:, 8] > middle[:, -8], flip)
        slanted = np.ptp(clean[:, 8:-8, SIZE // 2], axis=1)
        # Interpolation rounds by one, and the smallest angles move no grey value by more.
        assert (slanted[~rotation] <= 1).all()
        assert (slanted[rotation] > 1).mean() > 0.8
        filled = found[name] == 115
        # An outer cutout fills whole rows, which inner ones never do.
        whole_row = filled.all(axis=2).any(axis=1)
        np.testing.assert_array_equal(whole_row, outer)
        assert filled[inner & ~outer].mean(axis=(1, 2)).min() > 0.01
        assert filled[~inner & ~outer].mean() < 0.02
        for flags in (flip, rotation, outer, inner):
            assert flags.mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("preset", "often", "seldom"), [("byol", "one", "two"), ("vicreg", "one", "two")])
def test_byols_views_differ_in_blur_and_solarisation(preset: str, often: str, seldom: str) -> None:
    n = 300
    noise = np.random.default_rng(0).integers(0, 256, (n, SIZE, SIZE), dtype=np.uint8)
    found = Views(preset, 224)(noise, fold(0, np.arange(n)))
    rough = {name: np.abs(np.diff(found[name].astype(int), axis=1)).mean(axis=(1, 2)) for name in (often, seldom)}
    assert rough[often].mean() < rough[seldom].mean()
    bright = np.full((n, SIZE, SIZE), 250, np.uint8)
    dark = Views(preset, SIZE)(bright, fold(0, np.arange(n)))
    # Jitter makes 250 no darker than 150.
    assert (dark[often].max(axis=(1, 2)) < 110).mean() == 0
    assert (dark[seldom].max(axis=(1, 2)) < 110).mean() == pytest.approx(0.2, abs=0.07)


def test_ifa_is_the_augmentation_of_the_whole_image(images: np.ndarray, keys: np.ndarray) -> None:
    found = Views("ifa", SIZE)(images, keys)
    for number, name in enumerate(("one", "two")):
        np.testing.assert_array_equal(found[name], Augmentation("ifa")(images, fold(keys, number)))


def test_views_may_be_smaller_or_larger_than_the_images(images: np.ndarray, keys: np.ndarray) -> None:
    for size in (16, 96):
        assert Views("moco", size)(images, keys)["one"].shape == (N, size, size)
        assert Views("ifa", size)(images, keys)["one"].shape == (N, size, size)


@pytest.mark.parametrize(("size", "local"), [(32, 32), (64, 32), (96, 32), (224, 96), (512, 224)])
def test_small_views_are_as_the_papers_and_can_be_halved_five_times(size: int, local: int) -> None:
    image = np.zeros((1, 40, 40), np.uint8)
    assert Views("pcrl_v2", size)(image, np.array([1]))["local"].shape == (1, 6, local, local)


def test_no_images_give_no_views() -> None:
    found = Views("pcrl_v2", SIZE)(np.empty((0, SIZE, SIZE), np.uint8), np.empty(0, np.int64))
    assert found["local"].shape == (0, 6, 32, 32)
    assert len(found["one"]) == 0


def test_mistakes_are_named(images: np.ndarray, keys: np.ndarray) -> None:
    with pytest.raises(UserError, match="unknown preset of views 'mocco'; did you mean 'moco'"):
        Views("mocco", SIZE)
    with pytest.raises(UserError, match="needs at least 16"):
        Views("moco", 8)
    with pytest.raises(UserError, match="threads of views must be 1 or more, not 0"):
        Views("moco", SIZE, 0)
    with pytest.raises(UserError, match="uint8"):
        Views("moco", SIZE)(images.astype(np.float32), keys)
    with pytest.raises(UserError, match="3 keys"):
        Views("moco", SIZE)(images, keys[:3])
    with pytest.raises(UserError, match=r"uint8 \[B, C, C\]"):
        Views("moco", SIZE)(images[:, :20], keys)


def test_names_of_presets_are_known_without_heavy_libraries() -> None:
    code = (
        "import sys; from cxrbench.data.views import TRANSFORMS, VIEW_PRESETS;"
        "print([name for name in ('cv2', 'torch', 'pandas', 'albumentations') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_views_whose_maps_are_compared_position_by_position_keep_positions(
    images: np.ndarray, keys: np.ndarray
) -> None:
    for preset in ("ifa", "inter_moco"):
        assert PRESETS[preset].one.area is None
        assert PRESETS[preset].one.flip == 0
    drawn = draw_places(PRESETS["inter_moco"].one, fold(0, np.arange(2000)), SIZE)
    assert (drawn.boxes == [0, 0, SIZE, SIZE]).all()
    assert -30 <= drawn.degrees.min() < -29
    assert 29 < drawn.degrees.max() <= 30
    # Blurred by 0.1 to 2 pixels at its 512.
    assert draw_shades(PRESETS["inter_moco"].one, fold(0, np.arange(2000)), 512).sigma.max() == pytest.approx(
        2, abs=0.01
    )
    # The middle of an image stays in the middle of both views.
    spot = np.zeros((1, 49, 49), np.uint8)
    spot[0, 22:27, 22:27] = 255
    for view in Views("inter_moco", 49)(spot, np.array([3])).values():
        row, column = np.unravel_index(view[0].astype(int).argmax(), view[0].shape)
        assert abs(row - 24) <= 3
        assert abs(column - 24) <= 3
