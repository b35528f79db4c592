"""BSE-JSRT: films of JSRT, each with a version in which ribs and clavicles are suppressed (Juhász 2010)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import pandas as pd

from ...foundation.errors import UserError
from ..card import DatasetCard, read_card
from ..image_folder import images_below
from ..phantom.case import PhantomCase, PhantomPlan
from ..problems import Problems
from ..radiographs import Radiographs
from ..reading import Reading
from ..source import Source, datasets
from ..tables import extract
from ._phantoms import write_image
from .jsrt import described, film_name, plan_films

_WITH_BONES, _WITHOUT = "JSRT", "BSE_JSRT"
_AUGMENTED = "augmented"
_SUFFIXES = (".png", ".jpg", ".jpeg")
_NAME = r"^(?:.*/)?(?P<id>(?i:JPCLN|JPCNN)\d{3})\.\w+$"


class BSEJSRT(Source):
    """Pairs: `path` is the film, `target_path` its bone-suppressed version, matched by equal file names.

    One label, `nodule`, from the film's name. The same films are held out as in `jsrt`. The folder `augmented` of the
    Kaggle copy is never read.
    """

    name: ClassVar[str] = "bse_jsrt"
    card: ClassVar[DatasetCard] = read_card("bse_jsrt")
    labels: ClassVar[tuple[str, ...]] = ("nodule",)
    exclusive: ClassVar[bool] = False
    official_split: ClassVar[bool] = False
    phantom_images: ClassVar[int] = 60
    needs_rib_free: ClassVar[bool] = True

    def read(self, root: Path, reading: Reading) -> Radiographs:
        """Match the files of JSRT/ and BSE_JSRT/, which the Kaggle copy nests once more in folders of equal name."""
        if _AUGMENTED in (part.lower() for part in (root.name, root.parent.name)):
            raise UserError(
                f"bse_jsrt: {root} is the augmented copy, whose images are versions of one another; "
                f"give the folder that holds {_WITH_BONES}/ and {_WITHOUT}/"
            )
        sides = {side: _films(root, side, reading.problems) for side in (_WITH_BONES, _WITHOUT)}
        pairs = sides[_WITH_BONES].merge(sides[_WITHOUT], on="id", how="outer", suffixes=("", "_target"))
        for own, other in ((_WITH_BONES, "path_target"), (_WITHOUT, "path")):
            wanted = _WITHOUT if own == _WITH_BONES else _WITH_BONES
            for name in pairs["id"][pairs[other].isna()]:
                reading.problems.add("no partner", root / own, f"{name} has no file of that name in {wanted}/", name)
        pairs = pairs.dropna().sort_values("id", ignore_index=True)
        if pairs.empty:
            raise UserError(f"bse_jsrt: no file of {root / _WITH_BONES} has its name in {_WITHOUT}/; complete the copy")
        samples = described(pairs["id"]).assign(path=pairs["path"], target_path=pairs["path_target"])
        columns = ["sample_id", "patient_id", "study_id", "path", "target_path", "split", "view", "nodule"]
        notes = []
        if any(folder.name.lower() == _AUGMENTED for folder in root.iterdir()):
            notes.append("augmented/ is left out: its images are versions of one another")
        return Radiographs(
            self.name, root, samples[columns], self.labels, False, False, "pairs of equal names", notes=tuple(notes)
        )

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        """Films as in `jsrt`."""
        return plan_films(n, seed, self.name)

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        """Write the film and its rib-free twin, nested as in the Kaggle copy."""
        for case in cases:
            assert case.rib_free is not None, "needs_rib_free asks for twins"
            name = f"{film_name(case.request)}.png"
            write_image(root / _WITH_BONES / _WITH_BONES / name, case.pixels)
            write_image(root / _WITHOUT / _WITHOUT / name, case.rib_free)


def _films(root: Path, side: str, problems: Problems) -> pd.DataFrame:
    """id and path of each film of one side."""
    folder = root / side
    if not folder.is_dir():
        raise UserError(f"bse_jsrt: no folder {folder}; give the folder that holds {_WITH_BONES}/ and {_WITHOUT}/")
    # The folder of the other side, or the augmented one, inside this one would give each film twice.
    other = _WITHOUT if side == _WITH_BONES else _WITH_BONES
    below = pd.Series(images_below(folder, _SUFFIXES, (_AUGMENTED, other.lower())), dtype="str")
    films = pd.DataFrame({"id": extract(below, _NAME)["id"].str.upper(), "path": f"{side}/" + below})
    for path in films["path"][films["id"].isna()]:
        problems.add("unknown name", root / path, "not named JPCLN001.png or JPCNN001.png; take it out")
    films = films.dropna().sort_values(["id", "path"], ignore_index=True)
    for name, path in films.loc[films["id"].duplicated(), ["id", "path"]].itertuples(index=False):
        problems.add("listed twice", root / path, f"{name} is there before", name)
    return films.drop_duplicates("id", ignore_index=True)


datasets.register(BSEJSRT.name, BSEJSRT())
