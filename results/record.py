"""The record of one trial: its metrics and everything that made it."""

from __future__ import annotations

import json
import sys
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from ..foundation.errors import UserError
from ..foundation.files import sha256_of_json
from ..tasks.trial import NO_ENCODER
from .record_versions import SCHEMA_VERSION, upgraded

# Raised when a change in code that is shared by all tasks changes results.
RESULTS_VERSION = 1
# Of the hash of weights, where people see it.
HASH_DIGITS = 12
_KINDS = {
    str: "a text",
    int: "a whole number",
    (int, float): "a number",
    bool: "true or false",
    dict: "an object",
    list: "a list",
}


@dataclass(frozen=True)
class Identity:
    """What is known of a trial before it runs, and decides whether it was run already.

    Attributes:
        weights: hash of the encoder's tensors (random ones: of architecture and seed), architecture, normalisation.
        dataset: name, content hash, preprocessing, size, and whether it is synthetic.
        split: hash of the split.
        code: hashes of included files that define the encoder, the dataset or the task; empty for ours.
        settings: all resolved settings that bear on the trial, precision included.
        seed: seeds of the draw, the head and the batch order.
    """

    encoder: str
    task: str
    task_version: int
    variant: str
    protocol: str
    fraction: float
    replicate: int
    weights: dict[str, Any]
    dataset: dict[str, Any]
    split: str
    settings: dict[str, Any]
    seed: int
    code: dict[str, str] = field(default_factory=dict)
    results_version: int = RESULTS_VERSION

    def fingerprint(self) -> str:
        """16 hexadecimal digits; equal for equal trials on every machine. The encoder's shown name is not in it."""
        known = {key: value for key, value in asdict(self).items() if key != "encoder"}
        return sha256_of_json(known)[:16]

    def settings_hash(self) -> str:
        """8 hexadecimal digits over what must be equal in a column of a table: settings, data and versions."""
        code = {part: sha for part, sha in self.code.items() if part != "encoder"}
        shared = (self.task, self.task_version, self.results_version, self.dataset, self.settings, code)
        return sha256_of_json(shared)[:8]


