"""Pickles read as data: nothing is imported, called or built, whatever they ask for.

Python's own unpickler looks functions up by name and calls them. This one follows the same instructions, which
`pickletools` decodes, and where a function would be called it writes down which one, with what. What the few known
ones mean is for the caller to say; any other name is refused. Its memory is bounded by the size of the file: text and
bytes are taken from there, and no instruction makes more than one small object.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MOST_STEPS = 3_000_000
_MOST_MARKS = 1_000
# Keys are names of attributes, or small numbers.
_LONGEST_KEY = 200
_LARGEST_KEY = 2**31


class RefusedPickleError(Exception):
    """A name that is not known, an instruction that no such file needs, or damage; its words are for a person."""


@dataclass(frozen=True)
class Named:
    """A class or function that a pickle names; it is never looked up."""

    name: str


@dataclass
class Called:
    """A call that was not made, or an object that was not built.

    Attributes:
        name: of the function or class.
        arguments: of the call.
        state: what the object would have got afterwards; None where there is none.
    """

    name: str
    arguments: tuple[Any, ...]
    state: Any = field(default=None)


@dataclass(frozen=True)
class Outside:
    """What a pickle keeps outside of itself (the storages of torch.save), by its key."""

    key: Any


@dataclass
class Budget:
    """How much work a file may still cause, shared by all pickles in it.

    Attributes:
        left: steps: instructions that are followed, and entries of dictionaries that are looked through.
        bytes_left: bytes of stored numbers that are looked at; the same ones count each time.
    """

    left: int = MOST_STEPS
    bytes_left: int = 2**62

    def spend(self, steps: int = 1) -> None:
        """Raises RefusedPickleError where no steps are left."""
        self.left -= steps
        if self.left < 0:
            raise RefusedPickleError(f"takes more than {MOST_STEPS:,} steps to read, and no generator needs so many")

    def spend_bytes(self, number: int) -> None:
        """Raises RefusedPickleError where no bytes are left."""
        self.bytes_left -= number
        if self.bytes_left < 0:
            raise RefusedPickleError("holds tensors of more bytes than the file has")


def read_pickle(stream: BinaryIO, known: Collection[str], budget: Budget, dictionaries: Collection[str] = ()) -> Any:
    """What one pickle holds, with `Called` in place of objects; the stream then stands behind it.

    Args:
        stream: must end a read where the file ends and set no memory aside for more (`mmap`, `BytesIO`).
        known: dotted names of classes and functions that may stand in it.
        budget: of instructions.
        dictionaries: those of `known` that are kinds of dictionary, which become plain ones.

    Raises:
        RefusedPickleError: another name, too long, an instruction that is not known, truncated or damaged.
    """
    machine = _Machine(frozenset(known), frozenset(dictionaries))
    try:
        for instruction, argument, _ in pickletools.genops(stream):  # type: ignore[arg-type]
            budget.spend()
            if instruction.name == "STOP":
                return machine.pop()
            machine.follow(instruction.name, argument)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, UnicodeError) as error:
        raise RefusedPickleError("is truncated or damaged") from error
    raise RefusedPickleError("is truncated or damaged")


class _Machine:
    """The stack, the marks on it, and the memo of what was kept for later."""

    def __init__(self, known: frozenset[str], dictionaries: frozenset[str]):
        self._known, self._dictionaries = known, dictionaries
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        return self._stack.pop()

    def follow(self, instruction: str, argument: Any) -> None:
        if instruction in _LITERALS:
            self._stack.append(argument)
        elif instruction in _CONSTANTS:
            self._stack.append(_CONSTANTS[instruction]())
        elif instruction in _STEPS:
            _STEPS[instruction](self, argument)
        elif instruction not in ("PROTO", "FRAME"):
            raise RefusedPickleError(f"holds the instruction {instruction}, which no generator needs")

    def _mark(self, _: Any) -> None:
        if len(self._below) >= _MOST_MARKS:
            raise RefusedPickleError("is nested too deeply")
        self._below.append(self._stack)
        self._stack = []

    def _marked(self) -> list[Any]:
        """What stands above the last mark, which goes."""
        found, self._stack = self._stack, self._below.pop()
        return found

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _put(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def _get(self, place: int) -> None:
        self._stack.append(self._memo[place])

    def _pop_one(self, _: Any) -> None:
        self._stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._marked()

    def _tuple(self, _: Any) -> None:
        found = tuple(self._marked())
        self._stack.append(found)

    def _tuple_of(self, number: int) -> None:
        found = tuple(self._stack[-number:])
        if len(found) != number:
            raise IndexError
        del self._stack[-number:]
        self._stack.append(found)

    def _extend(self, values: list[Any]) -> None:
        # A set is written down as the list of what is in it.
        target = self._stack[-1]
        if not isinstance(target, list):
            raise TypeError
        target.extend(values)

    def _append(self, _: Any) -> None:
        self._extend([self._stack.pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._marked())

    def _set_items(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if not isinstance(target, dict) or len(values) % 2:
            raise TypeError
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not _is_key(key):
                raise TypeError
            target[key] = value

    def _set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set_items([key, value])

    def _set_marked(self, _: Any) -> None:
        self._set_items(self._marked())

    def _global(self, argument: str) -> None:
        self._name(*argument.split(" ", 1))

    def _stack_global(self, _: Any) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._name(module, name)

    def _name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError
        dotted = f"{module}.{name}"
        if dotted not in self._known:
            raise RefusedPickleError(f"holds {ascii(dotted[:80])[1:-1]}, which is none of what a generator is made of")
        self._stack.append(Named(dotted))

    def _call(self, _: Any) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, Named) or not isinstance(arguments, tuple):
            raise TypeError
        plain = function.name in self._dictionaries and not arguments
        self._stack.append({} if plain else Called(function.name, arguments))

    def _build(self, _: Any) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        # Dictionaries may have attributes beside their items, which say nothing about weights.
        if isinstance(target, Called):
            target.state = state
        elif not isinstance(target, dict):
            raise TypeError

    def _outside(self, _: Any) -> None:
        self._stack.append(Outside(self._stack.pop()))


def _is_key(key: Any) -> bool:
    """Whether a dictionary may have this key: others could take any time to hash or to compare."""
    if isinstance(key, str):
        return len(key) <= _LONGEST_KEY
    return isinstance(key, int) and -_LARGEST_KEY < key < _LARGEST_KEY


_LITERALS = frozenset(
    (
        *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "INT", "LONG", "FLOAT"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    )
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": list,
}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine._mark,
    "POP": _Machine._pop_one,
    "POP_MARK": _Machine._pop_mark,
    "MEMOIZE": _Machine._memoize,
    "PUT": _Machine._put,
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "GET": _Machine._get,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "TUPLE": _Machine._tuple,
    "TUPLE1": lambda machine, _: machine._tuple_of(1),
    "TUPLE2": lambda machine, _: machine._tuple_of(2),
    "TUPLE3": lambda machine, _: machine._tuple_of(3),
    "APPEND": _Machine._append,
    "APPENDS": _Machine._appends,
    "ADDITEMS": _Machine._appends,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_marked,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._call,
    "NEWOBJ": _Machine._call,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._outside,
}
