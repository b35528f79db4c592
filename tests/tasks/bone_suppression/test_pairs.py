"""Pairs: what is missing or does not fit is said in one line, and both of a pair are changed alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrbench.data.image_reading import read_image
from cxrbench.data.images import prepare_images
from cxrbench.foundation.errors import UserError
from cxrbench.tasks.bone_suppression.pairs import TrainingPairs, prepare_pairs, require_targets
from cxrbench.tasks.task import Context
from tests.tasks.bone_suppression.examples import pairs, radiographs


def test_a_dataset_without_targets_is_refused() -> None:
    data = radiographs(4)
    alone = replace(data, samples=data.samples.drop(columns="target_path"))
    with pytest.raises(UserError, match=r"^bone_suppression: pairs has no target images; take a dataset of pairs"):
        require_targets(alone, "bone_suppression")
    require_targets(data, "bone_suppression")


@pytest.mark.parametrize("nothing", ["", None, np.nan])
def test_a_film_without_a_partner_is_named(nothing: object) -> None:
    data = radiographs(8)
    names = [nothing if row in (2, 5) else name for row, name in enumerate(data.samples["target_path"])]
    data = replace(data, samples=data.samples.assign(target_path=np.array(names, dtype=object)))
    with pytest.raises(UserError, match=r"^pairs: 2 of 8 films have no partner \(s002, s005\); complete the copy$"):
        require_targets(data, "bone_suppression")


def written(folder: Path, sizes: dict[str, tuple[int, int]]) -> Context:
    generator = np.random.default_rng(0)
    for name, size in sizes.items():
        cv2.imwrite(str(folder / name), generator.integers(0, 200, size).astype(np.uint8))
    return Context(folder / "cache")


def test_films_and_targets_keep_one_scale_of_grey(tmp_path: Path) -> None:
    data = replace(radiographs(2), root=tmp_path)
    context = written(tmp_path, {name: (32, 32) for name in [*data.samples["path"], *data.samples["target_path"]]})
    films = prepare_images(data, 32, "unstretched", cache=context.cache)
    found = prepare_pairs(films, context)
    for row in range(2):
        names = data.samples[["path", "target_path"]].iloc[row]
        for pixels, name in zip(found.batch(np.array([row])), names, strict=True):
            assert np.array_equal(pixels[0], read_image(tmp_path / name))


def test_a_pair_of_two_sizes_is_named(tmp_path: Path) -> None:
    data = replace(radiographs(2), root=tmp_path)
    sizes = {name: (32, 32) for name in [*data.samples["path"], *data.samples["target_path"]]}
    context = written(tmp_path, {**sizes, "s001_soft.png": (16, 32)})
    films = prepare_images(data, 32, "unstretched", cache=context.cache)
    with pytest.raises(UserError) as error:
        prepare_pairs(films, context)
    said = str(error.value)
    assert "s001.png: 32 x 32 pixels, but s001_soft.png has 32 x 16 (1 of 2 pairs differ)" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            lambda image: image.astype(np.uint16) * 16,
            r"^pairs: the targets reach 12 of 255 grey levels; files of 16 bits",
        ),
        (lambda image: 255 - image, r"^pairs: films and targets are negatives of each other"),
    ],
)
def test_targets_of_another_scale_of_grey_are_refused(
    tmp_path: Path, changed: Callable[[np.ndarray], np.ndarray], said: str
) -> None:
    data = replace(radiographs(2), root=tmp_path)
    context = written(tmp_path, {name: (32, 32) for name in data.samples["path"]})
    for film, target in data.samples[["path", "target_path"]].itertuples(index=False):
        cv2.imwrite(str(tmp_path / target), changed(read_image(tmp_path / film)))
    films = prepare_images(data, 32, "unstretched", cache=context.cache)
    with pytest.raises(UserError, match=said):
        prepare_pairs(films, context)


def test_training_batches_are_both_of_each_pair_in_0_to_1() -> None:
    made = pairs(8)
    films, targets = TrainingPairs(made, np.array([5, 1, 3]), False).prepare(np.array([2, 0]), np.random.default_rng(0))
    for found, expected in zip((films, targets), made.batch(np.array([3, 5])), strict=True):
        assert found.shape == (2, 1, 32, 32)
        assert np.array_equal(np.rint(found[:, 0].numpy() * 255), expected)


def test_augmentation_moves_both_alike_and_mirrors_none() -> None:
    made = pairs(8)
    same = replace(made, targets=made.films)
    changed = TrainingPairs(same, np.arange(8), True)
    films, targets = changed.prepare(np.arange(8), np.random.default_rng(0))
    assert np.array_equal(films, targets)
    plain = made.films.batch(np.arange(8)) / 255
    assert not np.array_equal(films[:, 0], plain)
    # A mirrored image would be nearer to the mirrored one.
    near, far = (np.square(films[:, 0].numpy() - each).mean(axis=(1, 2)) for each in (plain, plain[:, :, ::-1]))
    assert (near < far).mean() > 0.8
