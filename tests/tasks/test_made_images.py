"""Images that a trial makes are kept in the cache, whole, and found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxrbench.data.cache_folders import cache_entries
from cxrbench.data.cache_kinds import CACHE_KINDS
from cxrbench.foundation.errors import UserError
from cxrbench.tasks.made_images import (
    MOST,
    MadeImages,
    made_images_path,
    read_made_images,
    shown_rows,
    write_made_images,
)

FINGERPRINT = "0123456789abcdef"


def images(n: int = 3) -> MadeImages:
    made = np.arange(n * 16, dtype=np.uint8).reshape(n, 4, 4)
    return MadeImages(np.array([f"im{i}" for i in range(n)]), {"original": made, "reconstruction": 255 - made})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = made_images_path(tmp_path, FINGERPRINT)
    write_made_images(path, images())
    found = read_made_images(path)
    assert found.sample_ids.tolist() == ["im0", "im1", "im2"]
    assert list(found.stacks) == ["original", "reconstruction"]
    np.testing.assert_array_equal(found.stacks["reconstruction"], images().stacks["reconstruction"])


def test_no_path_writes_nothing() -> None:
    write_made_images(None, images())


def test_the_same_images_are_kept_whatever_the_order_of_rows() -> None:
    ids = np.array([f"im{i}" for i in range(200)])
    kept = ids[shown_rows(ids, "gan_inversion")]
    assert len(kept) == MOST
    assert kept.tolist() == ids[::-1][shown_rows(ids[::-1], "gan_inversion")].tolist()
    assert kept.tolist() != ids[shown_rows(ids, "bone_suppression")].tolist()


def test_a_missing_or_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = made_images_path(tmp_path, FINGERPRINT)
    with pytest.raises(UserError, match="no longer in the cache; records keep none"):
        read_made_images(path)
    write_made_images(path, images())
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(UserError, match="are damaged"):
        read_made_images(path)
    # Two bytes of the compressed values, and that of the method in the archive's index.
    for place, byte in ((len(whole) // 4, 255), (whole.rindex(b"PK\x01\x02") + 10, 77), (len(whole) // 3, 0)):
        path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
        with pytest.raises(UserError, match="are damaged"):
            read_made_images(path)
        assert any(why.startswith("its bytes have changed") for _, why in CACHE_KINDS["made_images"].damage(path))


def test_the_cache_lists_and_checks_them(tmp_path: Path) -> None:
    path = made_images_path(tmp_path, FINGERPRINT)
    write_made_images(path, images())
    (found,) = cache_entries(tmp_path)
    assert (str(found), found.about) == (f"made_images/{FINGERPRINT}.npz", "3 images: original, reconstruction")
