"""R's answers on file, for machines without R."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from pathlib import Path
from typing import Any

from .answers import RAnswer, Referee

RECORD = Path(__file__).with_name("recorded.json")
SCHEMA_VERSION = 1
AGAIN = "on a machine with R, run `cxrbench stats record`"

_WORDS = {"NaN": math.nan, "Inf": math.inf, "-Inf": -math.inf}


class RecordError(Exception):
    """The record cannot be used; the message says why and what to do."""


def write_record(referee: Referee, path: Path = RECORD) -> None:
    """Write answers as JSON, a line a case, numbers with all their digits; NaN and infinities as words."""
    head = {
        "schema_version": SCHEMA_VERSION,
        "recorded": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": dict(referee.versions),
        "script": script_digest(),
    }
    lines = [f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    questions = [
        f"{json.dumps(question)}: {{\n"
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(_plain(answer))}" for name, answer in cases.items())
        + "\n}"
        for question, cases in referee.answers.items()
    ]
    body = ",\n".join(questions)
    path.write_text("{\n" + "\n".join(lines) + '\n"answers": {\n' + body + "\n}}\n", encoding="utf-8")


def read_record(path: Path = RECORD) -> Referee:
    """Read recorded answers. Raises RecordError for a missing, broken or newer file, or one of another R script."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] > SCHEMA_VERSION:
            raise RecordError(f"{path.name} was written by a newer cxrbench: upgrade")
        answers = {
            question: {name: _answer(values) for name, values in cases.items()}
            for question, cases in found["answers"].items()
        }
        referee = Referee(dict(found["versions"]), str(found["recorded"]), answers)
        script = found["script"]
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}; {AGAIN}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"{path} is not a record of R's answers ({error!r}); {AGAIN}") from error
    if script != script_digest():
        raise RecordError(f"referee.R has changed since {path.name} was written; {AGAIN}")
    return referee


def script_digest() -> str:
    """Hash of the R script that asks the questions, whatever its line endings."""
    return hashlib.sha256(RECORD.with_name("referee.R").read_text(encoding="utf-8").encode()).hexdigest()[:16]


def _plain(answer: RAnswer) -> dict[str, Any]:
    if answer.error is not None:
        return {"inputs": answer.digest, "error": answer.error}
    return {"inputs": answer.digest, **{name: [_word(v) for v in values] for name, values in answer.quantities.items()}}


def _answer(values: dict[str, Any]) -> RAnswer:
    digest, error = str(values["inputs"]), values.get("error")
    numbers = {name: [_number(v) for v in each] for name, each in values.items() if name not in ("inputs", "error")}
    return RAnswer(digest, numbers, error)


def _word(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return ("Inf" if value > 0 else "-Inf") if math.isinf(value) else value


def _number(value: float | str) -> float:
    return _WORDS[value] if isinstance(value, str) else float(value)
