"""Croissant 1.0: a dataset described for machines, as JSON-LD (https://docs.mlcommons.org/croissant/docs/croissant-spec)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..foundation.files import new_file, sha256_of_file
from .card import DatasetCard

if TYPE_CHECKING:
    import pandas as pd

    from .radiographs import Radiographs

Json = dict[str, Any]

# The context of the specification, which validators compare with.
_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_MEDIA_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".bmp": "image/bmp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".dcm": "application/dicom",
    ".dicom": "application/dicom",
}
_DATA_TYPES = {"b": "sc:Boolean", "i": "sc:Integer", "u": "sc:Integer", "f": "sc:Float"}
_ABOUT = {
    "sample_id": "the image, unique in the dataset",
    "patient_id": "whose image it is; the image's own id where no patients are known",
    "study_id": "images taken together",
    "path": "the image's file, relative to the dataset's folder",
    "target_path": "the file of the image's partner, relative to the dataset's folder",
    "split": "train, val or test",
    "view": "frontal, lateral or unknown",
    "x1": "left edge in pixels of the original image",
    "y1": "upper edge in pixels of the original image",
    "x2": "right edge in pixels of the original image",
    "y2": "lower edge in pixels of the original image",
    "label": "the finding that the box or mask shows",
    "height": "of the original image in pixels",
    "width": "of the original image in pixels",
    "crowd": "whether the box is drawn around several things at once",
    "counts": "COCO's uncompressed run lengths down the columns, beginning with zeros",
}
_LABEL = "1 present, 0 absent, -1 uncertain, empty not stated; between 0 and 1 the share of the readers who saw it"


def describe(name: str, card: DatasetCard) -> Json:
    """The Croissant document of a dataset as its card knows it: who made it, what it may be used for, no files.

    Args:
        name: the dataset's registered name.
        card: its card.
    """
    text = " ".join([card.description or card.title, *_sentences("Asked or forbidden", card.forbids)])
    document: Json = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "alternateName": card.title,
        "description": text,
        "citeAs": card.citation,
        "license": card.licence_address or card.licence,
        "url": card.address,
        "creator": [{"@type": "sc:Organization", "name": creator} for creator in card.creators],
        "datePublished": card.published,
        "version": _semantic(card.version),
        "rai:dataLimitations": list(card.traps),
    }
    return {key: value for key, value in document.items() if value}


def write_croissant(path: Path, name: str, card: DatasetCard, radiographs: Radiographs | None = None) -> list[Path]:
    """Write the Croissant document of a dataset to `path`; returns the files written, that one first.

    With `radiographs` the document describes what lies on disk: file sets of the images, and record sets of samples,
    boxes and masks. Their records go into tables beside `path` (`<stem>-samples.parquet`, `<stem>-boxes.parquet`,
    `<stem>-masks.parquet`), which the document names with their hashes.

    Raises UserError where a file cannot be written.
    """
    document, written = describe(name, card), []
    if radiographs is not None:
        named = {"samples": radiographs.samples, "boxes": radiographs.boxes, "masks": radiographs.masks}
        tables = {kind: table for kind, table in named.items() if table is not None}
        if radiographs.synthetic:
            document["description"] = f"SYNTHETIC PHANTOM, no real patients. {document['description']}"
        document["distribution"] = _image_files(radiographs)
        document["recordSet"] = []
        for kind, table in tables.items():
            # Not CSV: its readers take the patient 00000001 for the number 1.
            beside = path.with_name(f"{path.stem}-{kind}.parquet")
            with new_file(beside) as file:
                table.to_parquet(file, index=False)
            written.append(beside)
            document["distribution"].append(_table_file(beside, kind))
            document["recordSet"].append(_record_set(kind, table, beside.name, radiographs.labels))
    with new_file(path) as file:
        file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return [path, *written]


def _image_files(radiographs: Radiographs) -> list[Json]:
    """A file set for each ending of an image; its patterns are relative to the dataset's folder, as the paths are."""
    paths = [radiographs.samples[column] for column in ("path", "target_path") if column in radiographs.samples]
    endings = sorted({ending for column in paths for ending in column.str.extract(r"(\.\w+)$")[0].dropna().unique()})
    return [
        {
            "@type": "cr:FileSet",
            "@id": f"images{ending}",
            "name": f"images{ending}",
            "description": f"the images that end in {ending}, below the dataset's folder",
            "encodingFormat": _MEDIA_TYPES.get(ending.lower(), "application/octet-stream"),
            "includes": f"**/*{ending}",
        }
        for ending in endings
    ]


def _table_file(path: Path, kind: str) -> Json:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "description": f"the {kind} as cxrbench read them",
        "contentUrl": path.name,
        "encodingFormat": "application/x-parquet",
        "sha256": sha256_of_file(path),
    }


def _record_set(kind: str, table: pd.DataFrame, file: str, labels: tuple[str, ...]) -> Json:
    fields = []
    for column in map(str, table.columns):
        # Identifiers may hold no blanks or signs; the name keeps them.
        identifier = f"{kind}/{re.sub(r'[^A-Za-z0-9_.-]', '_', column)}"
        about = _LABEL if kind == "samples" and column in labels else _ABOUT.get(column, column)
        field: Json = {
            "@type": "cr:Field",
            "@id": identifier,
            "name": column,
            "description": about,
            "dataType": _DATA_TYPES.get(table[column].dtype.kind, "sc:Text"),
            "source": {"fileObject": {"@id": file}, "extract": {"column": column}},
        }
        if kind != "samples" and column == "sample_id":
            field["references"] = {"field": {"@id": "samples/sample_id"}}
        fields.append(field)
    found: Json = {"@type": "cr:RecordSet", "@id": kind, "name": kind, "field": fields}
    return found | ({"key": {"@id": "samples/sample_id"}} if kind == "samples" else {})


def _sentences(about: str, given: tuple[str, ...]) -> list[str]:
    return [f"{about}: {' '.join(given)}"] if given else []


def _semantic(version: str) -> str:
    """`2` as `2.0.0`, which the specification asks for; words stay as they are."""
    if not re.fullmatch(r"\d+(\.\d+){0,2}", version):
        return version
    return ".".join([*version.split("."), "0", "0"][:3])
