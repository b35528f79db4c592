"""What came out: records, the store they lie in, and tables made of them."""

from .record import Record
from .store import Store

__all__ = ["Record", "Store"]
