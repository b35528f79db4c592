"""Protocols in words."""

from __future__ import annotations

_WORDS = {"frozen": "frozen encoder", "finetune": "all weights fine-tuned"}


def protocol_in_words(protocol: str) -> str:
    """`frozen encoder` for frozen; an unknown protocol is its own word."""
    return _WORDS.get(protocol, protocol)
