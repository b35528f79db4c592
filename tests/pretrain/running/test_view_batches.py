from __future__ import annotations

import pickle
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from cxrbench.data.images import Images
from cxrbench.data.keys import fold
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.resumable_array import fill
from cxrbench.data.views import Views
from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.running.pixels import pixels_of
from cxrbench.pretrain.running.view_batches import ViewBatches

SIZE = 16


def cached(folder: Path, n: int, seed: int, size: int = SIZE) -> Images:
    """`n` images of noise as if they had been prepared, rows in no order."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (n, size, size), dtype=np.uint8)
    stored = fill(folder, pixels.shape, np.uint8, n, lambda parts: (pixels[part] for part in parts), title="images")
    assert stored is not None
    ids = [f"{folder.name}-{number}" for number in range(n)]
    samples = pd.DataFrame({"sample_id": ids, "patient_id": ids, "study_id": ids, "path": ids})
    radiographs = Radiographs("small", folder, samples.assign(split="train", view="frontal"), (), exclusive=False)
    return Images(radiographs, stored, generator.permutation(n), folder, "key", size, "default", "fingerprint")


@pytest.fixture
def several(tmp_path: Path) -> tuple[Images, ...]:
    return tuple(cached(tmp_path / str(number), n, number) for number, n in enumerate((13, 5, 24)))


def batches(images: tuple[Images, ...], preset: str = "moco", batch_size: int = 8, workers: int = 1) -> ViewBatches:
    return ViewBatches(images, Views(preset, SIZE), batch_size, 3, workers)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def test_rows_count_through_all_datasets(several: tuple[Images, ...]) -> None:
    whole = np.concatenate([each.batch(slice(None)) for each in several])
    found = batches(several)
    assert found.n_images == 42
    rows = np.array([41, 0, 12, 13, 17, 18, 13])
    np.testing.assert_array_equal(pixels_of(found.images, rows), whole[rows])
    np.testing.assert_array_equal(pixels_of(batches(several[:1]).images, rows[1:3]), whole[rows[1:3]])


def test_a_batch_is_the_views_of_its_rows_by_seed_epoch_and_row(several: tuple[Images, ...]) -> None:
    found = batches(several, "pcrl_v2")
    whole = np.concatenate([each.batch(slice(None)) for each in several])
    for batch in found(epoch=5):
        assert list(batch) == ["one", "two", "clean_one", "clean_two", "local", "index"]
        rows = batch["index"].numpy()
        truth = Views("pcrl_v2", SIZE)(whole[rows], fold(3, 5, rows))
        for name, array in truth.items():
            np.testing.assert_array_equal(batch[name].numpy(), array)


def test_an_epoch_has_whole_batches_of_different_images_in_another_order_each_time(several: tuple[Images, ...]) -> None:
    found = batches(several)
    first, second = (torch.stack([batch["index"] for batch in found(epoch)]) for epoch in (0, 1))
    assert first.shape == (len(found), 8) == (5, 8)
    assert len(first.unique()) == 40
    assert first.dtype == torch.int64
    assert not torch.equal(first, second)
    # The two that were left out are not the same every epoch.
    left_out = [set(range(42)) - set(order.flatten().tolist()) for order in (first, second)]
    assert left_out[0] != left_out[1]


def test_an_epoch_is_gone_on_with_where_it_was_left(several: tuple[Images, ...]) -> None:
    found = batches(several, workers=3)
    for one, other in zip(islice(found(2), 3, None), found(2, first=3), strict=True):
        assert equal(one, other)


def test_threads_do_not_change_the_batches(several: tuple[Images, ...]) -> None:
    for one, other in zip(batches(several)(1), batches(several, workers=4)(1), strict=True):
        assert equal(one, other)


def test_processes_share_every_batch_in_order(several: tuple[Images, ...]) -> None:
    found = batches(several)
    shares = [found.share(rank, 2) for rank in range(2)]
    assert len(shares[0]) == len(found)
    for whole, one, two in zip(found(0), shares[0](0), shares[1](0), strict=True):
        assert equal(whole, {name: torch.cat([one[name], two[name]]) for name in whole})


def test_they_travel_to_other_processes(several: tuple[Images, ...]) -> None:
    found = batches(several)
    again = pickle.loads(pickle.dumps(found))
    assert equal(next(iter(again(4))), next(iter(found(4))))


def test_mistakes_are_named(several: tuple[Images, ...], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs images"):
        batches(())
    with pytest.raises(UserError, match="42 images are fewer than a batch of 64"):
        batches(several, batch_size=64)
    with pytest.raises(UserError, match="several sizes cannot share a batch: 16, 20 pixels"):
        batches((*several, cached(tmp_path / "other", 3, 0, 20)))
