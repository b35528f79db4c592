"""One public dataset: what it is, how its files are read, and how phantoms are written in its layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ..foundation.errors import UserError
from ..foundation.registry import Registry, modules_in
from .problems import MISSING_IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from .card import DatasetCard
    from .phantom.case import PhantomCase, PhantomPlan
    from .radiographs import Radiographs
    from .reading import Reading


class Source(ABC):
    """A dataset that `load` can read by name. One subclass a file in data/sources/, its card in data/cards/."""

    name: ClassVar[str]
    card: ClassVar[DatasetCard]
    # Empty where the user's own files name them: then only what `read` returns knows.
    labels: ClassVar[tuple[str, ...]]
    exclusive: ClassVar[bool]
    # Whether the dataset says who tests; else `held_out` does, and the card counts all images together.
    official_split: ClassVar[bool] = True
    # Whether a phantom's images need their twins without ribs, as pairs for bone suppression do.
    needs_rib_free: ClassVar[bool] = False
    # How many images a phantom has where nobody says.
    phantom_images: ClassVar[int] = 1000

    @abstractmethod
    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Read the files below `root`, whichever of the dataset's layouts lies there; no image is decoded.

        What is wrong with single rows goes to `reading.problems`: their boxes and masks are left away, their labels
        are NaN. An image that is listed and not on disk has an empty path.
        Raises UserError, naming the file and the way out, where the folder as a whole cannot be read.
        """

    def parts(self, radiographs: Radiographs) -> pd.Series:
        """Which part each sample counts for in the card's counts: text [N]; an official split's, where there is one."""
        split = radiographs.samples["split"]
        return split if self.official_split else split.mask(split.notna(), "all")

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """Which patients, views and findings `n` phantom images of this dataset would have."""
        raise UserError(f"dataset {self.name} has no phantom; give its real folder with --data PATH")

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write phantom images and their labels in this dataset's real layout below `root`."""
        raise UserError(f"dataset {self.name} has no phantom; give its real folder with --data PATH")


datasets: Registry[Source] = Registry("dataset", "cxrbench.datasets", lambda: modules_in("cxrbench.data.sources"))


def load(
    dataset: str, path: Path | str, *, reading: Reading | None = None, skip_unreadable: bool = False
) -> Radiographs:
    """Read `dataset` (a registered name) from the folder `path`, or from the phantom of that name.

    Args:
        dataset: registered name.
        path: the dataset's folder, in any of its layouts.
        reading: where problems, progress and what is remembered go; a new one where None.
        skip_unreadable: leave out the samples that something is wrong with, images that are not on disk included, and
            remember them in `left_out`; a note counts the problems that concern no single sample.

    Raises:
        UserError: unknown dataset, missing folder, files that are missing or wrong; up to 20 problems in one error.
    """
    from .reading import Reading

    reading = reading or Reading()
    radiographs = read(dataset, path, reading)
    samples, named = radiographs.samples, reading.problems.reasons()
    absent = samples["sample_id"][samples["path"] == ""]
    for name in absent[~absent.isin(list(named))]:
        what = f"no image {name}, though a table lists it"
        reading.problems.add(MISSING_IMAGE, radiographs.root, what, name)
    if not len(reading.problems):
        return radiographs
    if not skip_unreadable:
        raise reading.problems.refusal(dataset)
    others = Counter(problem.kind for problem in reading.problems if not problem.sample_id)
    if others:
        # Kinds only: what a problem says may name a patient, and notes are stored with results.
        kinds = ", ".join(f"{count} x {kind}" for kind, count in others.most_common())
        note = f"{others.total()} problems that concern no single image were passed over ({kinds})"
        radiographs = replace(radiographs, notes=(*radiographs.notes, note))
    return without(radiographs, reading.problems.reasons())


def read(dataset: str, path: Path | str, reading: Reading) -> Radiographs:
    """As `load`, and whatever is wrong with single rows and files is left in `reading.problems`.

    Images that are listed and not on disk have an empty path.
    """
    from .phantom.marker import is_phantom

    root = Path(path)
    source = datasets.get(dataset)
    if not root.is_dir():
        what = f"{root} is a file" if root.is_file() else f"no folder {root}"
        raise UserError(f"{dataset}: {what}; give the dataset's folder with --data")
    try:
        radiographs = source.read(root, reading)
    except OSError as error:
        raise UserError(f"{dataset}: {error.filename or root} cannot be read: {error.strerror}") from error
    # A reader may go up or down from the folder it was given, so every folder with images is asked.
    folders = radiographs.samples["path"].str.replace(r"[^/]*$", "", regex=True).unique()
    upper = {"/".join(str(folder).split("/")[:3]) for folder in folders}
    synthetic = any(is_phantom(folder) for folder in (root, *(radiographs.root / name for name in upper)))
    return replace(radiographs, synthetic=True) if synthetic else radiographs


def without(radiographs: Radiographs, reasons: Mapping[str, str]) -> Radiographs:
    """The dataset without the samples that `reasons` (sample_id -> why) names, which `left_out` then lists.

    Names that are no samples are listed too: what a reader left away because a row of it is wrong.

    Raises UserError where nothing would be left.
    """
    import pandas as pd

    if not reasons:
        return radiographs
    keep = ~radiographs.samples["sample_id"].isin(list(reasons)).to_numpy()
    if not keep.any():
        first = next(iter(reasons.values()))
        raise UserError(f"{radiographs.dataset}: not one of {len(keep)} images can be used; the first: {first}")
    left_out = pd.DataFrame({"sample_id": list(reasons), "reason": list(reasons.values())})
    if radiographs.left_out is not None:
        left_out = pd.concat([radiographs.left_out, left_out], ignore_index=True)
    return replace(radiographs.where(keep), left_out=left_out)
