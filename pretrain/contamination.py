"""What an audit found is written into an encoder's TOML, which is the user's own file."""

from __future__ import annotations

from pathlib import Path

import tomlkit

from ..foundation.errors import UserError
from ..foundation.files import new_file
from .zoo_entry import read_zoo_entry

_KEY = "contamination"


def add_contamination(path: Path, dataset: str) -> bool:
    """Add `dataset` to `contamination` in the TOML of an encoder; comments, order and everything else stay.

    Args:
        path: the TOML file; it is replaced whole.
        dataset: registered name.

    Returns:
        False where the file names it already and is left as it is.

    Raises:
        UserError: not the TOML of an encoder, or a file that cannot be written; then it is left as it was.
    """
    known = read_zoo_entry(path).entry.contamination
    if dataset in known:
        return False
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    document = tomlkit.parse(text)
    if _KEY in document:
        document[_KEY].append(dataset)  # type: ignore[union-attr]
    else:
        names = tomlkit.array()
        names.append(dataset)
        # A new key of the file itself goes before its first table, whatever that is.
        document.add(_KEY, names)
    # A link to the file stays a link.
    target = path.resolve()
    mode = target.stat().st_mode
    with new_file(target) as beside:
        beside.write_bytes(tomlkit.dumps(document).encode("utf-8"))
        beside.chmod(mode & 0o7777)
    return True
