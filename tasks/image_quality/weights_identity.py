"""Which weights a metric was computed with, for fingerprints: by content, never by path."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ...foundation.errors import UserError
from ...foundation.files import expanded, sha256_of_file

# First characters of the SHA-256 of published files -> their name. That of `lpips` is of its version 0.1.
_PUBLISHED = {
    "7be5be79": "alexnet-owt-7be5be79.pth",
    "397923af": "vgg16-397923af.pth",
    "df73285e": "lpips-0.1-alex.pth",
    "a78928a0": "lpips-0.1-vgg.pth",
    "6726825d": "pt_inception-2015-12-05-6726825d.pth",
}


def identity_of(setting: str, file: str) -> dict[str, str]:
    """Name and SHA-256 of the file that a setting names: the published name where the hash is that, else its own.

    Args:
        setting: for errors: `lpips.linear`.
        file: its path.

    Raises UserError where there is no such file.
    """
    path = existing(setting, file)
    status = path.stat()
    digest = _sha256(path, status.st_size, status.st_mtime_ns)
    return {"name": _PUBLISHED.get(digest[:8], path.name), "sha256": digest}


def existing(setting: str, file: str) -> Path:
    """The file that a setting names. Raises UserError where there is none."""
    path = expanded(file)
    if not path.is_file():
        raise UserError(f"{setting} = {file}: there is no such file; name the file, or leave the setting out")
    return path


@lru_cache(maxsize=16)
def _sha256(path: Path, size: int, changed: int) -> str:
    # Size and time of change are asked for so that a file that changed is read anew.
    return sha256_of_file(path)
