"""The kinds of things in the cache folder: how one is known, described, locked and checked."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from ..foundation.files import DAMAGED_ARCHIVE
from .phantom.marker import MARKER
from .resumable_array import CHECKSUMS, DESCRIPTION, DONE, VALUES, lock_path

_ARRAY_FILES = {VALUES, DONE, DESCRIPTION, CHECKSUMS}
_HALF = ".building"


class CacheKind(ABC):
    """What lies in one folder of the cache. What does not look like it is not ours, and is left alone.

    Attributes:
        has_checksums: whether `damage` finds a flipped byte.
    """

    has_checksums = True

    def key(self, path: Path) -> tuple[str, bool] | None:
        """The entry's name, and whether `path` is only half of it; None where it is none of ours."""
        return (path.name, False) if self._is_whole(path) else None

    @abstractmethod
    def _is_whole(self, path: Path) -> bool: ...

    @abstractmethod
    def about(self, path: Path) -> str:
        """What it was made from, in words; empty where nothing says so."""

    def lock(self, folder: Path, key: str) -> Path | None:
        """The lock that whoever makes it holds; None where it is written in one moment."""
        return None

    def damage(self, path: Path) -> Iterator[tuple[int, str]]:
        """Read all of it: bytes read, and in one line what is wrong (empty where nothing is), piece by piece."""
        return iter(())


class _Array(CacheKind):
    """A folder that `resumable_array.fill` makes; its name is a hash."""

    def key(self, path: Path) -> tuple[str, bool] | None:
        name = path.name.removesuffix(_HALF)
        return (name, name != path.name) if self._is_whole(path) else None

    def _is_whole(self, path: Path) -> bool:
        if not re.fullmatch(r"[0-9a-f]{32}(\.building)?", path.name) or not path.is_dir():
            return False
        # Hidden ones are what a killed writer was writing.
        return all(each.name in _ARRAY_FILES or each.name.startswith(".") for each in path.iterdir())

    def about(self, path: Path) -> str:
        words = []
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            about = json.loads((path / DESCRIPTION).read_bytes())["about"]
            words = [f"{value:,} {name}" if isinstance(value, int) else value for name, value in about.items()]
        if not (path / CHECKSUMS).exists():
            words.append("made by an earlier version")
        elif path.name.endswith(_HALF):
            with suppress(OSError):
                flags = np.fromfile(path / DONE, np.uint8)
                words += [f"{flags.mean():.0%} done"] if len(flags) else []
        return ", ".join(words)

    def lock(self, folder: Path, key: str) -> Path | None:
        return lock_path(folder / key)

    def damage(self, path: Path) -> Iterator[tuple[int, str]]:
        from .array_checks import damage

        return damage(path)


class _Phantom(CacheKind):
    """A phantom dataset, written as folders and files of its layout."""

    has_checksums = False

    def key(self, path: Path) -> tuple[str, bool] | None:
        half = re.fullmatch(rf"\.({self._NAME})\.partial", path.name)
        return (half[1], True) if half and path.is_dir() else super().key(path)

    _NAME = r"\w+-n\d+-s\d+-seed\d+-v\d+"

    def _is_whole(self, path: Path) -> bool:
        return bool(re.fullmatch(self._NAME, path.name)) and (path / MARKER).is_file()

    def about(self, path: Path) -> str:
        with suppress(OSError, ValueError, KeyError, TypeError):
            mark = json.loads((path / MARKER).read_bytes())
            return f"{mark['dataset']}, {mark['n']:,} images, {mark['size']} pixels, seed {mark['seed']}"
        return ""

    def lock(self, folder: Path, key: str) -> Path | None:
        return folder / f".{key}.lock"


