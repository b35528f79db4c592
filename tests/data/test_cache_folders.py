"""What lies in a cache: what is ours and what is not, what is removed and what stays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from cxrbench.data import Radiographs
from cxrbench.data.cache_folders import CacheEntry, cache_entries, chosen, remove
from cxrbench.data.fingerprint import content_hashes
from cxrbench.data.phantom.dataset import phantom_folder
from cxrbench.data.resumable_array import fill
from cxrbench.foundation.errors import RefusedError, UserError

# Long beginnings in common: keys of content_hashes follow from where the test runs.
A, B, C = "a" * 32, "aaaab" + "c" * 27, "d" * 32


def zeros(missing: Sequence[slice]) -> Iterator[np.ndarray]:
    for part in missing:
        yield np.zeros((part.stop - part.start, 5), np.uint8)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Two arrays, a half-built one (2 of 5 chunks), a phantom, and the hashes of two files."""
    cache = tmp_path / "cache"
    about = {"dataset": "small", "images": 10_000, "pixels": 32, "preset": "default"}
    fill(cache / "images" / A, (10, 5), np.uint8, 2, zeros, title="a", about=about)
    fill(cache / "features" / B, (10, 5), np.uint8, 2, zeros, title="b", about={"encoder": "resnet18_scratch"})
    fill(cache / "images" / C, (10, 5), np.uint8, 2, lambda missing: zeros(missing[:2]), title="c", about=about)
    phantom_folder("chexpert", cache, 3, 32)
    data = tmp_path / "data"
    data.mkdir()
    for name in ("1", "2"):
        (data / name).write_bytes(name.encode())
        os.utime(data / name, (1_700_000_000, 1_700_000_000))
    samples = pd.DataFrame({"sample_id": ["1", "2"], "path": ["1", "2"]})
    content_hashes(Radiographs("small", data, samples, (), exclusive=False), cache)
    return cache


def entry(cache: Path, kind: str, building: bool = False) -> CacheEntry:
    (found,) = [each for each in cache_entries(cache) if (each.kind, each.building) == (kind, building)]
    return found


def test_everything_is_listed_with_what_it_was_made_from(cache: Path, tmp_path: Path):
    found = {(each.kind, each.key): each for each in cache_entries(cache)}
    about = {key: each.about for key, each in found.items()}
    table = next(key for kind, key in found if kind == "content_hashes")
    phantom = next(key for kind, key in found if kind == "phantoms")
    assert phantom.startswith("chexpert-n3-s32-seed0-v")
    assert about == {
        ("images", A): "small, 10,000 images, 32 pixels, default",
        ("images", C): "small, 10,000 images, 32 pixels, default, 40% done",
        ("features", B): "resnet18_scratch",
        ("phantoms", phantom): "chexpert, 3 images, 32 pixels, seed 0",
        ("content_hashes", table): f"2 files of {tmp_path / 'data'}",
    }
    assert [each.key for each in found.values() if each.building] == [C]
    assert found["images", A].size == sum(file.stat().st_size for file in (cache / "images" / A).iterdir()) + 4096
    assert 0 <= found["images", A].days < 1


def test_what_is_not_ours_is_neither_listed_nor_removed(cache: Path):
    images = cache / "images"
    (images / "holiday").mkdir()
    (images / "holiday" / "beach.jpg").write_text("")
    (images / ("e" * 32)).mkdir()
    (images / ("e" * 32) / "beach.jpg").write_text("")
    (images / ("f" * 32)).write_text("a file")
    (cache / "phantoms" / "chexpert-n9-s32-seed0-v1").mkdir()
    (cache / "content_hashes" / "mine.parquet").write_text("")
    (cache / "weights").mkdir()
    (cache / "weights" / "chess.pth").write_text("")
    before = len(cache_entries(cache))
    assert before == 5
    for each in cache_entries(cache):
        remove(cache, each)
    assert cache_entries(cache) == []
    left = {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}
    others = {"holiday/beach.jpg", "e" * 32 + "/beach.jpg", "f" * 32}
    assert left == {*(f"images/{name}" for name in others), "content_hashes/mine.parquet", "weights/chess.pth"}


