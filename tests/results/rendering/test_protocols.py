"""Protocols in words."""

from __future__ import annotations

from cxrbench.bench.commands.options import Protocol
from cxrbench.results.rendering.protocols import protocol_in_words
from cxrbench.tasks.trial import PROTOCOLS


def test_every_protocol_has_words_and_can_be_asked_for() -> None:
    assert tuple(Protocol) == PROTOCOLS
    assert [protocol_in_words(each) for each in PROTOCOLS] == ["frozen encoder", "all weights fine-tuned"]


def test_a_protocol_of_elsewhere_is_its_own_word() -> None:
    assert protocol_in_words("prompted") == "prompted"
