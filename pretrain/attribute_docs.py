"""What the docstring of a class says about its attributes."""

from __future__ import annotations

import inspect
import re

_ENTRY = re.compile(r"^(\w+(?:, \w+)*): (.*)$")


def attribute_docs(kind: type) -> dict[str, str]:
    """Attribute -> its words in the section `Attributes:` of `kind` or of a class it is made from, as one line."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        found |= _of(inspect.cleandoc(each.__dict__.get("__doc__") or ""))
    return found


def _of(text: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    names: list[str] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith(" ") and line:
            inside = line == "Attributes:"
        elif inside and (entry := _ENTRY.match(line.removeprefix("    "))):
            names = entry[1].split(", ")
            found |= {name: [entry[2]] for name in names}
        elif inside and line.strip():
            for name in names:
                found[name].append(line.strip())
    return {name: " ".join(words) for name, words in found.items()}
