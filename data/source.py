"""One public dataset: what it is, how its files are read, and how phantoms are written in its layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ..foundation.errors import UserError
from ..foundation.registry import Registry, modules_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .phantom.case import PhantomCase, PhantomPlan
    from .radiographs import Radiographs


class Source(ABC):
    """A dataset that `load` can read by name. One subclass a file in data/sources/."""

    name: ClassVar[str]
    title: ClassVar[str]
    licence: ClassVar[str]
    citation: ClassVar[str]
    labels: ClassVar[tuple[str, ...]]
    exclusive: ClassVar[bool]

    @abstractmethod
    def read(self, root: Path) -> Radiographs:
        """Read the files below `root`, whichever of the dataset's layouts lies there.

        Raises UserError, naming the file and the way out, where something is missing or wrong.
        """

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """Which patients, views and findings `n` phantom images of this dataset would have."""
        raise UserError(f"dataset {self.name} has no phantom; give its real folder with --data PATH")

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write phantom images and their labels in this dataset's real layout below `root`."""
        raise UserError(f"dataset {self.name} has no phantom; give its real folder with --data PATH")


datasets: Registry[Source] = Registry("dataset", "cxrbench.datasets", lambda: modules_in("cxrbench.data.sources"))


def load(dataset: str, path: Path | str) -> Radiographs:
    """Read `dataset` (a registered name) from the folder `path`, or from the phantom of that name.

    Raises:
        UserError: unknown dataset, missing folder, or files that are missing or wrong; one line each.
    """
    from .phantom.marker import is_phantom

    root = Path(path)
    source = datasets.get(dataset)
    if not root.is_dir():
        what = f"{root} is a file" if root.is_file() else f"no folder {root}"
        raise UserError(f"{dataset}: {what}; give the dataset's folder with --data")
    try:
        radiographs = source.read(root)
    except OSError as error:
        raise UserError(f"{dataset}: {error.filename or root} cannot be read: {error.strerror}") from error
    # A reader may go up or down from the folder it was given, so every folder with images is asked.
    folders = radiographs.samples["path"].str.extract(r"^((?:[^/]+/){0,3})", expand=False).unique()
    synthetic = any(is_phantom(folder) for folder in (root, *(radiographs.root / str(name) for name in folders)))
    return replace(radiographs, synthetic=True) if synthetic else radiographs
