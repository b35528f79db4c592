"""Files that say which image of NIH ChestX-ray14 an image of a challenge is, and so whose it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..foundation.errors import UserError
from .held_out import held_out
from .problems import Problems
from .tables import extract, first_three, read_table

NIH = "nih14"
# In a sample table, the column with the sample_id that the image has in the dataset `nih14`.
NIH_COLUMN = "nih14_id"

# Column names as they are compared: in small letters, without anything but letters and digits.
_CHALLENGE_IDS = ("subsetimgid", "patientid", "imageid", "sopinstanceuid", "sopuid", "sop", "siimid", "rsnaid", "id")
_NIH_NAMES = (
    "imgid",
    "imageindex",
    "nihimageid",
    "nihimageindex",
    "nihimage",
    "nihfilename",
    "nihid",
    "nih",
    "img",
    "filename",
    "originalimage",
)
_HELD_OUT = "test set: the images of a fifth of the patients, by a hash"
_NIH_NAME = r"^(?:.*[/\\])?(?P<image>(?P<patient>\d{8})_\d{3})(?:\.\w+)?$"


@dataclass(frozen=True)
class NihOrigin:
    """Where the images of a challenge come from.

    Attributes:
        images: sample_id of each image in `nih14`, empty where it is not known: text [N].
        patients: its NIH patient, or the image's own id: text [N].
        known: whether there was a mapping file, so that `patients` are patients.
        notes: what a reader of results must know of it.
    """

    images: pd.Series
    patients: pd.Series
    known: bool
    notes: tuple[str, ...] = ()

    def split(self, dataset: str) -> pd.Series:
        """train or test of each image of `dataset`: text [N].

        Where NIH's patients are known they are held out under one name, so that no patient trains in one challenge
        and tests in another.
        """
        return held_out(NIH if self.known else dataset, self.patients)


def nih_origin(root: Path, ids: pd.Series, official: str, problems: Problems) -> NihOrigin:
    """What the mapping file in `root` says of the images `ids`.

    Args:
        root: the challenge's folder; its one JSON or CSV file with "mapping" in its name is read.
        ids: sample_id of each image: text [N].
        official: name of the mapping file, for the note where there is none.
        problems: gets the images that the file leaves out or gives two origins (`no NIH image known`).

    Raises UserError where the file cannot be read, or is about other images.
    """
    path = find_mapping(root)
    if path is None:
        note = f"no {official}: no patients are known, so that every image counts as a patient of its own"
        return NihOrigin(pd.Series("", index=ids.index, dtype="str"), ids, False, (note, _HELD_OUT))
    names = nih_images(path, ids)
    stated = ids.map(names[~names.index.duplicated()])
    twice = ids.isin(names.index[names.index.duplicated()])
    for name in ids[stated.isna() | twice]:
        what = f"{name} comes from several NIH images" if name in names.index else f"it has no NIH image for {name}"
        problems.add("no NIH image known", path, what, name)
    stated = stated.mask(twice).fillna("")
    patients = stated.str.slice(0, 8).where(stated != "", ids)
    return NihOrigin(stated, patients, True, (f"patients from {path.name}", _HELD_OUT))


def find_mapping(root: Path) -> Path | None:
    """The JSON or CSV file in `root` with "mapping" in its name, or None. Raises UserError where there are several."""
    files = sorted(path for path in root.iterdir() if path.suffix.lower() in (".json", ".csv") and path.is_file())
    found = [path for path in files if "mapping" in path.name.lower() and not path.name.startswith(".")]
    if len(found) > 1:
        raise UserError(f"{root} has several mapping files, {first_three(path.name for path in found)}; keep one")
    return found[0] if found else None


def nih_images(path: Path, ids: pd.Series) -> pd.Series:
    """The `nih14` sample_id (text) of the images in a mapping file, with the challenge's id as index.

    RSNA's `pneumonia-challenge-dataset-mappings_2018.json` is a list of objects with `subset_img_id` and `img_id`.
    Further files may be such a list, an object of id and NIH name, or a CSV; columns are known by several names. Of
    several columns with ids, the one is taken that has most of `ids`. Pairs without an NIH name are left away.

    Raises UserError where the file cannot be read, a column is missing, or none of `ids` is in it.
    """
    table = _read_json(path) if path.suffix.lower() == ".json" else read_table(path, ())
    columns = {_plain(column): table[column] for column in table.columns}
    nih = next((columns[name] for name in _NIH_NAMES if name in columns), None)
    known = [columns[name] for name in _CHALLENGE_IDS if name in columns]
    if nih is None or not known:
        raise UserError(
            f"{path} lacks {'the NIH file name (img_id)' if nih is None else 'the id (subset_img_id or ImageId)'}; "
            f"it has {', '.join(map(str, table.columns))}"
        )
    wanted = set(ids)
    texts = [_without_suffix(column) for column in known]
    shares = [int(column.isin(wanted).sum()) for column in texts]
    if not max(shares):
        raise UserError(f"{path} has none of the {len(ids)} images, such as {ids.iloc[0]}; is it another dataset's?")
    images = extract(nih.astype("str"), _NIH_NAME)["image"]
    pairs = pd.DataFrame({"id": texts[shares.index(max(shares))], "image": images}).dropna().drop_duplicates()
    return pd.Series(pairs["image"].to_numpy(dtype=object), index=pairs["id"], dtype="str", name="image")


def _read_json(path: Path) -> pd.DataFrame:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({error}); download it again") from error
    if isinstance(content, dict) and content and all(isinstance(value, str) for value in content.values()):
        content = [{"id": key, "img_id": value} for key, value in content.items()]
    if not isinstance(content, list) or not content or not all(isinstance(entry, dict) for entry in content):
        raise UserError(f"{path} is not a list of objects, one an image; download it again")
    return pd.DataFrame(content)


def _without_suffix(column: pd.Series) -> pd.Series:
    return column.astype("str").str.replace(r"\.dcm$", "", regex=True)


def _plain(name: object) -> str:
    return "".join(letter for letter in str(name).lower() if letter.isalnum())