@dataclass(frozen=True)
class Record:
    """One trial's record, as `record.json` holds it.

    Attributes:
        fingerprint: hash of the identity.
        metrics: name -> value; None where undefined.
        split: counts of rows and patients, hash, and labels the draw lacks.
        resolved: what was decided while running: strengths, epochs, thresholds.
        notes: sentences for whoever reads the numbers.
        provenance: versions, device, code revision, start and duration.
        predictions_sha256: hash of predictions.parquet, from which the metrics were computed; empty where not known.
    """

    fingerprint: str
    encoder: str
    task: str
    variant: str
    protocol: str
    fraction: float
    replicate: int
    metrics: dict[str, float | None]
    synthetic: bool
    task_version: int
    weights: dict[str, Any]
    dataset: dict[str, Any]
    split: dict[str, Any]
    settings: dict[str, Any]
    settings_hash: str
    seed: int
    resolved: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    code: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    predictions_sha256: str = ""
    results_version: int = RESULTS_VERSION
    schema_version: int = SCHEMA_VERSION

    @property
    def place(self) -> Path:
        """Folder of this record inside its store."""
        return place_of(self, self.fingerprint)

    @property
    def weights_name(self) -> str:
        """What tells one set of weights from another: the head of their hash, or the architecture of random ones.

        Random weights are drawn anew for every replicate of a fine-tuning, so their hashes differ by right.
        """
        if self.weights.get("seed") is not None:
            return f"random, {self.weights.get('arch', 'unknown architecture')}"
        return str(self.weights.get("sha256", ""))[:HASH_DIGITS] or "unknown"

    @property
    def contaminated(self) -> bool:
        """Whether the encoder saw images of this task's dataset in pretraining."""
        return self.dataset.get("name") in self.weights.get("contamination", ())

    @property
    def is_reference(self) -> bool:
        """Whether the trial had no encoder: a row that encoders must beat."""
        return self.weights.get("arch") == NO_ENCODER

    @property
    def unverified(self) -> bool:
        """Whether the file of the encoder's weights has another hash than the published one."""
        return self.weights.get("unverified") is True

    @property
    def left_out(self) -> int:
        """How many images of the dataset the user went on without (`--skip-unreadable`)."""
        count = self.dataset.get("left_out", 0)
        return count if isinstance(count, int) else 0

    def to_json(self) -> str:
        """The text of record.json. Raises ValueError on NaN: undefined values are None."""
        return json.dumps(asdict(self), indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a record.json of this schema version or an older one.

        Raises UserError naming the file where it is cut, foreign or of a newer version.
        """
        try:
            values = from_json(path.read_bytes(), allow_inf_nan=False)
        except OSError as error:
            raise UserError(f"{path}: cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UserError(
                f"{path}: damaged, not a whole JSON document; remove its folder and start `cxrbench run` again"
            ) from error
        version = values.get("schema_version") if isinstance(values, dict) else None
        if not isinstance(version, int) or isinstance(version, bool):
            raise UserError(f"{path}: not a record of cxrbench (no schema_version); remove its folder")
        if version > SCHEMA_VERSION:
            raise UserError(f"{path}: written by a newer cxrbench (schema {version}); upgrade cxrbench to read it")
        if version < 1:
            raise UserError(f"{path}: no such schema_version: {version}; remove its folder")
        values = upgraded(values, version)
        known, needed = _field_names()
        lacking = needed - values.keys()
        if lacking:
            raise UserError(
                f"{path}: lacks {', '.join(sorted(lacking))}; remove its folder and start `cxrbench run` again"
            )
        wrong = _wrong_kind(values)
        if wrong is not None:
            raise UserError(f"{path}: {wrong}; remove its folder and start `cxrbench run` again")
        return cls(**{key: value for key, value in values.items() if key in known})


@cache
def _field_names() -> tuple[frozenset[str], frozenset[str]]:
    """Fields that a record may have, and those that it must have: what came later has a default."""
    needed = (one.name for one in fields(Record) if one.default is MISSING and one.default_factory is MISSING)
    return frozenset(one.name for one in fields(Record)), frozenset(needed)


def _wrong_kind(values: dict[str, Any]) -> str | None:
    """The first field that is not what a record holds there, in words; None where all are."""
    for name, kind in _kinds().items():
        value = values.get(name)
        if name in values and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            return f"{name} is not {_KINDS[kind]}"
    lists = {"notes": values.get("notes", []), "weights.contamination": values["weights"].get("contamination", [])}
    for name, found in lists.items():
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            return f"{name} is not a list of texts"
    wrong = [name for name, metric in values["metrics"].items() if metric is not None and not _is_number(metric)]
    if wrong or not _is_number(values["fraction"]):
        return f"{f'metrics.{wrong[0]}' if wrong else 'fraction'} is not a number{' or null' if wrong else ''}"
    return None


def _is_number(value: object) -> bool:
    """Whether it is a number that a float can hold."""
    # The first is what nearly every metric is.
    return (type(value) is float or type(value) is int) and abs(value) <= sys.float_info.max


@cache
def _kinds() -> dict[str, Any]:
    """Field -> the type that JSON gives for it."""
    by_annotation = {"str": str, "int": int, "float": (int, float), "bool": bool, "dict": dict, "list": list}
    return {one.name: by_annotation[str(one.type).split("[")[0]] for one in fields(Record)}


def place_of(trial: Any, fingerprint: str) -> Path:
    """`task/variant/encoder/protocol/fraction/replicate-fingerprint` of anything that has these attributes."""
    # Neither may stand in a file name everywhere.
    encoder = trial.encoder.replace("/", "_").replace(":", "_")
    leaf = f"{trial.replicate}-{fingerprint}"
    return Path(trial.task, trial.variant, encoder, trial.protocol, f"{trial.fraction:g}", leaf)
