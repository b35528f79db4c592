"""How a person converts a checkpoint that must not be opened here, in a place where it can do no harm."""

from __future__ import annotations

import shlex
from pathlib import Path

# Keeps dictionaries and tensors, and of a whole module its state dict.
_CODE = (
    "import sys, torch; "
    "t = lambda d: {str(k): v if torch.is_tensor(v) else t(v) for k, v in d.items() "
    "if torch.is_tensor(v) or isinstance(v, dict)}; "
    'f = torch.load(sys.argv[1], map_location="cpu", weights_only=False); '
    'torch.save(t(f.state_dict() if hasattr(f, "state_dict") else f), sys.argv[2])'
)


def refusal(path: Path, culprit: str) -> str:
    """Why `path` was not opened, and the command with which its owner makes a file of it that can be.

    Args:
        path: the checkpoint.
        culprit: what it holds besides tensors: the dotted name of a class or function.
    """
    made = f"{path.stem}.tensors.pth"
    return (
        f"{path}: holds {culprit}, not only tensors, and was not opened: reading that may run any program. If you "
        f"trust who made it, copy it into a sandbox (a container without network and without files of yours, with "
        f"torch and the library that {culprit} belongs to), run the next line there, and use {made}\n"
        f"{conversion(path.name, made)}"
    )


def conversion(given: str, made: str) -> str:
    """The shell command that unpickles the file `given` and writes its tensors to `made`; for a sandbox only."""
    return shlex.join(["python", "-c", _CODE, given, made])