def test_links_are_not_followed(cache: Path, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    (cache / "images").rename(elsewhere)
    (cache / "images").symlink_to(elsewhere)
    (cache / "features" / A).symlink_to(elsewhere / A)
    assert [each.kind for each in cache_entries(cache)] == ["features", "phantoms", "content_hashes"]
    outside = CacheEntry("images", A, elsewhere / A, 1, 0.0, "")
    with pytest.raises(RefusedError, match="lies outside the cache"):
        remove(cache, outside)
    assert (elsewhere / A / "values.npy").exists()


@pytest.mark.parametrize(("kind", "building"), [("images", False), ("images", True), ("phantoms", False)])
def test_what_is_being_made_is_not_removed(cache: Path, kind: str, building: bool):
    found = entry(cache, kind, building)
    hidden = "." if kind == "phantoms" else ""
    with FileLock(found.path.with_name(f"{hidden}{found.key}.lock")):
        with pytest.raises(RefusedError, match=rf"{kind}/{found.key} is being made by another process"):
            remove(cache, found)
        assert found in cache_entries(cache)
    remove(cache, found)
    assert found not in cache_entries(cache)
    assert not list(found.path.parent.glob(f"*{found.key}*"))


def test_an_array_that_is_removed_can_be_read_on_by_whoever_has_it_open(cache: Path):
    values = fill(cache / "images" / A, (10, 5), np.uint8, 2, zeros, title="a")
    remove(cache, entry(cache, "images"))
    assert values is not None
    assert values.sum() == 0


def test_what_a_killed_removal_left_goes_with_the_next(cache: Path):
    left = cache / "images" / f".{'9' * 32}.removing"
    left.mkdir()
    (left / "values.npy").write_bytes(bytes(99))
    remove(cache, entry(cache, "images"))
    assert not left.exists()


def test_entries_are_chosen_by_key_kind_and_age(cache: Path):
    entries = cache_entries(cache)

    def keys(*names: str, kind: str | None = None, older_than: float | None = None) -> list[str]:
        return [each.key for each in chosen(entries, names, kind, older_than)]

    assert keys(A) == [A]
    assert keys("aaaaa", "dddd") == [A, C]
    assert keys("features/a") == [B]
    assert keys(kind="features") == [B]
    assert keys(kind="building") == [C]
    assert keys(kind="images") == [A, C]
    assert keys("aaaaa", kind="features") == []
    assert keys(older_than=1) == []
    assert len(keys(older_than=0)) == len(entries)
    old = [CacheEntry(**{**vars(each), "made": each.made - 3 * 86400}) for each in entries[:2]]
    assert [each.key for each in chosen([*old, *entries[2:]], older_than=2.5)] == [each.key for each in old]


@pytest.mark.parametrize(
    ("keys", "kind", "expected"),
    [
        (("x",), None, "nothing in the cache is called 'x'"),
        (("images/aaaab",), None, "nothing in the cache is called 'images/aaaab'"),
        (("",), None, "nothing in the cache is called ''"),
        (("aaaa",), None, "'aaaa' is the beginning of several: features/aaaabc"),
        ((), "image", "unknown kind of cache 'image'; did you mean 'images'?"),
    ],
)
def test_wrong_keys_and_kinds_are_named(cache: Path, keys: tuple[str, ...], kind: str | None, expected: str):
    with pytest.raises(UserError) as caught:
        chosen(cache_entries(cache), keys, kind)
    assert expected in str(caught.value)


def test_damage_is_found_in_arrays_and_tables(cache: Path):
    def wrong(found: CacheEntry) -> list[str]:
        return [line for _, line in found.damage() if line]

    images, table = entry(cache, "images"), entry(cache, "content_hashes")
    assert wrong(images) == wrong(table) == []
    hashed = hashlib.sha256(b"2").hexdigest()[:8].encode()
    for path, position in ((images.path / "values.npy", 140), (table.path, table.path.read_bytes().index(hashed))):
        content = bytearray(path.read_bytes())
        content[position] ^= 1
        path.write_bytes(content)
    assert wrong(images) == ["values.npy: chunk 1 (rows 2 to 3) has changed"]
    assert len(wrong(table)) == 1
    assert wrong(table)[0].startswith("its bytes have changed")
    assert not entry(cache, "phantoms").has_checksums
    assert not entry(cache, "images", building=True).has_checksums


def test_an_array_of_an_earlier_version_is_known_and_cannot_be_checked(cache: Path):
    (cache / "images" / A / "checksums").unlink()
    found = entry(cache, "images")
    assert found.about == "small, 10,000 images, 32 pixels, default, made by an earlier version"
    assert [line for _, line in found.damage()] == ["no checksums (earlier versions kept none)"]


def test_no_cache_holds_nothing(tmp_path: Path):
    assert cache_entries(tmp_path / "absent") == []


def test_a_generator_is_listed_with_its_words_and_removed_with_its_half(tmp_path: Path) -> None:
    import json

    from safetensors.numpy import save_file

    folder = tmp_path / "generators"
    (folder / f".{'b' * 16}.partial").mkdir(parents=True)
    about = json.dumps({"kind": "StyleGAN2-architecture autoencoder", "trained_on": "600 phantoms"})
    save_file({"w": np.zeros(3, np.float32)}, folder / f"{'a' * 16}.safetensors", {"cxrbench.generator": about})
    (folder / "mine.safetensors").write_bytes(b"not ours")
    whole, half = sorted(cache_entries(tmp_path), key=lambda entry: entry.building)
    assert (whole.key, whole.about) == (f"{'a' * 16}.safetensors", "StyleGAN2-architecture autoencoder, 600 phantoms")
    assert (half.key, half.building) == (f"{'b' * 16}.safetensors", True)
    with FileLock(folder / f".{whole.key}.lock"), pytest.raises(RefusedError, match="being made by another process"):
        remove(tmp_path, whole)
    for entry in (whole, half):
        remove(tmp_path, entry)
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == ["mine.safetensors"]
    assert not half.path.exists()
