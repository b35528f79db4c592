"""R as the referee: our tests beside pROC, coin and base R, live or from the record."""

from __future__ import annotations

from .answers import Referee
from .r_referee import NoRError, ask_r
from .recording import RECORD, RecordError, read_record, write_record
from .verify import KINDS, Verified, verify

__all__ = [
    "KINDS",
    "RECORD",
    "NoRError",
    "RecordError",
    "Referee",
    "Verified",
    "ask_r",
    "read_record",
    "verify",
    "write_record",
]
