"""The cache of frozen features: half the size, right rows, float32 where float16 would not do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxrbench.data import Images, Radiographs, prepare_images
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.tasks import feature_storage
from cxrbench.tasks.features import FeatureSettings, encode
from cxrbench.tasks.task import Context

N = 20


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """Twenty small images, in another order than the cache keeps them."""
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    names = [f"{number:02}.png" for number in random.permutation(N)]
    for name in names:
        Image.fromarray(random.integers(0, 256, (32, 32)).astype(np.uint8)).save(root / name)
    samples = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "path": names})
    radiographs = Radiographs("small", root, samples.assign(split="train", view="frontal"), (), exclusive=False)
    return prepare_images(radiographs, 32, cache=root / "cache")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("resnet18_scratch")


def settings(storage: str = "float16") -> FeatureSettings:
    return FeatureSettings.model_validate({"precision": "float32", "batch_size": 8, "storage": storage})


def stored(cache: Path) -> list[np.ndarray]:
    return [np.load(path) for path in sorted((cache / "features").glob("*/values.npy"))]


def test_features_are_kept_as_float16_and_are_those_of_float32_but_for_rounding(
    images: Images, encoder: Encoder, tmp_path: Path
):
    half = encode(encoder, images, settings(), Context(tmp_path / "half"))
    full = encode(encoder, images, settings("float32"), Context(tmp_path / "full"))
    assert half.dtype == full.dtype == np.float32
    np.testing.assert_array_equal(half, full.astype(np.float16))
    assert [each.dtype for each in stored(tmp_path / "half")] == [np.float16]
    assert [each.dtype for each in stored(tmp_path / "full")] == [np.float32]
    assert half.shape == (N, encoder.meta.dim)


def test_each_storage_has_its_own_cache(images: Images, encoder: Encoder, tmp_path: Path):
    for storage in ("float16", "float32", "float16"):
        encode(encoder, images, settings(storage), Context(tmp_path))
    assert sorted(str(each.dtype) for each in stored(tmp_path)) == ["float16", "float32"]


def test_features_that_do_not_fit_are_kept_as_float32_and_found_again(
    images: Images, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = []
    monkeypatch.setattr(feature_storage, "fits_float16", lambda features: len(asked) < 1 and not asked.append(1))
    found = encode(encoder, images, settings(), Context(tmp_path))
    assert [each.dtype for each in stored(tmp_path)] == [np.float32]
    assert not list((tmp_path / "features").glob("*.building"))
    monkeypatch.setattr(feature_storage, "fits_float16", lambda features: pytest.fail("computed again"))
    np.testing.assert_array_equal(encode(encoder, images, settings(), Context(tmp_path)), found)
    np.testing.assert_array_equal(encode(encoder, images, settings("float32"), Context(tmp_path / "full")), found)


def test_the_cache_says_what_it_was_made_from(images: Images, encoder: Encoder, tmp_path: Path):
    from cxrbench.data.cache_folders import cache_entries

    encode(encoder, images, settings(), Context(tmp_path))
    (entry,) = cache_entries(tmp_path)
    assert entry.about == "resnet18_scratch, small, 20 images, 32 pixels, 512 features, float32, float16"
    assert not [line for _, line in entry.damage() if line]