class _Table(CacheKind):
    """A Parquet file of what was read from the files of one folder, with checksums of its pages."""

    def _is_whole(self, path: Path) -> bool:
        return bool(re.fullmatch(r"[0-9a-f]{16}\.parquet", path.name)) and path.is_file()

    def about(self, path: Path) -> str:
        import pyarrow as pa
        from pyarrow.parquet import read_metadata

        with suppress(OSError, ValueError, pa.ArrowException):
            found = read_metadata(path)
            folder = json.loads((found.metadata or {}).get(b"PANDAS_ATTRS", b"{}")).get("folder", "")
            return f"{found.num_rows:,} files" + (f" of {folder}" if folder else "")
        return ""

    def damage(self, path: Path) -> Iterator[tuple[int, str]]:
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile

        try:
            with ParquetFile(path, page_checksum_verification=True) as file:
                file.read()
        except (OSError, ValueError, pa.ArrowException) as error:
            yield 0, f"its bytes have changed ({str(error).splitlines()[0][:100]})"
        else:
            yield path.stat().st_size, ""


class _Network(CacheKind):
    """A safetensors file of a trial's trained network, named by the trial's fingerprint; half of it is a checkpoint."""

    has_checksums = False

    def key(self, path: Path) -> tuple[str, bool] | None:
        half = re.fullmatch(r"\.([0-9a-f]{16})\.ckpt", path.name)
        return (f"{half[1]}.safetensors", True) if half and path.is_file() else super().key(path)

    def _is_whole(self, path: Path) -> bool:
        return bool(re.fullmatch(r"[0-9a-f]{16}\.safetensors", path.name)) and path.is_file()

    def about(self, path: Path) -> str:
        return _said_in(path, "cxrbench", "trial")


class _Generator(CacheKind):
    """A safetensors file of a generator of images, named by its recipe; half of it is the folder of its training."""

    has_checksums = False

    def key(self, path: Path) -> tuple[str, bool] | None:
        half = re.fullmatch(r"\.([0-9a-f]{16})\.partial", path.name)
        return (f"{half[1]}.safetensors", True) if half and path.is_dir() else super().key(path)

    def _is_whole(self, path: Path) -> bool:
        return bool(re.fullmatch(r"[0-9a-f]{16}\.safetensors", path.name)) and path.is_file()

    def about(self, path: Path) -> str:
        return _said_in(path, "cxrbench.generator", "kind", "trained_on")

    def lock(self, folder: Path, key: str) -> Path | None:
        return folder / f".{key}.lock"


class _MadeImages(CacheKind):
    """A file of images that a trial made, named by the trial's fingerprint."""

    def _is_whole(self, path: Path) -> bool:
        return bool(re.fullmatch(r"[0-9a-f]{16}\.npz", path.name)) and path.is_file()

    def about(self, path: Path) -> str:
        with suppress(*DAMAGED_ARCHIVE), np.load(path, allow_pickle=False) as content:
            names = [name for name in content.files if name != "sample_id"]
            return f"{len(content['sample_id'])} images: {', '.join(names)}"
        return ""

    def damage(self, path: Path) -> Iterator[tuple[int, str]]:
        try:
            with ZipFile(path) as file:
                spoilt = file.testzip()
        except DAMAGED_ARCHIVE as error:
            yield 0, f"its bytes have changed ({error or type(error).__name__})"
        else:
            yield path.stat().st_size, f"its bytes have changed ({spoilt})" if spoilt else ""


def _said_in(path: Path, entry: str, *keys: str) -> str:
    """What an entry of a safetensors file's metadata says, with commas between; empty where it says nothing."""
    from safetensors import SafetensorError, safe_open

    with suppress(OSError, ValueError, KeyError, TypeError, SafetensorError), safe_open(path, framework="np") as file:
        about = json.loads(file.metadata()[entry])
        return ", ".join(str(about[key]) for key in keys)
    return ""


_ARRAY, _TABLE = _Array(), _Table()
# Folder of the cache -> what lies there.
CACHE_KINDS: dict[str, CacheKind] = {
    "images": _ARRAY,
    "features": _ARRAY,
    "generators": _Generator(),
    "phantoms": _Phantom(),
    "audit": _ARRAY,
    "content_hashes": _TABLE,
    "dicom_headers": _TABLE,
    "image_sizes": _TABLE,
    "made_images": _MadeImages(),
    "networks": _Network(),
    "readable": _TABLE,
}
