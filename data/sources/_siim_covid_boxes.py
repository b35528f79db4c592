"""The two ways in which SIIM-COVID writes boxes: a Python literal, and six tokens a box; neither is run."""

from __future__ import annotations

import ast
import math
import re
import warnings

OPACITY = "opacity"
NONE = "none 1 0 0 1 1"

Corners = tuple[float, float, float, float]

# The longest real text has a few hundred characters; these bounds keep Python's parser far from its own.
_LONGEST = 8192
_DEEPEST = 3
# No operators and no calls. A sign stands only where a number or its exponent begins; the alternatives exclude each
# other, so that matching takes one step a character.
_ALPHABET = re.compile(r"""(?:[\[\]{}'",:\s\w.]|(?<=[:,\s])-(?=[\d.])|(?<=\d[eE])[+-](?=\d))*""")
_KEYS = {"x", "y", "width", "height"}
# The label has five decimals.
_ROUNDING = 0.01


def parse_boxes(text: str) -> list[Corners]:
    """Corners (x1, y1, x2, y2) from `[{'x': 78.5, 'y': 12, 'width': 100, 'height': 50.25}, ...]`, not clipped.

    Raises ValueError, in words for a person, where the text is anything else.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"is {len(text)} characters long; at most {_LONGEST} are read")
    depth = deepest = 0
    for character in text:
        depth += (character in "[{(") - (character in "]})")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST or not _ALPHABET.fullmatch(text):
        raise ValueError("is no list of boxes")
    try:
        with warnings.catch_warnings():
            # Python warns of odd numerals before it refuses them.
            warnings.simplefilter("ignore")
            boxes = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError("is no Python literal") from error
    if not isinstance(boxes, list):
        raise ValueError("is no list of boxes")
    return [_corners_of(box) for box in boxes]


def parse_label(text: str) -> list[Corners]:
    """Corners from six tokens a box, `opacity 1 x1 y1 x2 y2`, not clipped; none from `none 1 0 0 1 1`.

    Raises ValueError, in words for a person, where the text is anything else.
    """
    tokens = text.split()
    if " ".join(tokens) == NONE:
        return []
    if not tokens or len(tokens) % 6:
        raise ValueError(f"has {len(tokens)} tokens; six a box are expected")
    boxes = []
    for start in range(0, len(tokens), 6):
        name, *numbers = tokens[start : start + 6]
        if name != OPACITY:
            raise ValueError(f"names {name[:40]!r}; known: {OPACITY}, and {NONE!r} for no box")
        _, x1, y1, x2, y2 = (_number(number) for number in numbers)
        boxes.append((x1, y1, x2, y2))
    return boxes


def clipped(box: Corners, width: float = math.inf, height: float = math.inf) -> Corners:
    """`box` without what lies outside its image, of which only the upper and the left edge may be known."""
    x1, y1, x2, y2 = box
    return max(x1, 0.0), max(y1, 0.0), min(x2, width), min(y2, height)


def agree(boxes: list[Corners], label: list[Corners]) -> bool:
    """Whether both ways of writing say the same, in any order, apart from rounding and clipping."""
    if len(boxes) != len(label):
        return False
    ours, theirs = [clipped(box) for box in boxes], [clipped(box) for box in label]
    if all(map(_near, ours, theirs)):
        return True
    for box in ours:
        partner = next((place for place, other in enumerate(theirs) if _near(box, other)), None)
        if partner is None:
            return False
        theirs.pop(partner)
    return True


def _near(one: Corners, other: Corners) -> bool:
    return all(abs(a - b) <= _ROUNDING for a, b in zip(one, other, strict=True))


def _corners_of(box: object) -> Corners:
    if not isinstance(box, dict) or set(box) != _KEYS:
        raise ValueError("has a box without x, y, width and height, or with more than these")
    values = [box[key] for key in ("x", "y", "width", "height")]
    if not all(type(value) in (int, float) for value in values):
        raise ValueError("has a box whose x, y, width and height are not all numbers")
    x, y, width, height = (_number(value) for value in values)
    return x, y, x + width, y + height


def _number(value: str | float) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise ValueError(f"has {str(value)[:40]!r} where a number is expected") from error
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("has a number that is not finite")
    return number
